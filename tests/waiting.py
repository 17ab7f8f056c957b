"""How tests wait: for a condition, with a deadline, never for a span of time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], *, within_s: float = 5.0) -> None:
    """Returns when `condition` holds. Raises TimeoutError when it does not within `within_s` seconds."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


async def turns(count: int = 10) -> None:
    """Lets the event loop turn: whatever was ready has run."""
    for _ in range(count):
        await asyncio.sleep(0)
