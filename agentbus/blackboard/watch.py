"""Follows notes as they change, with a buffer that has a limit: of each key only the newest is told.

Invariant: after the last change of a key its value is told at least once. Keys that wait are the board's, so there are
no more of them than of its notes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from .crdt import Value


class Watch:
    """The changes under a prefix. An async context manager, and an async iterator that ends with its board.

    Each change is ``(key, value)``; None for a value: it was deleted.

    Args:
        prefix: of the keys.
        read: tells what stands under a key.
        check: raises when the reader may not read (any more).
        leave: called when it ends.
    """

    def __init__(
        self,
        prefix: str,
        read: Callable[[str], Value | None],
        check: Callable[[], None],
        leave: Callable[[Watch], None],
    ) -> None:
        self._prefix = prefix
        self._read = read
        self._check = check
        self._leave = leave
        self._waiting: dict[str, None] = {}
        self._came = asyncio.Event()
        self._over = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[str, Value | None]:
        """The next change; waits for it, however long. Raises `NotSharing` when the seat is closed by then."""
        while not self._waiting:
            if self._over:
                raise StopAsyncIteration
            self._came.clear()
            await self._came.wait()
        self._check()
        key = next(iter(self._waiting))
        del self._waiting[key]
        return key, self._read(key)

    async def next(self, *, timeout_s: float) -> tuple[str, Value | None] | None:
        """The next change, or None if none comes within `timeout_s` seconds, or ever. Raises `NotSharing`."""
        try:
            async with asyncio.timeout(timeout_s):
                return await anext(self, None)
        except TimeoutError:
            return None

    def tell(self, key: str) -> None:
        """A note has changed."""
        if key.startswith(self._prefix):
            self._waiting[key] = None
            self._came.set()

    def close(self) -> None:
        """No more is told but what waits. A second call does nothing."""
        self._over = True
        self._came.set()
        self._leave(self)
