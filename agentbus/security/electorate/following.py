"""Keeps a member's electorate up to date: it follows the stream that the realm's enroller publishes its sets to.

Whoever begins late, or has missed some, is told the newest. What the enroller has not signed is logged and not taken.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from ...errors import AgentBusError, Unauthorized
from ...transport import Consumption, StoredMessage, Transport
from .chain import Electorate

RETRY_S = 2.0
"""Seconds until it is tried again: no enroller may have made the stream yet."""


def epochs_stream(realm: str) -> str:
    """The stream that keeps a realm's newest epoch set."""
    return f"agentbus_{realm}_epochs"


def epochs_subject(realm: str) -> str:
    """Where the enroller stores it."""
    return f"{realm}.epochs.set"


class Following:
    """One node's.

    Args:
        electorate: which is kept up to date.
        realm: its name.
        node: whose, for the log.
    """

    def __init__(self, electorate: Electorate, realm: str, node: str) -> None:
        self._electorate = electorate
        self._realm = realm
        self._node = node
        self._task: asyncio.Task[None] | None = None
        self._running: Consumption | None = None
        self._log = structlog.stdlib.get_logger("agentbus.electorate").bind(realm=realm, node=node)

    def begin(self, transport: Transport) -> None:
        """Begins."""
        if self._task is None:
            name = f"{self._node}: electorate"
            self._task = asyncio.get_running_loop().create_task(self._run(transport), name=name)

    async def end(self) -> None:
        """Ends."""
        task, self._task = self._task, None
        while task is not None and not task.done():
            task.cancel()  # more than once: on Python 3.11 `asyncio.wait_for`, in nats-py, can swallow a cancellation
            await asyncio.wait((task,), timeout=0.05)
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    def take(self, signed: bytes) -> None:
        """A set that has come, by the stream or with a grant."""
        forks = len(self._electorate.forks)
        try:
            if signed:
                self._electorate.take(signed)
        except Unauthorized as error:
            if len(self._electorate.forks) > forks:
                self._log.error("the enroller has signed two epoch sets that exclude each other", why=str(error))
            else:
                self._log.info("an epoch set was not taken", why=str(error))

    async def _run(self, transport: Transport) -> None:
        stream, subject = epochs_stream(self._realm), epochs_subject(self._realm)
        while True:
            with suppress(AgentBusError):
                self._running = await transport.follow(stream, [subject], self._hear)
                return
            await asyncio.sleep(RETRY_S)

    def _hear(self, stored: StoredMessage) -> None:
        self.take(stored.body)
