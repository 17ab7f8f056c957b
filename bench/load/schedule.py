"""Sending by a schedule: message i is due at ``start + i / rate``, whatever happened to those before it.

A late message is sent at once, and late ones are never left out: what the delay cost is in their latencies. What is
still unsent half a second after the time is over is counted.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

BREATH_S = 0.001
"""For how long late messages are sent in a row before others get the event loop, seconds."""
GRACE_S = 0.5
"""For how long what is late is still sent when the time is over, seconds."""
SendDue = Callable[[int, float], Coroutine[Any, Any, None]]
"""Sends message number i, which was due at that time of the monotonic clock."""


class Alarm:
    """Wakes at a time, to some tens of microseconds: event loops round to a millisecond, more than an answer takes.

    Uses the process's interval timer (SIGALRM), so there is one in a process, in its main thread.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        self._loop.add_signal_handler(signal.SIGALRM, self._ring)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        self._loop.remove_signal_handler(signal.SIGALRM)

    def _ring(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def until(self, when_s: float) -> None:
        """Returns at `when_s` of the monotonic clock, never before."""
        while (delay := when_s - time.monotonic()) > 0:
            self._waiter = self._loop.create_future()
            signal.setitimer(signal.ITIMER_REAL, max(delay, 1e-5))
            await self._waiter


async def by_schedule(send: SendDue, *, rate: float, start_s: float, duration_s: float) -> tuple[int, int]:
    """Sends at a rate for a time.

    Returns:
        How many were due in that time, and how many were sent in it and `GRACE_S`.
    """
    due = max(1, int(rate * duration_s))
    sent, turn_s = 0, start_s
    end = start_s + duration_s
    with Alarm() as alarm:
        while sent < due:
            when = start_s + sent / rate
            now = time.monotonic()
            if now < when:
                await alarm.until(when)
                turn_s = time.monotonic()
            elif now > end + GRACE_S:
                break
            elif now - turn_s > BREATH_S:
                await asyncio.sleep(0)
                turn_s = time.monotonic()
            await send(sent, when)
            sent += 1
    return due, sent


async def as_fast_as_possible(send: SendDue, *, width: int, start_s: float, duration_s: float) -> int:
    """Sends for a time, `width` under way at once; what is sent is due when it is sent.

    Returns:
        How many were sent.
    """
    sent, turn_s = 0, start_s
    end = start_s + duration_s

    async def lane() -> None:
        nonlocal sent, turn_s
        while (now := time.monotonic()) < end:
            number, sent = sent, sent + 1
            await send(number, now)
            if time.monotonic() - turn_s > BREATH_S:
                await asyncio.sleep(0)
                turn_s = time.monotonic()

    await asyncio.sleep(max(0.0, start_s - time.monotonic()))
    async with asyncio.TaskGroup() as lanes:
        for _ in range(width):
            lanes.create_task(lane())
    return sent
