"""Any of river's anomaly models, by the road that needs no knowledge of its inside: replay from the start.

Such a model's snapshot holds no state but how many records it has seen, and their digest. Restored, it wants to be
given these records again, from the first (`RiverModel.owed` says how many are left); they must be the same. What must
be taken up quickly, or has a long past, is better served by half-space trees, whose state has a codec (`trees`).

Reference: J. Montiel et al., "River: machine learning for streaming data in Python", JMLR 22, 2021.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from .codec import Reader, Writer
from .model import ExtraMissing, SnapshotInvalid, Value, number


class AnomalyModel(Protocol):
    """What river's anomaly models have in common."""

    score_one: Callable[..., float]
    """How abnormal a record is, in the model's own measure."""
    learn_one: Callable[..., None]


class RiverModel:
    """A model of river's. Equal calls of `make` must give equal models: a model with a seed gets it there.

    Args:
        name: what the snapshot calls it.
        make: makes an untaught model.
        one_number: it is one of river's models of a number, given as the target (`SupervisedAnomalyDetector`).

    The model's score is cut to 0 to 1. A record with a NaN or an infinity scores 0 and is not learned.
    """

    VERSION = 1

    def __init__(self, name: str, make: Callable[[], AnomalyModel], *, one_number: bool = False) -> None:
        self.name = name
        self._make = make
        self._one_number = one_number
        self._begin(0, b"")

    def _begin(self, owed: int, digest: bytes) -> None:
        self._model = self._make()
        self._seen = 0
        self._digest = hashlib.sha256()
        self._owed = owed
        self._expected = digest

    @property
    def owed(self) -> int:
        """Records of the replay that are still to be given, after a `restore`; 0: it is where it was."""
        return max(0, self._owed - self._seen)

    def score(self, timestamp_s: float, value: Value, /) -> float:
        """See `Detector.score`.

        Raises:
            SnapshotInvalid: the last record of a replay was given, and they were others than those of the snapshot.
        """
        record = _mapping(number(value) if self._one_number else value)
        spelled = "\n".join(record).encode() + struct.pack(f"<{len(record)}d", *record.values())
        self._digest.update(spelled)
        self._seen += 1
        if self._seen == self._owed and self._digest.digest() != self._expected:
            raise SnapshotInvalid(
                f"the {self._owed} records that {self.name!r} was given again are not those it had seen: "
                "replay the same stream from its first record, or begin anew"
            )
        if not all(map(math.isfinite, record.values())):
            return 0.0
        taken = (None, *record.values()) if self._one_number else (record,)
        score = float(self._model.score_one(*taken))
        self._model.learn_one(*taken)
        return 0.0 if math.isnan(score) else min(1.0, max(0.0, score))

    def snapshot(self) -> bytes:
        """See `Detector.snapshot`. Of no use before a replay is complete: it raises `SnapshotInvalid` then."""
        if self.owed:
            raise SnapshotInvalid(f"{self.name!r} is owed {self.owed} records of a replay: give it them first")
        out = Writer(self.name, self.VERSION)
        out.whole(self._seen)
        out.raw(self._digest.digest())
        return out.done()

    def restore(self, snapshot: bytes, /) -> None:
        """See `Detector.restore`: then the records from the start, as many as `owed` says."""
        source = Reader(snapshot, self.name, self.VERSION)
        seen, digest = source.whole(), source.raw()
        source.done()
        self._begin(seen, digest)


def _mapping(value: Value) -> dict[str, float]:
    if isinstance(value, Mapping):
        return {name: float(value[name]) for name in sorted(value)}
    values = value if isinstance(value, Sequence) else (value,)
    return {str(place): float(x) for place, x in enumerate(values)}


def gaussian() -> RiverModel:
    """River's `GaussianScorer`: how far out in the normal distribution of all values so far. One number a record."""
    scorer = _river().GaussianScorer
    return RiverModel("river-gaussian", lambda: scorer(grace_period=100), one_number=True)


def _river() -> Any:
    try:
        from river import anomaly
    except ImportError:
        raise ExtraMissing(
            "this detector is a model of river's, which is not installed: pip install 'agentbus-network[detection]'"
        ) from None
    return anomaly
