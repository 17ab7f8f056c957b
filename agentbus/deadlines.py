"""Many deadlines, one timer.

A deadline a call in a timer of its own costs more than the call (a third of the rate, measured). Here deadlines
are rounded up to a grain and kept in buckets; the loop has one timer, for the earliest bucket. Adding and discarding
are a dict's.

Invariant: an item expires at most one grain after its deadline, never before it, and never once discarded.
"""

from __future__ import annotations

import asyncio
import heapq
from math import ceil
from typing import Protocol

GRAIN_S = 1 / 256
MANY = 4096
"""Buckets at which those that are empty, their items discarded long before their time, are first looked for."""


class Expirable(Protocol):
    """What has a deadline."""

    def expire(self) -> None:
        """The deadline has passed. Must not raise."""
        ...


Bucket = dict[Expirable, None]
"""Items of one deadline; take an item out with ``bucket.pop(item, None)``."""


class DeadlineQueue:
    """The deadlines of one node.

    Args:
        loop: whose time is meant.
        grain_s: seconds to which deadlines are rounded up.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, grain_s: float = GRAIN_S) -> None:
        self._loop = loop
        self._grain_s = grain_s
        self._buckets: dict[int, Bucket] = {}
        self._order: list[int] = []
        self._sweep_at = MANY
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._buckets.values())

    def add(self, item: Expirable, when_s: float) -> Bucket:
        """Calls ``item.expire()`` at `when_s`, of the loop's time, unless it is taken out of the bucket before."""
        key = ceil(when_s / self._grain_s)
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._sweep_at:
                self._sweep()
            bucket = self._buckets[key] = {}
            heapq.heappush(self._order, key)
            if self._order[0] == key:
                self._arm(key)
        bucket[item] = None
        return bucket

    def close(self) -> None:
        """Forgets everything; nothing expires any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._buckets.clear()
        self._order.clear()

    def _sweep(self) -> None:
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if bucket}
        self._order[:] = sorted(self._buckets)
        self._sweep_at = max(MANY, 2 * len(self._buckets))

    def _arm(self, key: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(key * self._grain_s, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time() / self._grain_s
        order = self._order
        while order and (order[0] <= now or not self._buckets[order[0]]):
            bucket = self._buckets.pop(heapq.heappop(order))
            while bucket:
                item, _ = bucket.popitem()
                item.expire()
        if order:
            self._arm(order[0])
