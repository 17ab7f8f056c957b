"""A log's files, taken from where they lie into a folder, so that they can be audited offline."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from ..errors import LedgerInvalid
from .disk import Disk
from .notes import Checkpoint, open_checkpoint
from .reading import ATTEMPTS
from .store import CHECKPOINT, WITNESSED, Files
from .tiles import BUNDLE, HEIGHT, WIDTH, File, Place

AT_ONCE = 256
"""Files that are held in memory."""


async def download(store: Files, folder: Path) -> Checkpoint:
    """Copies a log, as its newest checkpoint has it, into an empty folder. Nothing is verified: that is for `verify`.

    Args:
        store: where it lies; open. Its writer may go on meanwhile.
        folder: where to; made when it is missing.

    Raises:
        LedgerInvalid: there is no checkpoint, or a file is missing.
        StorageFailed: the folder can't be written, or the store can't be read.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await _copied(store, folder)
        except LedgerInvalid:  # of the edge, whoever writes may have put another in its place
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


async def _copied(store: Files, folder: Path) -> Checkpoint:
    witnessed, content = await store.read(WITNESSED), await store.read(CHECKPOINT)
    if content is None:
        raise LedgerInvalid("there is no checkpoint: is it a log?", path=CHECKPOINT)
    checkpoint = open_checkpoint(content)[1]
    disk = Disk(folder)
    files: list[File] = []
    for place in places(checkpoint.size):
        found = await store.read(place.path)
        if found is None:
            raise LedgerInvalid(f"{place.path} is missing", index=place.first, path=place.path)
        files.append((place.path, found))
        if len(files) >= AT_ONCE:
            await asyncio.to_thread(disk.put, files)
            files = []
    if witnessed is not None:
        files.append((WITNESSED, witnessed))
    await asyncio.to_thread(disk.put, files)
    await asyncio.to_thread(disk.settle)
    await asyncio.to_thread(disk.write, [(CHECKPOINT, content)])
    await asyncio.to_thread(disk.close)
    return checkpoint


def places(size: int) -> Iterator[Place]:
    """All tiles and bundles of a log; those of the edge first, as they are replaced soonest."""
    level = BUNDLE
    while count := size >> HEIGHT * max(level, 0):
        for number in reversed(range(-(-count // WIDTH))):
            yield Place(level, number, min(WIDTH, count - number * WIDTH))
        level += 1
