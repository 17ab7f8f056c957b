"""What membership and aggregates are worth: the parts of ``python -m bench.membership``.

`figure` says what a figure is; `simulator` runs many machines in virtual time, and one module each measures a figure.
"""
