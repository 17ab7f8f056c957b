"""How far each key is heard: scores after GossipSub v1.1, and the agent that keeps them."""

from __future__ import annotations

from .config import Parameter, ScoreConfig
from .machine import Scores
from .model import Departed, Did, Introduced, Level, Moved
from .service import Scorekeeper

__all__ = ["Departed", "Did", "Introduced", "Level", "Moved", "Parameter", "ScoreConfig", "Scorekeeper", "Scores"]
