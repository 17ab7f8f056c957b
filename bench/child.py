"""A process that measures one side of a comparison: ``python -m bench.child MODULE:FUNCTION OPTIONS DEADLINE_S``.

The function is a coroutine function that takes a `Channel` and the options, and returns its results. It is run on
uvloop. Parent and child talk in lines of JSON, over the child's stdin and stdout; what else the child prints goes to
stderr.

Invariant: the process ends when the function does, at the deadline (with a traceback), or when its parent has gone.
It needs nothing but the standard library and uvloop, so that it runs in another virtual environment too.
"""

from __future__ import annotations

import asyncio
import faulthandler
import importlib
import json
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TextIO

import uvloop

PARENT_GONE = 70
"""The exit status of a child whose parent went away."""


class Channel:
    """The child's way to its parent.

    Args:
        out: where lines to the parent go.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def tell(self, word: str, **facts: Any) -> None:
        """Sends one line: a word, and what belongs to it."""
        self._out.write(json.dumps({"word": word, **facts}) + "\n")
        self._out.flush()

    async def told(self, *, timeout_s: float = 60.0) -> dict[str, Any]:
        """What the parent says next. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            return await self._told.get()

    def listen(self) -> None:
        """Begins to hear the parent, on a thread that sleeps in its read."""
        threading.Thread(target=self._read, name="parent", daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self._loop.call_soon_threadsafe(self._told.put_nowait, json.loads(line))
        os._exit(PARENT_GONE)


Side = Callable[..., Awaitable[Mapping[str, Any]]]


async def _serve(side: Side, options: dict[str, Any], out: TextIO) -> None:
    channel = Channel(out)
    channel.listen()
    channel.tell("done", **await side(channel, **options))


def main() -> None:
    """Runs the side that the command line names."""
    target, options, deadline_s = sys.argv[1:4]
    faulthandler.dump_traceback_later(float(deadline_s), exit=True)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, _, function = target.partition(":")
    side: Side = getattr(importlib.import_module(module), function)
    uvloop.run(_serve(side, json.loads(options), out))
    out.flush()
    os._exit(0)  # a thread that sleeps in a read of stdin would delay an ordinary exit


if __name__ == "__main__":
    main()
