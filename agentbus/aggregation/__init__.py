"""What a fleet knows of itself with nobody in the middle: gossiped counts, means, extrema and quantiles."""

from __future__ import annotations

from .bins import Absolute, Bins, Relative
from .config import AggregationConfig, lan, local, wan
from .machine import Aggregation
from .model import Estimate
from .rounds import Rounds
from .service import Aggregator
from .sketch import Summary

__all__ = [
    "Absolute",
    "Aggregation",
    "AggregationConfig",
    "Aggregator",
    "Bins",
    "Estimate",
    "Relative",
    "Rounds",
    "Summary",
    "lan",
    "local",
    "wan",
]
