"""How hard a process works: its share of a processor, and how late its event loop is."""

from __future__ import annotations

import asyncio
import resource
import time
from types import TracebackType
from typing import Self

PERIOD_S = 0.05
GRAIN_S = 0.002
"""What an event loop's timer may be late without anything being wrong, seconds."""


class Strain:
    """Watches this process, within ``async with``.

    Attributes:
        lags_s: how late the loop was, each `PERIOD_S`; seconds.
    """

    def __init__(self) -> None:
        self.lags_s: list[float] = []
        self._began = (0.0, 0.0)
        self._due = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._began = (time.monotonic(), _processor_s())
        self._due = time.monotonic() + PERIOD_S
        self._task = asyncio.create_task(self._watch(), name="strain")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _watch(self) -> None:
        while True:
            self._due = time.monotonic() + PERIOD_S
            await asyncio.sleep(PERIOD_S)
            self.lags_s.append(self._late_s())

    def _late_s(self) -> float:
        return max(0.0, time.monotonic() - self._due - GRAIN_S)

    def processor(self) -> float:
        """The share of one processor's time that the process has used since it was entered, 0 to 1 and above."""
        began_s, used_s = self._began
        return (_processor_s() - used_s) / max(1e-9, time.monotonic() - began_s)

    def lag_s(self) -> float:
        """The 99th percentile of the loop's lags, seconds."""
        lags = sorted([*self.lags_s, self._late_s()])
        return lags[min(len(lags) - 1, int(len(lags) * 0.99))]


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
