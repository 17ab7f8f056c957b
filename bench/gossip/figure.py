"""A figure: lines of numbers, some with a bar, each beside what it is to be compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["met", "missed", "told"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One number.

    Attributes:
        title: what it is.
        value: the number; NaN when it could not be had, which misses every bar.
        unit: of the number.
        least, most: the bar; None where there is none. A line without a bar is told only.
        reference: what others have, or theory says.
    """

    title: str
    value: float
    unit: str = ""
    least: float | None = None
    most: float | None = None
    reference: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether it reaches the bar."""
        if self.least is None and self.most is None:
            return "told"
        enough = self.least is None or self.value >= self.least
        within = self.most is None or self.value <= self.most
        return "met" if enough and within else "missed"

    @property
    def bar(self) -> str:
        """The bar, for people."""
        if self.least is not None and self.most is not None:
            return f"{self.least:g} to {self.most:g}"
        if self.least is not None:
            return f">= {self.least:g}"
        return f"<= {self.most:g}" if self.most is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a figure is to be measured.

    Attributes:
        quick: a smoke test, of little worth.
        seed: of all chance.
        minutes: virtual minutes at rest.
        told: called with what is about to happen.
    """

    quick: bool = False
    seed: int = 1
    minutes: float = 30.0
    told: Callable[[str], None] = lambda text: None

    def count(self, full: int, quick: int) -> int:
        """How many: `quick` of them in a smoke test."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What is measured together.

    Attributes:
        name: on the command line.
        title: in the table.
        method: how, for whoever doubts it.
        real: processes, a broker and real time take part; the others are simulated, and the seed decides all.
        run: measures.
    """

    name: str
    title: str
    method: str
    real: bool = False
    run: Callable[[Asked], Sequence[Line]]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed; NaN of none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    place = -(-len(ordered) * share // 1)
    return ordered[max(0, min(len(ordered) - 1, int(place) - 1))]
