"""Streaming detectors: each scores a record, then learns it, and can be carried elsewhere as bytes.

    detector = make("default")
    score = detector.score(timestamp_s, value)      # 0 as expected, to 1
    elsewhere.restore(detector.snapshot())

`model` says what a detector is and promises, `catalog` which there are.
"""

from __future__ import annotations

from .catalog import DETECTORS, make
from .entropy import RelativeEntropy
from .ewma import ZScore
from .model import BadRecord, Detector, ExtraMissing, SnapshotInvalid, UnknownDetector, Value
from .ranges import DayOutOfRange, MeanOutOfRange, OutOfRange
from .river_models import RiverModel
from .together import EachValue, Together, best, default
from .trees import HalfSpaceTrees

__all__ = [
    "DETECTORS",
    "BadRecord",
    "DayOutOfRange",
    "Detector",
    "EachValue",
    "ExtraMissing",
    "HalfSpaceTrees",
    "MeanOutOfRange",
    "OutOfRange",
    "RelativeEntropy",
    "RiverModel",
    "SnapshotInvalid",
    "Together",
    "UnknownDetector",
    "Value",
    "ZScore",
    "best",
    "default",
    "make",
]
