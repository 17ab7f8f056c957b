"""The exponentially weighted z-score: how many standard deviations from the mean, both of the recent past.

``z = (x - mean) / sd`` scores ``z**2 / (z**2 + HALF**2)``: 1/2 at `HALF` standard deviations. The mean and the variance
forget by `WEIGHT` a record; in the beginning all records count the same, so that the first ones weigh no more than
others. References: S. W. Roberts, "Control chart tests based on geometric moving averages", Technometrics 1, 1959; the
variance's recurrence: T. Finch, "Incremental calculation of weighted mean and variance", 2009.
"""

from __future__ import annotations

from collections.abc import Sequence

from .single import WARM, Single

WEIGHT = 0.01
HALF = 14.0
_HALF_SQUARED = HALF * HALF


class ZScore(Single):
    """Exponentially weighted z-score. `weight`: of the newest record, above 0, below 1."""

    NAME = "ewma"

    def __init__(self, weight: float = WEIGHT) -> None:
        self._weight = weight
        self._seen = 0
        self._mean = self._variance = 0.0

    def next(self, timestamp_s: float, x: float) -> float:
        """See `Single.next`."""
        seen = self._seen
        self._seen = seen + 1
        weight = self._weight
        if weight * (seen + 1) < 1.0:
            weight = 1.0 / (seen + 1)
        away = x - self._mean
        squared = away * away
        score = squared / (squared + _HALF_SQUARED * self._variance) if squared and seen >= WARM else 0.0
        self._mean += weight * away
        self._variance = (1.0 - weight) * (self._variance + weight * squared)
        return score

    def settings(self) -> Sequence[float]:
        """See `Single.settings`."""
        return (self._weight,)

    def state(self) -> Sequence[float]:
        """See `Single.state`."""
        return (self._seen, self._mean, self._variance)

    def become(self, state: Sequence[float]) -> None:
        """See `Single.become`."""
        seen, mean, variance = state
        self._seen, self._mean, self._variance = int(seen), mean, variance
