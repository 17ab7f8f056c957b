"""A worker: one behavior of one agent at work.

It has the behavior's mailbox and runs its handler: in order and one at a time, or `concurrency` at once. A task
exists only while there is something to handle, so an idle agent costs no task.

Invariants: at most `mailbox` messages wait; every request taken is answered unless its requester has stopped
waiting; every durable job taken is settled; no task is left when the mailbox is empty. (`EventWorker` is here;
`RequestWorker` in answering.py, `DurableWorker` in durable.py.)
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Protocol

from google.protobuf.message import DecodeError, Message

from .behaviors import OnSpec, RpcSpec
from .context import Context, Surroundings
from .errors import Busy, SchemaMismatch
from .inbound import Inbound
from .mailbox import Mailbox
from .messages import full_name, parse_json
from .middleware import Handler
from .statistics import Counters

SLICE_S = 0.002
"""How long a worker whose handlers never wait may keep the event loop, seconds."""


class Host(Surroundings, Protocol):
    """The agent's side of a worker."""

    @property
    def running(self) -> bool:
        """Whether handlers may run now."""
        ...

    def failed(self, behavior: str, error: Exception) -> None:
        """A handler raised: to be reported; supervision decides, and `running` tells what it decided."""
        ...

    def dropped(self, behavior: str, count: int, why: str) -> None:
        """Messages were dropped: to be reported."""
        ...

    async def dead_letter(self, inbound: Inbound, behavior: str, error: BaseException) -> None:
        """Keeps a durable event with the dead letters and settles its job."""
        ...


class Worker(ABC):
    """Runs one behavior.

    Args:
        host: the agent's side.
        spec: the behavior.
        handler: what handles a message; replaced when the agent is built again.
    """

    __slots__ = ("__weakref__", "counters", "handler", "host", "mailbox", "spec", "tasks")

    def __init__(self, host: Host, spec: OnSpec | RpcSpec, handler: Handler) -> None:
        self.host = host
        self.spec = spec
        self.handler = handler
        self.counters = Counters()
        self.mailbox = Mailbox(spec.mailbox)
        self.tasks: tuple[asyncio.Task[None], ...] = ()

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self.mailbox.size and not self.tasks

    def offer(self, inbound: Inbound) -> None:
        """Takes a frame in; what the mailbox has no room for is dropped by the behavior's policy."""
        if self.mailbox.put(inbound):
            self.counters.received += len(inbound.frame.payloads)
        else:
            before = self.mailbox.size
            rejected = self.mailbox.put_some(inbound, drop_oldest=self.spec.overflow == "drop_oldest")
            lost = sum(len(places) for _, places in rejected)
            self.counters.received += self.mailbox.size - before + lost
            for old, places in rejected:
                self.reject(old, places, f"its mailbox of {self.spec.mailbox} is full")
        if len(self.tasks) < self.spec.concurrency:
            self.resume()

    def resume(self) -> None:
        """Starts as many tasks as there is work for, if handlers may run."""
        if self.host.running:
            wanted = min(self.spec.concurrency, self.mailbox.size)
            while len(self.tasks) < wanted:
                task = self.host.port.bus.loop.create_task(self._run(), name=self.spec.name)
                self.tasks = (*self.tasks, task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks = tuple(other for other in self.tasks if other is not task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self.host.failed(self.spec.name, error)
        self.resume()

    def reject(self, inbound: Inbound, places: range, why: str) -> None:
        """Gives messages up without handling them."""
        self.counters.dropped += len(places)
        self.host.dropped(self.spec.name, len(places), why)

    def reject_waiting(self, why: str) -> None:
        """Empties the mailbox."""
        while self.mailbox.size:
            inbound, index = self.mailbox.take()
            self.reject(inbound, range(index, index + 1), why)

    def cancel(self, but: asyncio.Task[None] | None = None) -> None:
        """Cancels what runs."""
        for task in self.tasks:
            if task is not but:
                task.cancel()

    def failed(self, error: Exception) -> None:
        """Counts a failure and reports it."""
        self.counters.last_error = f"{type(error).__name__}: {error}"[:500]
        self.host.failed(self.spec.name, error)

    def parse(self, inbound: Inbound, index: int) -> Message:
        """The message. Raises `SchemaMismatch`, counted as malformed."""
        payload = inbound.frame.payloads[index]
        try:
            if inbound.foreign == "json":
                return parse_json(self.spec.type, payload)
            return self.spec.type.FromString(payload)
        except DecodeError as error:
            self.malformed()
            text = f"{len(payload)} bytes can't be parsed as {full_name(self.spec.type)}: {error}"
            raise SchemaMismatch(text) from None
        except SchemaMismatch:
            self.malformed()
            raise

    def malformed(self) -> None:
        """Counts a payload that can't be parsed."""
        self.counters.malformed += 1
        self.host.dropped(self.spec.name, 1, f"not a {full_name(self.spec.type)}")

    @abstractmethod
    async def _run(self) -> None:
        """Handles what waits until the mailbox is empty or the host has stopped running."""


class EventWorker(Worker):
    """Runs an `@on`. Requests can't come here; a failed event is lost, counted."""

    __slots__ = ()

    async def _run(self) -> None:
        host, counters, mailbox = self.host, self.counters, self.mailbox
        loop = host.port.bus.loop
        start = loop.time()
        handled = 0
        try:
            while mailbox.size and host.running:
                inbound, index = mailbox.take()
                try:
                    message = self.parse(inbound, index)
                except SchemaMismatch:
                    continue
                try:
                    await self.handler(message, Context(host, inbound, index))
                    handled += 1
                except Exception as error:
                    counters.failed += 1
                    self.failed(error)
                now = loop.time()
                if now - start > SLICE_S:
                    counters.busy_s += now - start
                    await asyncio.sleep(0)
                    start = loop.time()
        finally:
            counters.handled += handled
            counters.busy_s += loop.time() - start

    def reject(self, inbound: Inbound, places: range, why: str) -> None:
        super().reject(inbound, places, why)
        if inbound.reply:
            for index in places:
                answer(self.host, inbound, index, Busy(f"{self.host.name}.{self.spec.name}: {why}"))


def answer(host: Surroundings, inbound: Inbound, index: int, outcome: Message | BaseException) -> None:
    """Answers a request with a message or an error, in kind; does nothing when no answer is wanted."""
    if not inbound.reply:
        return
    error = outcome if isinstance(outcome, BaseException) else None
    message = outcome if isinstance(outcome, Message) else None
    port = host.port
    if inbound.foreign:
        port.bus.answer_foreign(inbound.reply, message, error, json=inbound.foreign == "json")
    elif error is not None:
        port.reply_error(inbound.inbox, inbound.frame.sequence + index, error, inbound.frame.hops + 1)
    elif message is not None:
        port.reply(inbound.inbox, inbound.frame.sequence + index, message, inbound.frame.hops + 1)
