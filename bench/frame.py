"""The frame of a comparison: sides measured in turn, round after round, and what that says.

A `Figure` has sides and comparisons of them. In each round every side runs once, one right after the other, and each
round begins with the side after the one that began the last, so that a drift of the machine falls on all. A
comparison's ratio is taken within a round; told are the median, the least and the greatest of the rounds.

Invariant: a side that fails ends its figure with the reason; other figures go on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from .processes import ChildFailed

Better = Literal["more", "less"]
Measures = Mapping[str, float]
"""What one run of one side measured, by name. ``lost`` counts messages that never arrived."""


class NotInstalled(Exception):
    """A peer's package is missing. The text says how to install it."""


@dataclass(slots=True)
class Ground:
    """Where figures are measured.

    Attributes:
        url: of the nats-server that all share.
        quick: a smoke test: few messages.
        peers: the interpreter that has a distribution; raises `NotInstalled`.
    """

    url: str
    quick: bool
    peers: Callable[[str], str]
    _made: int = 0

    def fresh(self, kind: str) -> str:
        """A name that nobody has used on this server."""
        self._made += 1
        return f"{kind}-{self._made}"

    def count(self, full: int, quick: int) -> int:
        """How many messages: `quick` of them in a smoke test."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Side:
    """One of the things compared: measured by `run`, once a round."""

    name: str
    run: Callable[[Ground], Awaitable[Measures]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One line of the result.

    Attributes:
        title: what is compared.
        measure: its name among what the sides measure.
        unit: of the measure.
        ours: the side that is ours.
        theirs: the other side; empty to hold our measure itself against the bar.
        better: whether more is better, or less.
        bar: what the ratio, or the measure, must reach; None to tell only.
        hoped: what it would be good to reach.
    """

    title: str
    measure: str
    unit: str
    ours: str
    theirs: str = ""
    better: Better = "more"
    bar: float | None = None
    hoped: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What is measured together. `method` says how, for whoever doubts it."""

    name: str
    title: str
    method: str
    sides: tuple[Side, ...]
    comparisons: tuple[Comparison, ...]
    rounds: int = 5


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of the rounds."""

    median: float
    least: float
    greatest: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(median(values), min(values), max(values), len(values))


Verdict = Literal["hoped", "met", "missed", "told", "lost", "not installed", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A comparison and how it came out.

    Attributes:
        ratio: ours to theirs; None without another side, or without a result.
        ours, theirs: the measures.
        verdict: ``told`` for a comparison without a bar, ``lost`` when messages of ours did not arrive.
        why: what is to be known of it; empty when nothing is.
    """

    comparison: Comparison
    ratio: Spread | None = None
    ours: Spread | None = None
    theirs: Spread | None = None
    verdict: Verdict
    why: str = ""

    @property
    def judged(self) -> Spread | None:
        """What is held against the bar."""
        return self.ratio if self.comparison.theirs else self.ours


@dataclass(slots=True)
class Outcome:
    """A figure and how it came out."""

    figure: Figure
    rows: list[Row] = field(default_factory=list[Row])
    runs: dict[str, list[Measures]] = field(default_factory=dict[str, list[Measures]])
    problems: dict[str, tuple[Verdict, str]] = field(default_factory=dict[str, tuple[Verdict, str]])


async def measure(
    figure: Figure, ground: Ground, rounds: int, told: Callable[[str], None] = lambda text: None
) -> Outcome:
    """Runs a figure's rounds. A side that fails is not run again.

    Args:
        told: called with what is about to happen.
    """
    outcome = Outcome(figure, runs={side.name: [] for side in figure.sides})
    for number in range(rounds):
        first = number % len(figure.sides)
        for side in (*figure.sides[first:], *figure.sides[:first]):
            if side.name in outcome.problems:
                continue
            told(f"{figure.name}: {side.name}, round {number + 1} of {rounds}")
            try:
                outcome.runs[side.name].append(await side.run(ground))
            except NotInstalled as missing:
                outcome.problems[side.name] = ("not installed", str(missing))
            except (ChildFailed, OSError, TimeoutError, RuntimeError, ExceptionGroup) as error:
                outcome.problems[side.name] = ("failed", f"{side.name}: {type(error).__name__}: {error}")
    outcome.rows = [judge(comparison, outcome) for comparison in figure.comparisons]
    return outcome


def judge(comparison: Comparison, outcome: Outcome) -> Row:
    """What the rounds say of a comparison. Pure."""
    for side in (comparison.ours, comparison.theirs):
        if side in outcome.problems:
            verdict, why = outcome.problems[side]
            mine = _values(outcome, comparison.ours, comparison.measure)
            return Row(comparison=comparison, ours=Spread.of(mine) if mine else None, verdict=verdict, why=why)
    mine = _values(outcome, comparison.ours, comparison.measure)
    other = _values(outcome, comparison.theirs, comparison.measure) if comparison.theirs else []
    if not mine or (comparison.theirs and len(other) != len(mine)):
        return Row(comparison=comparison, verdict="failed", why="no rounds")
    ratio = Spread.of([ours / theirs for ours, theirs in zip(mine, other, strict=True)]) if other else None
    lost = {side: int(sum(_values(outcome, side, "lost"))) for side in (comparison.ours, comparison.theirs) if side}
    judged = ratio.median if ratio else median(mine)
    return Row(
        comparison=comparison,
        ratio=ratio,
        ours=Spread.of(mine),
        theirs=Spread.of(other) if other else None,
        verdict="lost" if lost[comparison.ours] else verdict_of(judged, comparison),
        why="; ".join(f"{side} lost {count} messages" for side, count in lost.items() if count),
    )


def verdict_of(value: float, comparison: Comparison) -> Verdict:
    """Whether a value reaches the bar, and what is hoped."""

    def reaches(mark: float) -> bool:
        return value >= mark if comparison.better == "more" else value <= mark

    if comparison.bar is None:
        return "told"
    if not reaches(comparison.bar):
        return "missed"
    return "hoped" if comparison.hoped is not None and reaches(comparison.hoped) else "met"


def _values(outcome: Outcome, side: str, measure: str) -> list[float]:
    return [run[measure] for run in outcome.runs.get(side, ()) if measure in run]
