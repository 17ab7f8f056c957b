"""Compute: three laboratories buy work from six providers that they don't know, and two of these cheat.

The work is real: how many primes are there in each of twenty blocks of ten thousand numbers? A buyer publishes a
demand, providers offer, the buyer takes the offer that gains it most by price and reputation, and puts the money into
escrow. It checks what it gets by doing a sample of the blocks again. When one is wrong, it disputes; the arbiter does
all of them again, and only those that are right are paid.

Two providers ask for less than the others and make up a part of what they report. They win at first. One provider dies
in the midst of its work, and one comes too late with an offer. All money is on an escrow ledger, which is audited at
the end::

    python -m examples.compute
    python -m examples.compute --seed 7 --rounds 60 --sample 2 --svg compute.svg
"""
