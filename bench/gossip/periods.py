"""Periods until a crashed member is first probed, in synchronous rounds: SWIM's e/(e-1)."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from statistics import fmean

from agentbus.membership.config import MembershipConfig, local

from .figure import Asked, Figure, Line
from .simulator import Fleet

MEMBERS = 64
THEORY = 1.582


class Aligned(Random):
    """Chance that begins with zeros, so that all members begin their rounds at once."""

    aligned = True

    def random(self) -> float:
        """Zero, until `aligned` is taken off."""
        return 0.0 if self.aligned else super().random()


def rounds_until_probed(config: MembershipConfig, trials: int, seed: int) -> list[int]:
    """Periods from a crash, just before a round begins, until somebody probes the crashed one: 1 in that round."""
    sources: list[Aligned] = []

    def chance(seed: float) -> Random:
        sources.append(Aligned(seed))
        return sources[-1]

    fleet = Fleet(MEMBERS, config, seed, chance=chance)
    for source in sources:
        source.aligned = False
    period_s = config.period_s
    taken: list[int] = []
    round_number = 0
    for _ in range(trials):
        victim = fleet.names[int(fleet.rng.random() * MEMBERS)]
        fleet.run_until((round_number + 0.9) * period_s)
        fleet.stop(victim)
        count = 0
        while count == 0 or fleet.pinged.get(victim, -1.0) < (round_number - 0.1) * period_s:
            count += 1
            round_number += 1
            fleet.run_until((round_number + 0.2) * period_s)
        taken.append(count)
        round_number += 1
        fleet.run_until(round_number * period_s)
        fleet.go_on(victim)  # in step with the others
    return taken


def run(asked: Asked) -> list[Line]:
    """With probes in random order, as the theory has it."""
    config = replace(
        local(), probe_order="random", local_health=False, freeze=False, push_pull_s=0.0, rejoin_s=0.0, timeout_s=0.1
    )
    trials = asked.count(4_000, 60)
    asked.told(f"{trials} crashes in synchronous rounds")
    taken = rounds_until_probed(config, trials, asked.seed)
    mean = fmean(taken)
    return [
        Line(
            title="periods to the first detection, mean",
            value=mean,
            least=THEORY - asked.count(1, 8) * 0.05,
            most=THEORY + asked.count(1, 8) * 0.05,
            reference="SWIM's theory: e/(e-1) = 1.582",
        ),
        Line(title="periods to the first detection, most", value=max(taken), reference=f"{trials} crashes"),
    ]


FIGURE = Figure(
    name="periods",
    title="Periods to the first detection",
    method=f"{MEMBERS} simulated members whose rounds begin together, probes in random order; one crashes before one.",
    run=run,
)
