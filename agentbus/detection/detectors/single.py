"""What the detectors of one number have in common: odd numbers, and the state as a row of floats."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import deepcopy
from math import isnan
from typing import ClassVar

from .codec import Reader, Writer
from .model import SnapshotInvalid, Value, number

HUGE = 1e150
"""Numbers are cut to this size, infinity too: their squares are finite."""
WARM = 24
"""Records that a detector learns from before it scores anything above 0."""


class Single(ABC):
    """A detector that scores one number a record. NaN is no reading: it scores 0 and nothing is learned."""

    NAME: str
    VERSION: ClassVar[int] = 1

    def score(self, timestamp_s: float, value: Value, /) -> float:
        """See `Detector.score`."""
        x = value if isinstance(value, float) else number(value)
        if not -HUGE < x < HUGE:
            if isnan(x):
                return 0.0
            x = min(HUGE, max(-HUGE, x))
        return self.next(timestamp_s, x)

    @abstractmethod
    def next(self, timestamp_s: float, x: float) -> float:
        """Scores and learns a number between ``-HUGE`` and ``HUGE``."""

    @abstractmethod
    def settings(self) -> Sequence[float]:
        """What it was made with. A snapshot is restored by a detector with the same settings only."""

    @abstractmethod
    def state(self) -> Sequence[float]:
        """All that was learned."""

    @abstractmethod
    def become(self, state: Sequence[float]) -> None:
        """Takes what `state` gave. Raises `ValueError` when it can't be that, and is of no use then."""

    def snapshot(self) -> bytes:
        """See `Detector.snapshot`."""
        out = Writer(self.NAME, self.VERSION)
        out.reals(self.settings())
        out.reals(self.state())
        return out.done()

    def restore(self, snapshot: bytes, /) -> None:
        """See `Detector.restore`."""
        source = Reader(snapshot, self.NAME, self.VERSION)
        settings, state = source.reals(), source.reals()
        source.done()
        if settings != list(self.settings()):
            raise SnapshotInvalid(
                f"a snapshot of {self.NAME!r} made with {settings}, not {list(self.settings())}: "
                "restore it with a detector made so"
            )
        fresh = deepcopy(self)
        try:
            fresh.become(state)
        except (ValueError, OverflowError):
            raise SnapshotInvalid(f"a snapshot of {self.NAME!r} of the wrong size: use an earlier one") from None
        vars(self).update(vars(fresh))
