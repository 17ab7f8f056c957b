"""Out of the range seen so far: of the values, of their running mean, of their distance from the usual at this time.

A value that lies ``e`` beyond a range of width ``w`` scores ``e / (e + TOLERANCE * w)``: 1/2 at the 5% of which the
Numenta benchmark's own detector makes a "spatial anomaly" (Ahmad et al., "Unsupervised real-time anomaly detection for
streaming data", Neurocomputing 262, 2017), more beyond, and 0 inside. The range then includes it. Of n records in
random order about ``2 ln n`` lie out of the range of those before them (Renyi 1962), so alarms grow rare by themselves,
on any scale and for any distribution; and what a single value does not show, a view of several may: see `best`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import isnan

from .single import WARM, Single

TOLERANCE = 0.05
SPAN = 24
"""Records that a running mean spans: the weight of the newest is ``2 / (SPAN + 1)``."""
DAY_S = 86_400.0
BIN_S = 300.0
"""Seconds of the day that share one usual value."""
LEARN = 0.2
"""What the usual value takes from each new day."""


class OutOfRange(Single):
    """The values themselves."""

    NAME = "range"

    def __init__(self) -> None:
        self._seen = 0
        self._low = self._high = 0.0

    def next(self, timestamp_s: float, x: float) -> float:
        """See `Single.next`."""
        seen = self._seen
        self._seen = seen + 1
        low, high = self._low, self._high
        if not seen:
            self._low = self._high = x
            return 0.0
        if x > high:
            beyond = x - high
            self._high = x
        elif x < low:
            beyond = low - x
            self._low = x
        else:
            return 0.0
        return beyond / (beyond + TOLERANCE * (high - low)) if seen >= WARM else 0.0

    def settings(self) -> Sequence[float]:
        """See `Single.settings`."""
        return ()

    def state(self) -> Sequence[float]:
        """See `Single.state`."""
        return (self._seen, self._low, self._high)

    def become(self, state: Sequence[float]) -> None:
        """See `Single.become`."""
        seen, low, high = state
        self._seen, self._low, self._high = int(seen), low, high


class MeanOutOfRange(Single):
    """Their exponentially weighted mean: a small change that lasts."""

    NAME = "mean-range"

    def __init__(self, span: int = SPAN) -> None:
        self._span = span
        self._weight = 2.0 / (span + 1)
        self._mean = math.nan
        self._range = OutOfRange()

    def next(self, timestamp_s: float, x: float) -> float:
        """See `Single.next`."""
        mean = self._mean
        self._mean = mean = x if isnan(mean) else mean + self._weight * (x - mean)
        return self._range.next(timestamp_s, mean)

    def settings(self) -> Sequence[float]:
        """See `Single.settings`."""
        return (self._span,)

    def state(self) -> Sequence[float]:
        """See `Single.state`."""
        return (self._mean, *self._range.state())

    def become(self, state: Sequence[float]) -> None:
        """See `Single.become`."""
        mean, seen, low, high = state
        self._mean = mean
        self._range.become((seen, low, high))


class DayOutOfRange(Single):
    """The mean distance from what is usual at this time of the day: a value that is ordinary, but not now.

    Each `BIN_S` of the day has a usual value: of the mean of each visit, days apart, it takes the share `LEARN`. Before
    a time of the day has come again there is nothing to compare with, and the score is 0. A stream of one record a day,
    or slower, has no shape of the day.
    """

    NAME = "day-range"
    BINS = int(DAY_S / BIN_S)

    def __init__(self, span: int = SPAN) -> None:
        self._distance = MeanOutOfRange(span)
        self._usual = [math.nan] * self.BINS
        self._bin = -1
        self._sum = 0.0
        self._count = 0

    def next(self, timestamp_s: float, x: float) -> float:
        """See `Single.next`."""
        if not -math.inf < timestamp_s < math.inf:
            return 0.0
        now = int(timestamp_s % DAY_S / BIN_S) % self.BINS
        if now != self._bin:
            self._leave(now)
        self._sum += x
        self._count += 1
        usual = self._usual[now]
        return 0.0 if isnan(usual) else self._distance.next(timestamp_s, abs(x - usual))

    def _leave(self, now: int) -> None:
        """A visit to a time of the day is over: what was usual then takes its share of it."""
        if self._count:
            mean, usual = self._sum / self._count, self._usual[self._bin]
            self._usual[self._bin] = mean if isnan(usual) else usual + LEARN * (mean - usual)
        self._bin, self._sum, self._count = now, 0.0, 0

    def settings(self) -> Sequence[float]:
        """See `Single.settings`."""
        return self._distance.settings()

    def state(self) -> Sequence[float]:
        """See `Single.state`."""
        return (self._bin, self._sum, self._count, *self._distance.state(), *self._usual)

    def become(self, state: Sequence[float]) -> None:
        """See `Single.become`."""
        now, total, count, mean, seen, low, high, *usual = state
        if len(usual) != self.BINS or not -1 <= now < self.BINS:
            raise ValueError("not a state of this detector")
        self._bin, self._sum, self._count, self._usual = int(now), total, int(count), usual
        self._distance.become((mean, seen, low, high))
