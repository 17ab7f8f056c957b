"""What held a load test back: the generators, the agents, the server, or nothing. Pure.

A generator that can't keep its schedule measures itself. It is told from the signs: the schedule fell behind, or was
late, while the generator's processor was full or its event loop slow. A generator that was behind because it had to
wait, for the wire or for answers, was held back by what it tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .settings import Settings

FULL = 0.9
"""A process that uses that much of a processor has none to spare."""
SLOW_LOOP_S = 0.02
"""An event loop this late, at the 99th percentile, delays what is measured."""
LATE_S = 0.01
"""A schedule this late, at the 99th percentile, is not kept."""
KEPT = 0.99
"""The share of the schedule that must have been sent."""
WAITING = 0.2
"""The share of the time that makes waiting the reason for being behind."""

Who = Literal["nothing", "generator", "agents", "server"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorStrain:
    """How hard one generator worked.

    Attributes:
        processor: share of one processor.
        loop_lag_s, send_lag_s: 99th percentiles; how late the event loop, and how late messages were sent.
        waited_s: of `took_s`, spent waiting for the wire or for answers.
    """

    processor: float
    loop_lag_s: float
    send_lag_s: float
    waited_s: float
    took_s: float

    @property
    def full(self) -> bool:
        """Whether it had no time to spare: of its own, or because the machine gave it none."""
        return self.processor >= FULL or self.loop_lag_s >= SLOW_LOOP_S

    @property
    def waiting(self) -> bool:
        """Whether it spent much of its time waiting."""
        return self.waited_s >= WAITING * self.took_s


@dataclass(frozen=True, slots=True)
class TargetStrain:
    """How hard one process of agents worked."""

    processor: float
    loop_lag_s: float


@dataclass(frozen=True, slots=True)
class Limit:
    """What held the test back, and the signs of it."""

    who: Who
    text: str


def judge(
    settings: Settings, due: int, sent: int, generators: Sequence[GeneratorStrain], targets: Sequence[TargetStrain]
) -> Limit:
    """Says what held a test back."""
    late_s = max(one.send_lag_s for one in generators)
    behind = bool(settings.rate) and (sent < KEPT * due or late_s > LATE_S)
    full = [one for one in generators if one.full]
    waiting = [one for one in generators if one.waiting]
    busiest = max(one.processor for one in targets)
    signs = (
        f"sent {sent} of {due} due, the 1% latest {late_s * 1e3:.1f} ms late or more; generators used up to "
        f"{max(one.processor for one in generators):.0%} of a processor, their event loops were up to "
        f"{max(one.loop_lag_s for one in generators) * 1e3:.1f} ms late (p99), and they waited "
        f"{max(one.waited_s for one in generators):.1f} s at most; agents' processes used up to {busiest:.0%}"
    )
    if settings.rate and not behind:
        spare = "; the agents' processes were near their limit" if busiest >= FULL else ""
        return Limit("nothing", f"The schedule was kept: the latencies are the system's{spare}. ({signs})")
    if not waiting and (full or settings.rate):
        shared = "; generator, agents and broker share one process" if settings.together else ""
        measured = "what was measured is the generator" if settings.rate else "the server may take more"
        remedy = (
            "use --processes, a lower --rate, or a faster machine"
            if any(one.processor >= FULL for one in generators)
            else "it was held up though its own processor was not full: free the machine of other work"
        )
        text = f"The generator, not the server, was the limit{shared}: {measured}: {remedy}. ({signs})"
        return Limit("generator", text)
    if busiest >= FULL:
        return Limit("agents", f"The agents' processes were the limit: use --processes, or lighter agents. ({signs})")
    what = "round trips to the server" if settings.pattern != "publish" else "the wire to the server"
    return Limit("server", f"Neither generators nor agents were full: {what} set the pace. ({signs})")
