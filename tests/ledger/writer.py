"""A process that appends to a log until it is killed. It says each number that was acknowledged, and nothing before."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from agentbus.ledger import Folder, Log
from tests.ledger.logs import LOG


async def main(folder: Path) -> None:
    store = Folder(folder)
    await store.open()
    log = Log(store, LOG)
    await log.open()
    sealing: asyncio.Task[object] | None = None
    for turn in range(1_000_000):
        size = log.size
        await log.append([b"record %d" % number for number in range(size, size + 1 + turn % 300)])
        print(log.size, flush=True)  # noqa: T201 - what is tested
        if sealing is None or sealing.done():
            if sealing is not None:
                sealing.result()
            sealing = asyncio.create_task(log.seal())


asyncio.run(main(Path(sys.argv[1])))
