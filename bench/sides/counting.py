"""Counting what arrives: when the last came, and whether all did."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

QUIET_S = 3.0
"""Seconds without an arrival after which the rest is taken for lost."""


class Tally:
    """Counts arrivals up to a number expected.

    Attributes:
        count: arrivals so far.
        last_s: when the last expected one came, seconds of the monotonic clock.
    """

    __slots__ = ("_complete", "_expected", "count", "last_s")

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._complete = asyncio.Event()
        self.count = 0
        self.last_s = 0.0

    def add(self) -> None:
        """One more has arrived."""
        self.count += 1
        if self.count == self._expected:
            self.last_s = time.monotonic()
            self._complete.set()

    async def result(self) -> dict[str, Any]:
        """How many came and when the last did, once all have, or when nothing has come for `QUIET_S` seconds."""
        seen = -1
        while not self._complete.is_set() and (self.count != seen or not seen):
            seen = self.count
            try:
                async with asyncio.timeout(QUIET_S):
                    await self._complete.wait()
            except TimeoutError:
                self.last_s = time.monotonic()
        return {"count": self.count, "last_s": self.last_s}


async def one_at_a_time(ask: Callable[[], Awaitable[object]], count: int) -> list[float]:
    """The time each of `count` requests took, one after the other; seconds."""
    clock = time.perf_counter
    took: list[float] = []
    for _ in range(count):
        began = clock()
        await ask()
        took.append(clock() - began)
    return took


async def at_once(act: Callable[[], Awaitable[object]], count: int, width: int) -> float:
    """Does something `count` times, `width` of them under way at any time; the seconds it took."""

    async def lane(share: int) -> None:
        for _ in range(share):
            await act()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as lanes:
        for place in range(width):
            lanes.create_task(lane(count // width + (place < count % width)))
    return time.perf_counter() - began
