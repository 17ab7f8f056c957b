"""Latencies in an HdrHistogram, and what a run looked like second by second.

Reference: http://hdrhistogram.org. Values are whole microseconds from 1, up to an hour, to three digits.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hdrh.histogram import HdrHistogram  # pyright: ignore[reportMissingTypeStubs]

GREATEST_US = 3_600_000_000
DIGITS = 3
PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)
GATHERED = 4096


class Latencies:
    """A histogram. Adding is cheap: what is added is counted by the thousand."""

    def __init__(self) -> None:
        self._histogram: Any = HdrHistogram(1, GREATEST_US, DIGITS)
        self._gathered: list[float] = []

    def add(self, seconds: float) -> None:
        """One latency."""
        self._gathered.append(seconds)
        if len(self._gathered) >= GATHERED:
            self.settle()

    def settle(self) -> None:
        """Moves what was gathered into the histogram."""
        gathered, self._gathered = self._gathered, []
        for value, count in Counter(int(seconds * 1e6) for seconds in gathered).items():
            self._histogram.record_value(min(max(1, value), GREATEST_US), count)

    def encoded(self) -> str:
        """For another process; see `merge`."""
        self.settle()
        return self._histogram.encode().decode()

    def merge(self, encoded: str) -> None:
        """Adds what another has `encoded`."""
        self.settle()
        self._histogram.decode_and_add(encoded.encode())

    @property
    def count(self) -> int:
        """How many."""
        self.settle()
        return int(self._histogram.get_total_count())

    def at(self, percentile: float) -> float:
        """The latency at a percentile, seconds; 0 when there are none."""
        return int(self._histogram.get_value_at_percentile(percentile)) / 1e6 if self.count else 0.0

    def summary(self) -> dict[str, float]:
        """Milliseconds at `PERCENTILES`, and the greatest."""
        told = {f"p{percentile:g}": round(self.at(percentile) * 1e3, 3) for percentile in PERCENTILES}
        return {**told, "max": round(self.at(100.0) * 1e3, 3)}

    def curve(self) -> list[tuple[float, float]]:
        """Percentile and milliseconds, from the median to the last that a single value of this many can show."""
        points: list[tuple[float, float]] = [(0.0, self.at(0.0) * 1e3)]
        left = 1.0
        while left * self.count >= 1 and len(points) < 60:
            points.append((100.0 * (1 - left * 0.75), self.at(100.0 * (1 - left * 0.75)) * 1e3))
            left /= 1.5
        return [*points, (100.0, self.at(100.0) * 1e3)]


class Seconds:
    """Counts by the second since a start."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, since_start_s: float, count: int) -> None:
        """`count` more, at that time."""
        if count:
            self._counts[int(since_start_s)] += count

    def told(self) -> dict[str, int]:
        """For JSON: by second."""
        return {str(second): count for second, count in sorted(self._counts.items())}
