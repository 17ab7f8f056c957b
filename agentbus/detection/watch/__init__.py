"""Watching the agents themselves: how long they take, how often they fail, what waits for them, whether they speak."""

from .config import WatchConfig
from .machine import Watch
from .model import Gauges, Load, Measured, Suspicion
from .rates import Rates

__all__ = ["Gauges", "Load", "Measured", "Rates", "Suspicion", "Watch", "WatchConfig"]
