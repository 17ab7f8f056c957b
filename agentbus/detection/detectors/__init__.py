"""Streaming detectors: each scores a record, then learns it, and can be carried elsewhere as bytes (see `model`)."""

from __future__ import annotations

from .model import BadRecord, Detector, ExtraMissing, SnapshotInvalid, UnknownDetector, Value
from .trees import HalfSpaceTrees

__all__ = [
    "BadRecord",
    "Detector",
    "ExtraMissing",
    "HalfSpaceTrees",
    "SnapshotInvalid",
    "UnknownDetector",
    "Value",
]
