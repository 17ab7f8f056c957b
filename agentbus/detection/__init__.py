"""What is abnormal: streaming detectors, agents that watch one another, and a quorum's verdict.

``Node(url, agents=[Membership(lan()), Detection(quorum_of(1)), ...])`` is all: the node's agents hear `Fault` on the
topic ``{node}`` (`agentbus.faults`) when a quorum has convicted an agent. `Quorum` and `Watch` are the machines, pure.
The detectors for streams of data are in `detectors`.
"""

from __future__ import annotations

from .config import DetectionConfig, quorum_of
from .reproducing import Reproducer
from .scores import Scored, Thresholds
from .service import Detection
from .verdicts import Case, Finding, Quorum, Verdict, VerdictConfig
from .watch import Gauges, Measured, Watch, WatchConfig

__all__ = [
    "Case",
    "Detection",
    "DetectionConfig",
    "Finding",
    "Gauges",
    "Measured",
    "Quorum",
    "Reproducer",
    "Scored",
    "Thresholds",
    "Verdict",
    "VerdictConfig",
    "Watch",
    "WatchConfig",
    "quorum_of",
]
