"""Waiting until a command is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def until_stopped(work: Coroutine[Any, Any, None], name: str) -> bool:
    """Lets `work` run until it ends or SIGTERM or SIGINT comes, which cancels it.

    Returns:
        Whether a signal came. What `work` raises by itself is raised.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work, name=name)
    told: list[int] = []

    def stop() -> None:
        told.append(1)
        task.cancel()

    with suppress(NotImplementedError):  # an event loop without signals: Ctrl-C raises KeyboardInterrupt there
        for number in SIGNALS:
            loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise
    finally:
        with suppress(NotImplementedError):
            for number in SIGNALS:
                loop.remove_signal_handler(number)
    return bool(told)
