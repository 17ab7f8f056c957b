"""How a run ended: the table of faults, and whether the answer is the plain loop's. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .answer import Comparison
from .outcome import Outcome
from .timeline import Timeline, What

COLUMNS = (
    "fault",
    "done to",
    "detected",
    "agreed",
    "recovered",
    "back",
    "records replayed",
    "false alarms",
    "healed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a run ended.

    Attributes:
        about: what was run, for people.
        elapsed_s: how long it took.
        timeline: what happened.
        outcomes: what became of each fault.
        answer: against the plain loop.
        unverified: results that too few others have found right.
        calm_alarms: nodes that were blamed before the first fault.
        problems: what else went wrong.
    """

    about: str
    elapsed_s: float
    timeline: Timeline
    outcomes: Sequence[Outcome]
    answer: Comparison
    unverified: int = 0
    calm_alarms: int = 0
    problems: Sequence[str] = field(default_factory=tuple[str, ...])

    @property
    def ok(self) -> bool:
        """Every fault was healed and the answer is equal."""
        healed = all(outcome.healed for outcome in self.outcomes)
        return healed and self.answer.ok and not (self.unverified or self.problems)

    @property
    def records_per_s(self) -> float:
        """Records committed a second, from the first commit to the last: what is dealt, unless that is too much."""
        commits = [event for event in self.timeline.events if event.what is What.COMMITTED]
        seconds = commits[-1].at_s - commits[0].at_s if commits else 0.0
        return sum(event.records for event in commits[1:]) / seconds if seconds > 0 else 0.0

    def sentences(self) -> list[str]:
        """The end of the story, for people."""
        answer = self.answer
        found = [
            f"{answer.equal:,} of {answer.records:,} scores are those of a plain loop, bit for bit; "
            f"{answer.differing:,} differ, {answer.lost:,} are lost, {answer.twice:,} were counted twice"
        ]
        if self.unverified:
            found.append(f"{self.unverified:,} batches have not been verified")
        if self.calm_alarms:
            found.append(f"{self.calm_alarms} agents were blamed before there was a fault")
        blamed = [(outcome.fault.kind, sentence) for outcome in self.outcomes for sentence in outcome.blamed]
        found += [f"blamed for nothing, after {kind}: {sentence}" for kind, sentence in blamed]
        return [*found, *self.problems]

    def as_json(self) -> dict[str, Any]:
        """The same, for programs."""
        return {
            "ok": self.ok,
            "about": self.about,
            "elapsed_s": round(self.elapsed_s, 3),
            "faults": [_fault(outcome) for outcome in self.outcomes],
            "records": self.answer.records,
            "records_per_s": round(self.records_per_s, 1),
            "equal": int(self.answer.equal),
            "differing": int(self.answer.differing),
            "lost": self.answer.lost,
            "twice": self.answer.twice,
            "unverified": self.unverified,
            "problems": self.sentences()[1:],
        }


def cells(outcome: Outcome) -> tuple[str, ...]:
    """A row of the table, by `COLUMNS`."""
    fault = outcome.fault
    return (
        fault.kind,
        ", ".join(fault.victims),
        _seconds(outcome.detect_s),
        "" if fault.kind == "broker" else _seconds(outcome.agree_s),
        _seconds(outcome.recover_s),
        _seconds(outcome.return_s),
        f"{outcome.replayed:,}",
        str(outcome.false_alarms),
        "yes" if outcome.healed else "NO",
    )


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f} s"


def _fault(outcome: Outcome) -> dict[str, Any]:
    return {
        "kind": outcome.fault.kind,
        "victims": list(outcome.fault.victims),
        "shards": list(outcome.fault.shards),
        "at_s": round(outcome.fault.at_s, 3),
        "detect_s": outcome.detect_s,
        "agree_s": outcome.agree_s,
        "recover_s": outcome.recover_s,
        "return_s": outcome.return_s,
        "replayed": outcome.replayed,
        "false_alarms": outcome.false_alarms,
        "framed": outcome.framed,
        "fenced": outcome.fenced,
        "blamed": list(outcome.blamed),
        "leases_lost": outcome.leases_lost,
        "each_s": dict(outcome.each_s),
        "healed": outcome.healed,
    }
