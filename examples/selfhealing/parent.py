"""A child's line to the demo that started it: words on standard output, words from standard input, one JSON a line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

END_S = 1.0
"""Seconds that a process may take to end in order when it has to begin a new life."""
RESTARTED = 3
"""The exit status of one that took longer."""


class Parent:
    """The demo, as one of its processes sees it.

    Args:
        name: the process's own, as the demo knows it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def tell(self, word: str, **facts: Any) -> None:
        """Tells it something."""
        with suppress(OSError):  # it is gone: so are we, in a moment
            os.write(sys.stdout.fileno(), json.dumps({"word": word, **facts}).encode() + b"\n")

    def read_log(self, logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A processor of structlog: tells the demo which shards this process puts down, and why."""
        if event.get("event") == "shard put down":
            self.tell("put down", shard=event["shard"], reason=event["reason"])
        return event

    def restart(self, agent: str, reason: str) -> None:
        """Ends this process, in order if it can within `END_S`: the demo begins its next life, as a service manager
        would."""
        self.tell("restarting", reason=reason)
        hard = threading.Timer(END_S, os._exit, (RESTARTED,))
        hard.daemon = True
        hard.start()
        os.kill(os.getpid(), signal.SIGTERM)

    async def listen(self, hear: Callable[[Mapping[str, Any]], None]) -> None:
        """Hears what it says, until it is gone; then asks this process to end."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async for line in reader:
            hear(json.loads(line))
        os.kill(os.getpid(), signal.SIGTERM)
