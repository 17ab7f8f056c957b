"""What is known of many numbers without keeping them: count, sum, mean, variance, extrema and quantiles. Mergeable.

Two summaries merged are the summary of both sets, exactly; a summary times a factor is that of so many copies. So
summaries can be added and halved, which is all that gossip does with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isfinite, nan, sqrt

from ..errors import ConfigurationError
from .bins import Bins


class Summary:
    """A summary of numbers.

    Args:
        values: the first ones.
        bins: where quantiles are counted; None: quantiles are not asked for.

    Attributes:
        count: how many. A real number in an estimate.
        total: their sum.
        squares: the sum of their squares.
        minimum, maximum: infinite while there is none.
        masses: how many in each bin.
    """

    __slots__ = ("bins", "count", "masses", "maximum", "minimum", "squares", "total")

    def __init__(self, values: Iterable[float] = (), *, bins: Bins | None = None) -> None:
        self.bins = bins
        self.count = 0.0
        self.total = 0.0
        self.squares = 0.0
        self.minimum = inf
        self.maximum = -inf
        self.masses: dict[int, float] = {}
        for value in values:
            self.add(value)

    def __repr__(self) -> str:
        return f"<Summary of {self.count:g}: mean {self.mean:g}, deviation {self.deviation:g}>"

    # -- taking in -------------------------------------------------------------------------------------------------

    def add(self, value: float) -> None:
        """Takes one number in. Raises `ValueError` for one that is not finite."""
        if not isfinite(value):
            raise ValueError(f"a summary takes finite numbers, not {value!r}")
        self.count += 1.0
        self.total += value
        self.squares += value * value
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)
        if self.bins is not None:
            index = self.bins.index(value)
            self.masses[index] = self.masses.get(index, 0.0) + 1.0

    def merge(self, other: Summary) -> None:
        """Takes all of another in. Raises `ConfigurationError` when it has other bins."""
        if self.bins != other.bins:
            raise ConfigurationError(f"summaries with bins {self.bins} and {other.bins} can't be merged: use the same")
        self.count += other.count
        self.total += other.total
        self.squares += other.squares
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        for index, mass in other.masses.items():
            self.masses[index] = self.masses.get(index, 0.0) + mass

    # -- asked -----------------------------------------------------------------------------------------------------

    @property
    def mean(self) -> float:
        """The mean; NaN when there is nothing."""
        return self.total / self.count if self.count > 0.0 else nan

    @property
    def variance(self) -> float:
        """The population's variance; NaN when there is nothing. Its error grows with the square of the mean: take a
        constant off values whose mean is a thousand times their deviation."""
        return max(0.0, self.squares / self.count - self.mean**2) if self.count > 0.0 else nan

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return sqrt(self.variance)

    def quantile(self, share: float) -> float:
        """The value below which `share` of the numbers lie; NaN when there is nothing.

        It is in the bin of the true one: off by a bin's width at most. Within a bin, numbers count as evenly spread.

        Raises:
            ConfigurationError: there are no bins, or `share` is not from 0 to 1.
        """
        if self.bins is None:
            raise ConfigurationError("no quantiles without bins: Summary(bins=Relative(0.01)), or Absolute(1 / 1024)")
        if not 0.0 <= share <= 1.0:
            raise ConfigurationError(f"quantile({share!r}): write a share from 0 to 1")
        filled = sorted((index, mass) for index, mass in self.masses.items() if mass > 0.0)
        left = share * sum(mass for _, mass in filled)
        for place, (index, mass) in enumerate(filled):
            if left <= mass or place + 1 == len(filled):
                low, high = self.bins.bounds(index)
                value = low + (high - low) * min(1.0, left / mass)
                return min(max(value, self.minimum), self.maximum)
            left -= mass
        return nan
