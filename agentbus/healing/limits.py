"""Rate limits of healing: sliding windows, counted per agent, per kind of fault, and for the fleet. Pure."""

from __future__ import annotations

from collections import deque

from .config import HealingConfig
from .model import Trouble

MAX_KEYS = 4096


class Limits:
    """Counts the disturbing actions that were taken: quarantines, restarts, re-hostings.

    Args:
        config: the knobs.
    """

    def __init__(self, config: HealingConfig) -> None:
        self._config = config
        self._taken: dict[str, deque[float]] = {}

    def refusal(self, trouble: Trouble, now: float) -> str:
        """Why one more may not be taken now; empty when it may."""
        for key, limit in self._keys(trouble):
            if self._count(key, now) >= limit:
                return f"{limit} for {key or 'the fleet'} within {self._config.limit_s:g} s"
        return ""

    def take(self, trouble: Trouble, now: float) -> None:
        """Counts one."""
        for key, limit in self._keys(trouble):
            kept = self._taken.pop(key, None) or deque(maxlen=limit)
            kept.append(now)
            self._taken[key] = kept
        while len(self._taken) > MAX_KEYS:
            del self._taken[next(iter(self._taken))]

    def _keys(self, trouble: Trouble) -> tuple[tuple[str, int], ...]:
        config, life = self._config, trouble.life
        return (
            (f"agent {life.agent}@{life.node}", config.per_agent),
            (f"kind {trouble.kind}", config.per_kind),
            ("", config.per_fleet),
        )

    def _count(self, key: str, now: float) -> int:
        since = now - self._config.limit_s
        return sum(1 for at in self._taken.get(key, ()) if at > since)
