"""Follows the changes of a store, with a buffer that has a limit.

Invariants: revisions grow, none is told twice, and none that the stream keeps is left out: when the buffer is full
nothing more is taken from the stream until it has been read, and then it goes on from there. (With one revision a key,
what was replaced meanwhile is not kept, and so not told: a watch that lags is told fewer, newer values.)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ..transport import Consumption, StoredMessage, Transport
from .model import Entry

MOST = 4096
"""Changes that wait to be read."""


class Watch:
    """The changes under a pattern of keys. An async context manager, and an async iterator that does not end.

    Args:
        transport: the wire.
        stream: the bucket's.
        subject: pattern of what to follow.
        spell: message to entry.
        after: revision to begin after; None for what stands there now.
        timeout_s: seconds that beginning may take.
        most: changes that may wait to be read.
    """

    def __init__(
        self,
        transport: Transport,
        stream: str,
        subject: str,
        spell: Callable[[StoredMessage], Entry],
        after: int | None,
        timeout_s: float,
        *,
        most: int = MOST,
    ) -> None:
        self._transport = transport
        self._stream = stream
        self._subject = subject
        self._spell = spell
        self._after = after
        self._timeout_s = timeout_s
        self._most = most
        self._waiting: deque[Entry] = deque()
        self._came = asyncio.Event()
        self._consumption: Consumption | None = None
        self._full = False

    @property
    def revision(self) -> int | None:
        """Of the last change that came, read or not; None before the first. `after` to go on from once all is read."""
        return self._after

    async def __aenter__(self) -> Self:
        """Begins. Raises `StorageFailed`."""
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pause()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Entry:
        """The next change; waits for it, however long. Raises `StorageFailed` if the buffer was full and going on
        fails; the next call tries again."""
        while not self._waiting:
            if self._consumption is None:
                await self._begin()
            self._came.clear()
            if not self._waiting:
                await self._came.wait()
        return self._waiting.popleft()

    async def next(self, *, timeout_s: float) -> Entry | None:
        """The next change, or None if none comes within `timeout_s` seconds. Raises as iterating does."""
        try:
            async with asyncio.timeout(timeout_s):
                return await anext(self)
        except TimeoutError:
            return None

    async def _begin(self) -> None:
        self._full = False
        self._consumption = await self._transport.follow(
            self._stream, (self._subject,), self._take, after=self._after, timeout_s=self._timeout_s
        )
        if self._full:  # by what came before `follow` had returned
            self._pause()

    def _take(self, message: StoredMessage) -> None:
        if self._full or len(self._waiting) >= self._most:
            self._full = True
            self._pause()
            return
        self._after = message.sequence
        self._waiting.append(self._spell(message))
        self._came.set()

    def _pause(self) -> None:
        if self._consumption is not None:
            self._consumption.stop()
            self._consumption = None
