"""Where a sketch counts a value: in bins as wide as a share of the value, or all of one width."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log
from typing import Protocol

from ..errors import ConfigurationError

SMALLEST = 1e-9
"""Numbers nearer to zero than this count as zero where bins are relative ..."""
LARGEST = 1e12
"""... and numbers beyond this as this."""


class Bins(Protocol):
    """Numbered intervals, in the order of the numbers; two nodes' bins are the same when their tags are."""

    @property
    def tag(self) -> str:
        """How these bins are written on the wire; `bins_of` reads it."""
        ...

    def index(self, value: float) -> int:
        """The bin of a value."""
        ...

    def bounds(self, index: int) -> tuple[float, float]:
        """Least and greatest value of a bin."""
        ...


@dataclass(frozen=True, slots=True)
class Relative:
    """Bins whose ends differ by a factor of ``1 + error``: for latencies, sizes, counts.

    After C. Masson, J. E. Rim, H. K. Lee, DDSketch, PVLDB 12(12), 2019, section 2. Between `SMALLEST` and `LARGEST`
    there are ``log(LARGEST / SMALLEST) / log(1 + error)`` of them for each sign, 4,859 with an error of 1%; those that
    a fleet's values touch are held and sent.

    Args:
        error: the largest relative error of a quantile.
    """

    error: float

    def __post_init__(self) -> None:
        if not 1e-4 <= self.error <= 1.0:
            raise ConfigurationError(f"bins: Relative({self.error!r}): write a share from 0.0001 to 1, 0.01 say")

    @property
    def tag(self) -> str:
        """``r`` and the error."""
        return f"r{self.error!r}"

    def index(self, value: float) -> int:
        """0 for zero; positive and negative numbers outwards."""
        size = abs(value)
        if size <= SMALLEST:
            return 0
        place = max(1, ceil(log(min(size, LARGEST) / SMALLEST) / log(1.0 + self.error)))
        return place if value > 0 else -place

    def bounds(self, index: int) -> tuple[float, float]:
        """The ends of the bin."""
        if index == 0:
            return -SMALLEST, SMALLEST
        place = abs(index)
        low = SMALLEST * (1.0 + self.error) ** (place - 1)
        high = low * (1.0 + self.error)
        return (low, high) if index > 0 else (-high, -low)


@dataclass(frozen=True, slots=True)
class Absolute:
    """Bins of one width: for scores, shares, and other values of a known range.

    Args:
        width: the largest error of a quantile, in the unit of the values.
    """

    width: float

    def __post_init__(self) -> None:
        if not 0.0 < self.width < LARGEST:
            raise ConfigurationError(f"bins: Absolute({self.width!r}): write a width above 0, 1/1024 for scores say")

    @property
    def tag(self) -> str:
        """``a`` and the width."""
        return f"a{self.width!r}"

    def index(self, value: float) -> int:
        """The bin that begins at ``index * width``; the outermost hold what lies beyond."""
        return min(max(floor(value / self.width), -(1 << 30)), 1 << 30)

    def bounds(self, index: int) -> tuple[float, float]:
        """The ends of the bin."""
        return index * self.width, (index + 1) * self.width


def bins_of(tag: str) -> Bins | None:
    """The bins of a tag; None for the empty one, and for one that makes no sense."""
    kind = {"r": Relative, "a": Absolute}.get(tag[:1])
    try:
        return kind(float(tag[1:])) if kind is not None else None
    except ValueError:
        return None
    except ConfigurationError:
        return None
