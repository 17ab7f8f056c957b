"""A log in a folder, for agents: `Disk` in threads, so that a slow disk holds nobody up but who waits for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..transport import Transport
from .disk import TEMPORARY, Disk
from .store import Batch
from .tiles import MAX_ENTRY, File, place_of


class Folder:
    """A `Store` in a folder of a local disk.

    Args:
        path: the folder; made when it is missing.
        sync: see `Disk`.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = True) -> None:
        self.max_entry = MAX_ENTRY
        self._disk = Disk(Path(path), sync=sync)

    @property
    def torn(self) -> int:
        """See `Store`."""
        return self._disk.torn

    async def open(self, transport: Transport | None = None, realm: str = "") -> None:
        """See `Files`."""
        await asyncio.to_thread(self._disk.open)

    async def close(self) -> None:
        """See `Files`."""
        await asyncio.to_thread(self._disk.close)

    async def read(self, path: str) -> bytes | None:
        """See `Files`."""
        return await asyncio.to_thread(self._disk.read, path)

    async def write(self, files: Sequence[File]) -> None:
        """See `Files`."""
        await asyncio.to_thread(self._disk.write, files)

    async def put(self, files: Sequence[File]) -> None:
        """See `Store`."""
        await asyncio.to_thread(self._disk.put, files)

    async def settle(self) -> None:
        """See `Store`."""
        await asyncio.to_thread(self._disk.settle)

    async def remove(self, paths: Iterable[str]) -> None:
        """See `Store`."""
        await asyncio.to_thread(self._disk.remove, list(paths))

    async def partials(self) -> list[str]:
        """See `Store`; and what a writer that was killed has left half written."""
        paths = await asyncio.to_thread(self._disk.paths)
        return [path for path in paths if path.endswith(TEMPORARY) or (place_of(path) and ".p/" in path)]

    async def append(self, first: int, entries: Sequence[bytes]) -> None:
        """See `Store`."""
        await asyncio.to_thread(self._disk.append, first, entries)

    async def journal(self) -> list[Batch]:
        """See `Store`."""
        return await asyncio.to_thread(self._disk.journal)

    async def turn_journal(self) -> None:
        """See `Store`."""
        await asyncio.to_thread(self._disk.turn_journal)

    async def drop_journal(self, before: int) -> None:
        """See `Store`."""
        await asyncio.to_thread(self._disk.drop_journal, before)
