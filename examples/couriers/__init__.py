"""Couriers: the same forty jobs under three policies and their mixtures.

Eight couriers live in a town. Each day forty things are to be carried; each job is worth something to who sends it, and
costs each courier something else. A job is offered to all, and goes to whoever asks for the least. What they ask for is
their policy, one decorator: a cooperative courier asks for its cost, a competitive one for its cost and a markup, and
each adds a markup of its own, from 10 to 115%; a hybrid one is between.

So it happens that a job goes to whoever asks least, though it costs another one less; and that a job is not done,
though somebody could do it for less than it is worth. How much that costs, and who has what of the rest, is counted in
euros, against the best that somebody could do who knew all costs and all jobs of the day beforehand::

    python -m examples.couriers
    python -m examples.couriers --days 50 --seed 7 --svg couriers.svg
"""
