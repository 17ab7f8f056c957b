"""Comparisons with other tools, and a load test for your own server.

* ``python -m bench``: the comparisons. `frame` says what a figure is and runs its rounds, one module in `figures` each;
  what is measured is in `sides`, run by `child` in processes of their own; `table`, `document` and `plot` tell it.
* ``python -m bench.load``: the load test.

Never imported by the package.
"""
