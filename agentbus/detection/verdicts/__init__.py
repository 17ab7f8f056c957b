"""How a fleet agrees that an agent is abnormal: a quorum of distinct witnesses who have each seen it for themselves."""

from .config import VerdictConfig
from .machine import Quorum
from .model import Accuse, Case, Convict, Finding, Found, Publish, Reproduce, Verdict, Vote, Witness

__all__ = [
    "Accuse",
    "Case",
    "Convict",
    "Finding",
    "Found",
    "Publish",
    "Quorum",
    "Reproduce",
    "Verdict",
    "VerdictConfig",
    "Vote",
    "Witness",
]
