"""Scores of a user's streams, shared with the fleet, and the fleet's threshold for them. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple, Protocol


class Thresholds(Protocol):
    """What the whole fleet's scores look like: aggregation's estimates, say."""

    def quantile(self, name: str, q: float) -> float | None:
        """The score of that stream below which a share `q` of all are; None while it is not known."""
        ...


class Scored(NamedTuple):
    """One record's score. `timestamp_s` is the stream's own time, `score` 0 to 1."""

    node: str
    timestamp_s: float
    score: float


class SharedScores:
    """What one node knows of all nodes' scores, newest last.

    As `Thresholds` it takes the quantile of what it remembers: an estimate from a window, for fleets without an
    aggregate.

    Args:
        limit: scores of one stream that are remembered, and that wait to be told; the oldest are dropped.
        names: streams that are remembered.
    """

    def __init__(self, limit: int, names: int) -> None:
        self._limit = limit
        self._names = names
        self._known: dict[str, deque[Scored]] = {}
        self._untold: dict[str, deque[Scored]] = {}

    def add(self, name: str, scores: Sequence[Scored]) -> None:
        """Scores of any node. Those that are no numbers from 0 to 1 are dropped, as is a stream too many."""
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= self._names:
                return
            known = self._known[name] = deque(maxlen=self._limit)
        known.extend(item for item in scores if isfinite(item.timestamp_s) and 0.0 <= item.score <= 1.0)

    def say(self, name: str, scored: Scored) -> None:
        """A score of this node's, to be told to all."""
        self.add(name, [scored])
        if name in self._known:
            self._untold.setdefault(name, deque(maxlen=self._limit)).append(scored)

    def take_untold(self) -> dict[str, deque[Scored]]:
        """What was not told yet."""
        untold, self._untold = self._untold, {}
        return untold

    def known(self, name: str) -> list[Scored]:
        """What is remembered of a stream."""
        return list(self._known.get(name, ()))

    def quantile(self, name: str, q: float) -> float | None:
        """The quantile of what is remembered; None when that is nothing."""
        scores = sorted(item.score for item in self._known.get(name, ()))
        return scores[min(int(q * len(scores)), len(scores) - 1)] if scores else None
