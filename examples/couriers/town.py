"""The town: who carries things there, at what cost, and what is to be carried on a day. Pure, from a seed.

It is a square of ten kilometres. A courier rides from its depot to where a thing lies, brings it, and rides back, so
what a job costs does not depend on the jobs before it; and nobody does more than `LIMIT` of them a day. That makes the
best that can be done an assignment, which `optimum` finds exactly. Money is in whole cents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from random import Random

from .v1.couriers_pb2 import Delivery

JOBS = 40
LIMIT = 8
"""Jobs that a courier does on a day at most."""
SIDE_KM = 10.0
NAMES = ("anna", "bert", "cleo", "dora", "emil", "fred", "gina", "hugo")
MARKUPS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0, 1.15)
"""What each would add to its cost when it looks after itself, as a share of it: anna little, hugo more than as much."""
RATES = (45, 75)
"""Cents a kilometre."""
VALUES = (600, 2000)
"""Cents that a job is worth to who sends."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rider:
    """What a courier has. `rate`: cents a kilometre; `markup`: the share of its cost that it would add."""

    name: str
    depot: Point
    rate: int
    markup: float

    def cost(self, job: Delivery) -> int:
        """Of one job, in cents: there, across and back."""
        start, end = (job.from_x, job.from_y), (job.to_x, job.to_y)
        return round((_km(self.depot, start) + _km(start, end) + _km(end, self.depot)) * self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A job, and the most that is paid for it, in cents."""

    job: Delivery
    value: int


def riders(seed: int) -> tuple[Rider, ...]:
    """The eight couriers of a town."""
    rng = Random(f"couriers {seed}")
    return tuple(
        Rider(name=name, depot=_anywhere(rng), rate=rng.randint(*RATES), markup=markup)
        for name, markup in zip(NAMES, MARKUPS, strict=True)
    )


def orders(seed: int, day: int) -> tuple[Order, ...]:
    """The forty jobs of one day, as they come up."""
    rng = Random(f"jobs {seed} {day}")
    found: list[Order] = []
    for number in range(1, JOBS + 1):
        (from_x, from_y), (to_x, to_y) = _anywhere(rng), _anywhere(rng)
        job = Delivery(number=number, from_x=from_x, from_y=from_y, to_x=to_x, to_y=to_y)
        found.append(Order(job=job, value=rng.randint(*VALUES)))
    return tuple(found)


def costs(riders: Sequence[Rider], orders: Sequence[Order]) -> list[list[int]]:
    """What each job would cost each courier: a row a job."""
    return [[rider.cost(order.job) for rider in riders] for order in orders]


def _anywhere(rng: Random) -> Point:
    return rng.uniform(0.0, SIDE_KM), rng.uniform(0.0, SIDE_KM)


def _km(here: Point, there: Point) -> float:
    return hypot(here[0] - there[0], here[1] - there[1])
