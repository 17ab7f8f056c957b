"""False positives: among members that are stopped again and again, and at rest."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agentbus.membership.config import MembershipConfig, local
from agentbus.membership.model import ChangeKind, Notify

from .figure import Asked, Figure, Line
from .simulator import Fleet

MEMBERS = 128
STOPPED = (1, 4, 16, 32)
STOPS_S = (0.5, 2.0, 8.0, 32.0)
RUNS_S = 0.002
"""Seconds that a stopped member runs between two stops."""
LASTS_S = 40.0
"""Seconds that a cell lasts ..."""
STOPS_AT_LEAST = 2.1
"""... but so many stops."""
QUICK = ((16,), (2.0,), 15.0)
PLAIN = replace(local(), local_health=False, nacks=False, buddy=False, confirm=False, freeze=False, voices=1)
ARMS: dict[str, MembershipConfig] = {
    "reference": PLAIN,
    "Lifeguard": replace(local(), freeze=False),
    "all": local(),
}


@dataclass(slots=True)
class Tally:
    """What came of an arm.

    Attributes:
        wrong: verdicts on members that were never stopped.
        by_healthy: of these, by members that were never stopped either.
        sent: packets.
        right: verdicts on members that were stopped.
    """

    wrong: int = 0
    by_healthy: int = 0
    sent: int = 0
    right: int = 0

    def add(self, other: Tally) -> None:
        """Adds another up."""
        self.wrong += other.wrong
        self.by_healthy += other.by_healthy
        self.sent += other.sent
        self.right += other.right


def cell(
    config: MembershipConfig,
    stopped: int,
    stop_s: float,
    seed: int,
    *,
    lasts_s: float = LASTS_S,
    members: int = 0,
) -> Tally:
    """One cell of the grid: so many of `members` (by default `MEMBERS`) stop for so long, run for 2 ms, stop again."""
    tally = Tally()
    sick: set[str] = set()

    def notice(at: float, by: str, change: Notify) -> None:
        del at
        if change.kind is not ChangeKind.FAILED:
            return
        if change.word.node in sick:
            tally.right += 1
            return
        tally.wrong += 1
        tally.by_healthy += by not in sick

    fleet = Fleet(members or MEMBERS, config, seed, notice)
    fleet.run(2.0)
    sick.update(fleet.rng.sample(fleet.names, stopped))
    switches = [(fleet.now + fleet.rng.random() * min(stop_s, 1.0), name, False) for name in sorted(sick)]
    heapq.heapify(switches)
    ends = fleet.now + max(lasts_s, STOPS_AT_LEAST * stop_s)
    while switches[0][0] < ends:
        at, name, runs = heapq.heappop(switches)
        fleet.run_until(at)
        if runs:
            fleet.go_on(name)
        else:
            fleet.stop(name)
        heapq.heappush(switches, (at + (RUNS_S if runs else stop_s), name, not runs))
    fleet.run_until(ends)
    tally.sent = fleet.sent
    return tally


def grid(
    config: MembershipConfig, stopped: Sequence[int], stops_s: Sequence[float], seed: int, lasts_s: float
) -> Tally:
    """All cells, added up."""
    total = Tally()
    for count in stopped:
        for stop_s in stops_s:
            total.add(cell(config, count, stop_s, seed + count, lasts_s=lasts_s))
    return total


def run_stress(asked: Asked) -> list[Line]:
    """Three arms on the same grid."""
    stopped, stops_s, lasts_s = (STOPPED, STOPS_S, LASTS_S) if not asked.quick else QUICK
    tallies: dict[str, Tally] = {}
    for name, config in ARMS.items():
        asked.told(f"arm {name!r}")
        tallies[name] = grid(config, stopped, stops_s, 1_000 * asked.seed, lasts_s)
    plain, lifeguard, ours = tallies["reference"], tallies["Lifeguard"], tallies["all"]
    return [
        Line(title="FP, reference arm", value=plain.wrong, least=asked.count(2_000, 1)),
        Line(title="FP-, reference arm", value=plain.by_healthy, least=asked.count(500, 1)),
        Line(title="FP, Lifeguard without the freeze", value=lifeguard.wrong, reference=_share(lifeguard, plain)),
        Line(title="FP-, Lifeguard without the freeze", value=lifeguard.by_healthy),
        Line(title="messages, Lifeguard without the freeze", value=lifeguard.sent / plain.sent, unit="x"),
        Line(title="FP, all of it", value=ours.wrong),
        Line(title="FP-, all of it", value=ours.by_healthy),
        Line(
            title="FP, share of the reference's",
            value=_percent(ours.wrong, plain.wrong),
            unit="%",
            most=1.5,
            reference="Lifeguard's paper: 1.53%",
        ),
        Line(
            title="FP-, share of the reference's",
            value=_percent(ours.by_healthy, plain.by_healthy),
            unit="%",
            most=1.5,
            reference="Lifeguard's paper: 1.89%",
        ),
        Line(title="messages, all of it", value=ours.sent / plain.sent, unit="x", most=1.1),
        Line(
            title="verdicts on those stopped, all of it",
            value=ours.right,
            reference=f"{plain.right:,} in the reference arm",
        ),
    ]


def run_rest(asked: Asked) -> list[Line]:
    """Nobody is stopped; how long stands in `Asked.minutes`."""
    minutes = asked.minutes if not asked.quick else 0.5
    wrong: list[float] = []
    suspected: list[float] = []

    def notice(at: float, by: str, change: Notify) -> None:
        del by
        if change.kind is ChangeKind.FAILED:
            wrong.append(at)
        elif change.kind is ChangeKind.SUSPECTED:
            suspected.append(at)

    fleet = Fleet(MEMBERS, local(), asked.seed, notice)
    for minute in range(max(1, round(minutes))):
        asked.told(f"{MEMBERS} members at rest, minute {minute + 1} of {minutes:g}")
        fleet.run_until(60.0 * min(minutes, minute + 1.0))
    return [
        Line(title="false positives at rest", value=len(wrong), most=0, reference=f"{minutes:g} virtual minutes"),
        Line(title="suspicions at rest", value=len(suspected)),
    ]


def _percent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else float("nan")


def _share(part: Tally, whole: Tally) -> str:
    wrong, by_healthy = _percent(part.wrong, whole.wrong), _percent(part.by_healthy, whole.by_healthy)
    return f"{wrong:.2f}% and {by_healthy:.2f}% of the reference's"


STRESS = Figure(
    name="stress",
    title="False positives under stress",
    method=f"{MEMBERS} simulated members, {STOPPED} of them stopped for {STOPS_S} s again and again, with 2 ms of "
    f"running in between; overdue timers fire before queued messages; {LASTS_S:g} s a cell, or {STOPS_AT_LEAST} stops. "
    "FP: a member that was never stopped is declared failed, counted once for each that believes it; FP-: by one that "
    "was never stopped.",
    run=run_stress,
)
REST = Figure(
    name="rest",
    title="False positives at rest",
    method=f"{MEMBERS} simulated members, preset local(), latency 0.5 to 2 ms.",
    run=run_rest,
)
