"""Who gets what: the assignment auction and CBBA, beside scipy's Hungarian method and brute force."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from random import Random
from typing import Any

from agentbus.market import BundleAgent, assign
from agentbus.market.rounds import Rounds

MOST = 1_000
"""Integer values are drawn from 1 to this."""
CHORDS = 1
"""A team is a ring with so many chords an agent, each to a random other."""
QUIET = 25
ROUNDS = 900

Values = list[list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One instance: what was reached, what the optimum is, in how many rounds, and how many tasks have two winners."""

    reached: float
    optimum: float
    rounds: int = 0
    conflicts: int = 0
    settled: bool = True

    @property
    def share(self) -> float:
        """Of the optimum."""
        return self.reached / self.optimum if self.optimum else 1.0


def values(n: int, rng: Random) -> Values:
    """What n tasks are worth to n agents."""
    return [[rng.randint(1, MOST) for _ in range(n)] for _ in range(n)]


def hungarian(table: Sequence[Sequence[int]]) -> int:
    """The greatest sum of an assignment, by scipy."""
    optimize: Any = import_module("scipy.optimize")
    matrix: Any = import_module("numpy").array(table)
    rows, columns = optimize.linear_sum_assignment(matrix, maximize=True)
    return int(matrix[rows, columns].sum())


def auctioned(n: int, seed: int) -> Shared:
    """The assignment auction."""
    table = values(n, Random(seed))
    lots = assign(table)
    conflicts = n - len(set(lots))
    reached = sum(row[lot] for row, lot in zip(table, lots, strict=True) if lot is not None)
    return Shared(reached=reached, optimum=hungarian(table), conflicts=conflicts)


def single(n: int, seed: int, *, loss: float = 0.0, delay: int = 0) -> Shared:
    """CBBA with bundles of one."""
    rng = Random(seed)
    table = values(n, rng)
    tasks = [f"t{place}" for place in range(n)]
    worth = [dict(zip(tasks, row, strict=True)) for row in table]
    agents = [
        BundleAgent(
            f"a{me}",
            tasks,
            lambda path, mine=worth[me]: float(sum(mine[task] for task in path)),
            neighbours=[f"a{other}" for other in near],
            now=0.0,
        )
        for me, near in enumerate(network(n, rng))
    ]
    rounds = Rounds(agents, rng=rng, loss=loss, delay=delay)
    settled = rounds.run(ROUNDS, QUIET)
    done = [(me, task) for me, bundle in enumerate(rounds.bundles().values()) for task in bundle]
    reached = sum(worth[me][task] for me, task in done)
    return Shared(
        reached=reached,
        optimum=hungarian(table),
        rounds=rounds.round - QUIET,
        conflicts=len(done) - len({task for _, task in done}),
        settled=settled,
    )


def bundled(seed: int, *, agents: int, tasks: int, capacity: int, loss: float = 0.0, delay: int = 0) -> Shared:
    """CBBA with larger bundles, whose gains diminish: the root of a sum, or of all skills the best that covers a
    need, by turns. Brute force tries every way to share the tasks out."""
    rng = Random(seed)
    gains = [[rng.random() ** 2 for _ in range(tasks)] for _ in range(agents)]
    needs = [[rng.random() for _ in range(3)] for _ in range(tasks)]
    names = [f"t{place}" for place in range(tasks)]
    place_of = {name: place for place, name in enumerate(names)}

    def worth(me: int, path: Iterable[str]) -> float:
        chosen = [place_of[task] for task in path]
        if seed % 2:
            return math.sqrt(sum(gains[me][task] for task in chosen))
        return sum(max((needs[task][kind] * gains[me][task] for task in chosen), default=0.0) for kind in range(3))

    team = [
        BundleAgent(
            f"a{me}",
            names,
            lambda path, me=me: worth(me, path),
            neighbours=[f"a{other}" for other in near],
            now=0.0,
            capacity=capacity,
        )
        for me, near in enumerate(network(agents, rng))
    ]
    rounds = Rounds(team, rng=rng, loss=loss, delay=delay)
    settled = rounds.run(ROUNDS, QUIET)
    done = rounds.bundles()
    winners = [task for bundle in done.values() for task in bundle]
    return Shared(
        reached=sum(worth(me, bundle) for me, bundle in enumerate(done.values())),
        optimum=_brute_force(agents, names, capacity, worth),
        rounds=rounds.round - QUIET,
        conflicts=len(winners) - len(set(winners)),
        settled=settled,
    )


def _brute_force(agents: int, tasks: Sequence[str], capacity: int, worth: Any) -> float:
    """The best of all ways to give each task to one agent or to nobody."""
    best = 0.0
    holders: list[list[str]] = [[] for _ in range(agents)]

    def go(place: int) -> None:
        nonlocal best
        if place == len(tasks):
            best = max(best, sum(worth(me, held) for me, held in enumerate(holders)))
            return
        go(place + 1)
        for held in holders:
            if len(held) < capacity:
                held.append(tasks[place])
                go(place + 1)
                held.pop()

    go(0)
    return best


def network(n: int, rng: Random) -> list[list[int]]:
    """Who can talk to whom: a ring, and chords."""
    near: list[set[int]] = [set() for _ in range(n)]
    for me in range(n):
        for other in [(me + 1) % n, *(rng.randrange(n) for _ in range(CHORDS))]:
            if other != me:
                near[me].add(other)
                near[other].add(me)
    return [sorted(each) for each in near]
