"""Relative entropy: has the distribution of the last values been seen before?

The values of a window fall into bins. Their histogram is compared with those of earlier windows, the hypotheses:
``2 W`` times the relative entropy to one of them is nearly chi-squared when the window is another sample of it. The
score is that distribution's function at the nearest hypothesis. A window that agrees with none (`LEVEL`) becomes a new
one, so what is told once is known then.

Reference: C. Wang, K. Viswanathan, L. Choudur, V. Talwar, W. Satterfield, K. Schwan, "Statistical techniques for online
anomaly detection in data centers", IM 2011, section III-C; with the Numenta benchmark's settings (5 bins, 52 records).
Otherwise than there, nobody tells the range in advance: it grows with the values, and what was counted moves to the new
bins where the middles of the old ones lie.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .single import Single

BINS = 5
WINDOW = 52
LEVEL = 0.99
MOST = 64
"""Hypotheses at most; the oldest goes."""


class RelativeEntropy(Single):
    """Relative entropy of the last `WINDOW` values to windows before."""

    NAME = "entropy"

    def __init__(self) -> None:
        self._low, self._high = math.inf, -math.inf
        self._window: list[float] = []
        self._at = 0
        self._counts = [0] * BINS
        self._hypotheses: list[tuple[int, ...]] = []

    def next(self, timestamp_s: float, x: float) -> float:
        """See `Single.next`."""
        if not self._low <= x <= self._high:
            self._widen(x)
        if len(self._window) < WINDOW:
            self._window.append(x)
        else:
            self._counts[self._bin(self._window[self._at])] -= 1
            self._window[self._at] = x
            self._at = (self._at + 1) % WINDOW
        self._counts[self._bin(x)] += 1
        if len(self._window) < WINDOW:
            return 0.0
        if not self._hypotheses:
            self._hypotheses.append(tuple(self._counts))
            return 0.0
        score = _chi_squared(min(_distance(self._counts, known) for known in self._hypotheses))
        if score > LEVEL:
            self._hypotheses = [*self._hypotheses[-MOST + 1 :], tuple(self._counts)]
        return score

    def _bin(self, x: float) -> int:
        width = self._high - self._low
        return min(BINS - 1, int((x - self._low) / width * BINS)) if width > 0.0 else 0

    def _widen(self, x: float) -> None:
        """The range takes `x` in."""
        low, width = self._low, self._high - self._low
        self._low, self._high = min(self._low, x), max(self._high, x)
        moved = [self._bin(low + (place + 0.5) / BINS * width) for place in range(BINS)] if self._window else []
        for number, known in enumerate(self._hypotheses):
            counts = [0] * BINS
            for place, count in zip(moved, known, strict=True):
                counts[place] += count
            self._hypotheses[number] = tuple(counts)
        self._count()

    def _count(self) -> None:
        self._counts = [0] * BINS
        for x in self._window:
            self._counts[self._bin(x)] += 1

    def settings(self) -> Sequence[float]:
        """See `Single.settings`."""
        return (BINS, WINDOW)

    def state(self) -> Sequence[float]:
        """See `Single.state`."""
        known = [count for counts in self._hypotheses for count in counts]
        return (self._low, self._high, self._at, len(self._window), *self._window, *known)

    def become(self, state: Sequence[float]) -> None:
        """See `Single.become`."""
        low, high, at, length, *rest = state
        window, known = rest[: int(length)], [int(count) for count in rest[int(length) :]]
        if len(window) != length or len(window) > WINDOW or not 0 <= at < WINDOW or len(known) % BINS:
            raise ValueError("not a state of this detector")
        self._low, self._high, self._at, self._window = low, high, int(at), window
        self._hypotheses = [tuple(known[first : first + BINS]) for first in range(0, len(known), BINS)]
        self._count()


def _distance(counts: Sequence[int], known: Sequence[int]) -> float:
    """``2 W`` times the relative entropy: infinite when a value lies where none did."""
    total = 0.0
    for count, expected in zip(counts, known, strict=True):
        if count:
            if not expected:
                return math.inf
            total += count * math.log(count / expected)
    return 2.0 * max(0.0, total)


def _chi_squared(x: float) -> float:
    """The distribution function, for `BINS` - 1 = 4 degrees of freedom."""
    half = x / 2.0
    return 1.0 - math.exp(-half) * (1.0 + half) if half < 700.0 else 1.0
