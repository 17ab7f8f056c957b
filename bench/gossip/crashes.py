"""How long until a crash is known: to the first, and to all."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from agentbus.membership.config import MembershipConfig, lan, local
from agentbus.membership.model import ChangeKind, Notify

from .figure import Asked, Figure, Line, quantile
from .simulator import Fleet

MEMBERS = 128
APART_S = 1.5
"""Seconds between two crashes: a few at a time are not known to all yet."""
DOWN_S = 6.0
"""Seconds until a crashed member begins another life."""
REFERENCES = "memberlist's defaults 10.5 s, Akka 5 s, Orleans 15 s, by formula"


class Crash:
    """One crash, and when each other member declared it failed."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.known: dict[str, float] = {}


def crash_many(
    config: MembershipConfig, count: int, seed: int, *, members: int = 0, slower: float = 1.0
) -> list[Crash]:
    """Crashes members, one after the other; each begins another life afterwards.

    Args:
        members: how many there are; by default `MEMBERS`.
        slower: how much more time there is between them.
    """
    crashes: list[Crash] = []
    last: dict[str, Crash] = {}
    down: list[tuple[float, str]] = []

    def notice(at: float, by: str, change: Notify) -> None:
        crash = last.get(change.word.node)
        if change.kind is ChangeKind.FAILED and crash is not None:
            crash.known.setdefault(by, at)

    fleet = Fleet(members or MEMBERS, config, seed, notice)
    fleet.run(10.0 * config.period_s)
    for _ in range(count):
        victim = fleet.rng.choice([name for name in fleet.names if fleet.hosts[name].machine is not None])
        fleet.run(APART_S * slower * (0.5 + fleet.rng.random()))
        while down and down[0][0] <= fleet.now:
            name = down.pop(0)[1]
            del last[name]
            fleet.restart(name)
        fleet.crash(victim)
        crash = last[victim] = Crash(fleet.now)
        crashes.append(crash)
        down.append((fleet.now + DOWN_S * slower, victim))
    fleet.run(DOWN_S * slower)
    return crashes


def firsts(crashes: Sequence[Crash]) -> list[float]:
    """Seconds from each crash to the first verdict; infinite where there was none."""
    return [min(crash.known.values(), default=float("inf")) - crash.at for crash in crashes]


def followers(crashes: Sequence[Crash]) -> list[float]:
    """Seconds from the first verdict on a crash to that of each further member."""
    return [at - min(crash.known.values()) for crash in crashes for at in sorted(crash.known.values())[1:]]


def completed(crashes: Sequence[Crash]) -> list[float]:
    """Seconds from the first verdict on a crash to the last."""
    return [max(crash.known.values()) - min(crash.known.values()) for crash in crashes if crash.known]


def run(asked: Asked) -> list[Line]:
    """Ours, and memberlist's knobs on the same network."""
    count = asked.count(2_000, 20)
    asked.told(f"{count} crashes among {MEMBERS}")
    crashes = crash_many(local(), count, asked.seed)
    ours, after, last = firsts(crashes), followers(crashes), completed(crashes)
    asked.told("the same with memberlist's default knobs")
    theirs = firsts(crash_many(lan(), asked.count(150, 4), asked.seed, slower=5.0))
    missing = sum(MEMBERS - 1 - len(crash.known) for crash in crashes)
    formula = local().expected_detection_s(MEMBERS)
    return [
        Line(title="crashes", value=len(crashes), least=asked.count(2_000, 1)),
        Line(title="first verdict, median", value=median(ours), unit="s", most=2.0, reference=REFERENCES),
        Line(title="first verdict, p99.9", value=quantile(ours, 0.999), unit="s", most=4.0),
        Line(title="first verdict, slowest", value=max(ours), unit="s", reference=f"{formula:.2f} s by our formula"),
        Line(
            title="memberlist's default knobs (period 1 s, alpha 4), median",
            value=median(theirs),
            unit="s",
            reference=f"{lan().expected_detection_s(MEMBERS):.2f} s by formula; {len(theirs)} crashes",
        ),
        Line(
            title="another member knows, after the first: median",
            value=quantile(after, 0.5),
            unit="s",
            most=0.5,
            reference="gossip at 128: 1.2 s",
        ),
        Line(title="another member knows, after the first: p99", value=quantile(after, 0.99), unit="s"),
        Line(title="every member knows, after the first: median", value=quantile(last, 0.5), unit="s", most=0.5),
        Line(
            title="every member knows, after the first: p99",
            value=quantile(last, 0.99),
            unit="s",
            reference="gossip at 128: 1.4 s",
        ),
        Line(title="members that were down themselves, or never knew", value=missing, reference="4 or so a crash"),
    ]


FIGURE = Figure(
    name="crashes",
    title="A crash is declared",
    method=f"{MEMBERS} simulated members, latency 0.5 to 2 ms, preset local(); one crashes each {APART_S} s or so, and "
    f"is back in another life after {DOWN_S} s. Taken: the first FAILED, and the others'.",
    run=run,
)
