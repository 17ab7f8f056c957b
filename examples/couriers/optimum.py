"""The best that could be done by somebody who knows all costs and all jobs of the day beforehand. Exact.

Where each job can go to whoever does it for the least, that is it. Where some courier would have too many, each courier
is as many lots as it may do jobs, and each job a bidder: Bertsekas' auction finds the best assignment, which for whole
numbers is the optimum (`agentbus.market.assign`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from agentbus.market import assign


def least_cost(costs: Sequence[Sequence[int]], limit: int) -> int:
    """What doing all of these jobs costs at least.

    Args:
        costs: a row a job, a column a courier.
        limit: jobs that a courier does at most; together they can do all.
    """
    return -_greatest(tuple(tuple(-cost for cost in row) for row in costs), limit)


def best_welfare(values: Sequence[int], costs: Sequence[Sequence[int]], limit: int) -> int:
    """The greatest sum of value less cost. A job that nobody can do for its value is left, and is worth 0."""
    gains = (tuple(max(0, value - cost) for cost in row) for value, row in zip(values, costs, strict=True))
    return _greatest(tuple(row for row in gains if max(row)), limit)


@lru_cache(maxsize=64)  # several casts may do the same jobs
def _greatest(gains: tuple[tuple[int, ...], ...], limit: int) -> int:
    choices = [row.index(max(row)) for row in gains]
    if max(Counter(choices).values(), default=0) <= limit:
        return sum(max(row) for row in gains)
    lots = [[gain for gain in row for _ in range(limit)] for row in gains]
    return sum(row[lot] for row, lot in zip(lots, assign(lots), strict=True) if lot is not None)
