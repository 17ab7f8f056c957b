"""Logs for tests: keys, logs in folders, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from agentbus.ledger import COSIGNATURE, Ed25519, Folder, Key, Log

LOG = Ed25519("example.org/log", bytes(range(32)))
ONE = Ed25519("one.example", b"1" * 32)
TWO = Ed25519("two.example", b"2" * 32)
LOG_KEY = Key.of(LOG)
ONE_KEY, TWO_KEY = Key.of(ONE, COSIGNATURE), Key.of(TWO, COSIGNATURE)


def entries(count: int, first: int = 0, word: str = "record") -> list[bytes]:
    """Records of different lengths, some of them empty."""
    return [
        b"" if number % 97 == 13 else f"{word} {number} ".encode() * (1 + number % 4)
        for number in range(first, first + count)
    ]


async def written(folder: Path, parts: Sequence[Sequence[bytes]], *, sealed: bool = True) -> Log:
    """A log in a folder, closed again; a checkpoint after each part."""
    store = Folder(folder, sync=False)
    await store.open()
    try:
        log = Log(store, LOG)
        await log.open()
        for part in parts:
            await log.append(part)
            if sealed:
                await log.seal()
    finally:
        await store.close()
    return log


def write(folder: Path, *parts: Sequence[bytes], sealed: bool = True) -> Log:
    """See `written`, outside a loop."""
    return asyncio.run(written(folder, parts, sealed=sealed))
