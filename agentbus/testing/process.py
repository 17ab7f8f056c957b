"""Whose code runs: the simulated process, one life of a node, that a task belongs to.

A task belongs to the process whose code made it; what a node receives is handled in that node's process, not in the
sender's. So a crash ends all that a process would lose, tasks that its agents made by themselves among it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any

from ..agent import Agent
from ..errors import Closed
from ..node import Node
from ..supervision import Supervision
from ..transport import ConsumerSpec, Headers, Job, Receiver, StoredMessage
from ..transports.memory import MemoryBroker, MemoryTransport
from ..transports.memory_consumer import Pull
from ..transports.memory_follower import Following
from ..transports.memory_routes import Interest


class Process:
    """One life of a node."""

    def __init__(self, name: str, life: int) -> None:
        self.name = name
        self.life = life
        self._context = copy_context()
        self._context.run(_current.set, self)

    def run(self, function: Callable[..., object], *args: Any) -> None:
        """Calls a function as this process's own."""
        self._context.copy().run(function, *args)

    @contextmanager
    def entered(self) -> Generator[None]:
        """What runs within is this process's own."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


_current: ContextVar[Process | None] = ContextVar("agentbus simulated process", default=None)


def process_of(context: Context | None) -> Process | None:
    """The process of a context, or of the code that calls this; None for the scenario."""
    return _current.get() if context is None else context.get(_current)


class SimulatedTransport(MemoryTransport):
    """Receives in its process."""

    def __init__(self, broker: MemoryBroker, process: Process) -> None:
        super().__init__(broker, name=process.name)
        self._process = process

    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Interest:
        def receive(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
            self._process.run(receiver, subject, body, reply, headers)

        return super().subscribe(subject, receive, queue)

    async def consume(self, spec: ConsumerSpec, receiver: Callable[[Job], None], *, timeout_s: float = 5.0) -> Pull:
        return await super().consume(spec, lambda job: self._process.run(receiver, job), timeout_s=timeout_s)

    async def follow(
        self,
        stream: str,
        filters: Sequence[str],
        receiver: Callable[[StoredMessage], None],
        *,
        after: int | None = None,
        timeout_s: float = 5.0,
    ) -> Following:
        def receive(message: StoredMessage) -> None:
            self._process.run(receiver, message)

        return await super().follow(stream, filters, receive, after=after, timeout_s=timeout_s)


class SimulatedNode(Node):
    """Starts its agents in its process. For the rest the node it is in production.

    Args:
        process: whose it is.
        broker: of the simulation.
        options: of `Node`.
    """

    def __init__(self, process: Process, broker: MemoryBroker, **options: Any) -> None:
        self.process = process
        self.wire = SimulatedTransport(broker, process)
        super().__init__(transport=self.wire, name=process.name, **options)

    async def start(self, *, timeout_s: float = 10.0) -> None:
        await self._in_its_process(super().start(timeout_s=timeout_s), "start")

    async def add(self, agent: Agent, *, name: str | None = None, supervision: Supervision | None = None) -> None:
        await self._in_its_process(super().add(agent, name=name, supervision=supervision), "add")

    async def _in_its_process(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Awaits work in a task of the process, which ends with it. Raises `Closed` when it does."""
        with self.process.entered():
            task = asyncio.create_task(work, name=f"{self.name}: {what}")
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        if task.cancelled():
            raise Closed(f"node {self.name!r} crashed meanwhile ({what})")
        task.result()

    def crash(self) -> None:
        """The process is no more: the link is cut, then all is cancelled. Returns when nothing of it can be heard."""
        self.wire.vanish()
        ending = self.abort()
        try:
            ending.send(None)  # by hand: nothing of the node may run before it has ended
        except StopIteration:
            return
        raise AssertionError(f"node {self.name!r} waits in abort(), which must not wait once its transport is closed")
