"""Several detectors as one: `Together` for one number, `EachValue` for records of several.

Scores are combined as if the detectors were independent witnesses: ``1 - (1 - a)(1 - b)...``. An abnormality is told
when it begins: after a score, the next `quiet` records score 0 unless they are worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from .codec import Reader, Writer
from .ewma import ZScore
from .model import BadRecord, Detector, SnapshotInvalid, Value
from .ranges import DayOutOfRange, MeanOutOfRange, OutOfRange
from .single import Single

QUIET = 200
"""Records."""


class Together(Single):
    """Several detectors of one number.

    Args:
        name: what the snapshot calls it.
        parts: the detectors.
        quiet: records for which nothing is told that is not worse than what was told.
    """

    def __init__(self, name: str, parts: Sequence[Single], quiet: int = QUIET) -> None:
        self.NAME = name
        self._parts = tuple(parts)
        self._quiet = quiet
        self._left = 0
        self._told = 0.0

    def next(self, timestamp_s: float, x: float) -> float:
        """See `Single.next`."""
        expected = 1.0
        for part in self._parts:
            expected *= 1.0 - part.next(timestamp_s, x)
        score = 1.0 - expected
        if self._left:
            self._left -= 1
            if score <= self._told:
                return 0.0
        elif not score:
            return 0.0
        self._told = score
        self._left = self._quiet
        return score

    def settings(self) -> Sequence[float]:
        """See `Single.settings`."""
        return (self._quiet, *(each for part in self._parts for each in part.settings()))

    def state(self) -> Sequence[float]:
        """See `Single.state`. Of each part, how long its state is, and it."""
        states = [part.state() for part in self._parts]
        return (self._left, self._told, *(each for state in states for each in (len(state), *state)))

    def become(self, state: Sequence[float]) -> None:
        """See `Single.become`."""
        left, told, *rest = state
        for part in self._parts:
            length = int(rest[0]) if rest else 0
            part.become(rest[1 : 1 + length])
            rest = rest[1 + length :]
        if rest:
            raise ValueError("more than the state of this detector")
        self._left, self._told = int(left), told


class EachValue:
    """One detector for each value of a record; the greatest score is the record's.

    Args:
        make: makes a detector of one number.
    """

    NAME = "each-value"
    VERSION = 1

    def __init__(self, make: Callable[[], Detector]) -> None:
        self._make = make
        self._names: tuple[str, ...] | None = None
        self._detectors: list[Detector] = []

    def score(self, timestamp_s: float, value: Value, /) -> float:
        """See `Detector.score`. A name that is missing is a NaN."""
        if isinstance(value, Mapping):
            if not self._detectors:
                self._names = tuple(sorted(value))
            if self._names is None or not value.keys() <= set(self._names):
                raise BadRecord(f"a record of {sorted(value)}, after records of {self._names or 'values by place'}")
            value = [value.get(name, math.nan) for name in self._names]
        values = value if isinstance(value, Sequence) else (value,)
        if not self._detectors:
            self._detectors = [self._make() for _ in values]
        if len(values) != len(self._detectors) or not values:
            raise BadRecord(f"a record of {len(values)} values, after records of {len(self._detectors)}")
        return max([each.score(timestamp_s, x) for each, x in zip(self._detectors, values, strict=True)])

    def snapshot(self) -> bytes:
        """See `Detector.snapshot`."""
        out = Writer(self.NAME, self.VERSION)
        out.whole(len(self._detectors), self._names is not None)
        for name in self._names or ():
            out.text(name)
        for each in self._detectors:
            out.raw(each.snapshot())
        return out.done()

    def restore(self, snapshot: bytes, /) -> None:
        """See `Detector.restore`."""
        source = Reader(snapshot, self.NAME, self.VERSION)
        count, named = source.whole(), bool(source.whole())
        if not 0 <= count <= len(snapshot):
            raise SnapshotInvalid("a snapshot of 'each-value' of the wrong size: use an earlier one")
        names = tuple(source.text() for _ in range(count)) if named else None
        detectors: list[Detector] = []
        for _ in range(count):
            detectors.append(self._make())
            detectors[-1].restore(source.raw())
        source.done()
        self._names, self._detectors = names, detectors


def default() -> Together:
    """Out of the range seen, or many standard deviations from the recent mean."""
    return Together("default", (OutOfRange(), ZScore()))


def best() -> Together:
    """Out of the range seen, in any of three views: the value, its recent mean, how far both are from the usual at
    this time of the day."""
    return Together("best", (OutOfRange(), MeanOutOfRange(), DayOutOfRange()))
