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
from collections.abc import Iterable
from typing import Protocol, cast

from google.protobuf.message import DecodeError, Message

from .context import Context, Surroundings
from .errors import AgentBusError, SchemaMismatch, Unauthorized
from .inbound import Inbound
from .limits import FLOOD, Bucket, Buckets, Limits
from .mailbox import Mailbox, part
from .messages import full_name, parse_json, said
from .middleware import Handler
from .specs import OnSpec, RpcSpec
from .statistics import Counters
from .turns import FairMailbox

SLICE_S = 0.002
"""How long a worker whose handlers never wait may keep the event loop, seconds."""


LOOK = 16
"""Messages of a frame after which the clock is looked at."""


def failure_of(raised: BaseException) -> Exception | None:
    """What an exception out of an agent's code counts as.

    Returns:
        Itself; a `RuntimeError` for what is no `Exception`, such as the `CancelledError` of something that was
        cancelled elsewhere; None when this task is being cancelled, or the program is to end: raise it again.
    """
    if isinstance(raised, Exception):
        return raised
    if isinstance(raised, KeyboardInterrupt | SystemExit | GeneratorExit):
        return None
    if isinstance(raised, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is None or task.cancelling():
            return None
        failure = RuntimeError("a CancelledError that was not its own: it awaited what somebody else had cancelled")
    else:
        failure = RuntimeError(f"{type(raised).__name__}: {said(raised)}")
    failure.__cause__ = raised
    return failure


async def settle(tasks: Iterable[asyncio.Task[None]], timeout_s: float) -> None:
    """Waits until cancelled tasks have ended, but for its own; their failures were reported where they happened."""
    waiting = [task for task in tasks if task is not asyncio.current_task()]
    if waiting:
        await asyncio.wait(waiting, timeout=timeout_s)


class Host(Surroundings, Protocol):
    """The agent's side of a worker."""

    @property
    def running(self) -> bool:
        """Whether handlers may run now."""
        ...

    @property
    def ended(self) -> bool:
        """Whether handlers will never run again."""
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

    __slots__ = ("__weakref__", "_buckets", "_fresh", "counters", "handler", "host", "mailbox", "spec", "tasks")

    def __init__(self, host: Host, spec: OnSpec | RpcSpec, handler: Handler) -> None:
        self.host = host
        self.spec = spec
        self.handler = handler
        self.counters = Counters()
        limits = host.port.bus.limits
        fair = limits is not None and limits.fair and spec.overflow != "block"
        self.mailbox = FairMailbox(spec.mailbox) if fair else Mailbox(spec.mailbox)
        rate = spec.rate or (limits.per_sender if limits is not None and spec.overflow != "block" else None)
        self._buckets = Buckets(rate, (limits or Limits()).senders) if rate is not None else None
        self.tasks: dict[asyncio.Task[None], None] = {}
        self._fresh: set[asyncio.Task[None]] = set()  # of these, those that have taken nothing yet

    def admit(self, inbound: Inbound) -> Inbound | None:
        """What of a frame its sender may send now, by its rate. The rest is refused, and counted."""
        if self._buckets is None:
            return inbound
        count = len(inbound.frame.payloads)
        bucket = self._buckets.of(inbound.principal, inbound.received_s)
        passed = bucket.take(count, inbound.received_s)
        if passed == count:
            return inbound
        self.counters.received += count - passed
        self.counters.dropped += count - passed
        self.counters.limited += count - passed
        self.limited(inbound, range(passed, count), bucket)
        return part(inbound, range(passed)) if passed else None

    def limited(self, inbound: Inbound, places: range, bucket: Bucket) -> None:
        """Tells of messages that their sender may not send now; of a flood now and then."""
        count = bucket.tell(len(places))
        if not count:
            return
        host = self.host
        why = f"{inbound.frame.source or 'a foreign client'} sends more than {bucket.rate.per_s:g} a second"
        host.dropped(self.spec.name, count, why)
        if host.port.bus.watcher is not None:
            host.port.bus.watcher.saw(inbound.principal, FLOOD, count / bucket.rate.per_s)

    def offer(self, inbound: Inbound) -> None:
        """Takes a frame in, but for what its sender may not send."""
        admitted = self.let_in(inbound)
        if admitted is not None:
            self.take_in(admitted)

    def let_in(self, inbound: Inbound) -> Inbound | None:
        """What of a frame may come in: its sender may send it now, and has signed it where that is asked for. The rest
        is refused."""
        if inbound.engagement is None:  # else its call was admitted
            admitted = self.admit(inbound)
            if admitted is None:
                return None
            inbound = admitted
        if inbound.foreign and self.spec.unsigned == "refuse" and self.host.port.bus.guard is not None:
            self.refuse_unsigned(inbound)
            return None
        return inbound

    def take_in(self, inbound: Inbound) -> None:
        """Puts what was let in into the mailbox; what that has no room for is dropped by the behavior's policy."""
        if self.host.ended:
            count = len(inbound.frame.payloads)
            self.counters.received += count
            self.reject(inbound, range(count), "its agent is gone")
            return
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

    def refuse_unsigned(self, inbound: Inbound) -> None:
        """Refuses what nobody has signed; tells who asked."""
        error = Unauthorized(f"{self.host.name}.{self.spec.name} takes only what is signed")
        self.counters.received += 1
        self.counters.refused += 1
        self.host.port.bus.refuse(inbound.subject, error)
        answer(self.host, inbound, 0, error)

    @property
    def queued(self) -> int:
        """Messages that wait."""
        return self.mailbox.size

    def resume(self) -> None:
        """Starts as many tasks as there is work for, if handlers may run."""
        if self.host.running:
            busy = len(self.tasks) - len(self._fresh)
            wanted = min(self.spec.concurrency, busy + self.mailbox.size)
            while len(self.tasks) < wanted:
                task = self.host.port.bus.loop.create_task(self._begin(), name=self.spec.name)
                self._fresh.add(task)
                self.keep(task)

    def keep(self, task: asyncio.Task[None]) -> None:
        """Counts a task among its own until it has ended."""
        self.tasks[task] = None
        task.add_done_callback(self._ended)

    async def _begin(self) -> None:
        self._fresh.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        await self._run()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._fresh.discard(task)  # it was cancelled before it had begun
        self.tasks.pop(task, None)
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
        while self.mailbox.waiting:
            inbound, index = self.mailbox.take()
            self.reject(inbound, range(index, index + 1), why)

    def halt(self, why: str) -> None:
        """Begins nothing more; what runs, runs on."""
        self.reject_waiting(why)

    def cancel(self, but: asyncio.Task[None] | None = None) -> None:
        """Cancels what runs."""
        for task in self.tasks:
            if task is not but:
                task.cancel()

    def failed(self, error: Exception) -> None:
        """Counts a failure and reports it."""
        self.counters.last_error = f"{type(error).__name__}: {said(error)}"[:500]
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
    """Runs an `@on`. A failed event is lost, counted."""

    __slots__ = ()

    def halt(self, why: str) -> None:
        self.mailbox.halted = True
        super().halt(why)

    async def _run(self) -> None:
        loop = self.host.port.bus.loop
        start = loop.time()
        while self.mailbox.waiting and self.host.running and not self.mailbox.halted:
            if self.spec.concurrency == 1 and self.spec.overflow != "drop_oldest":
                inbound, first = self.mailbox.take_frame()
                await self._frame(inbound, first)
            else:
                inbound, index = self.mailbox.take()
                self.mailbox.size += 1
                await self._frame(part(inbound, range(index, index + 1)), 0)
            if loop.time() - start > SLICE_S:
                await asyncio.sleep(0)
                start = loop.time()
        if self.mailbox.halted:
            self.reject_waiting("its node is going away")

    async def _frame(self, inbound: Inbound, index: int) -> None:
        """Handles a frame's messages from `index` on; gives back what is left when the host stops running."""
        host, counters, mailbox = self.host, self.counters, self.mailbox
        time = host.port.bus.loop.time
        parse = self.spec.type.FromString if inbound.foreign != "json" else None
        began = turn = time()
        handled = 0
        try:
            for payload in inbound.frame.payloads[index:] if index else inbound.frame.payloads:
                if mailbox.halted:
                    return
                mailbox.size -= 1
                index += 1
                try:
                    message = parse(payload) if parse else self.parse(inbound, index - 1)
                except (DecodeError, SchemaMismatch) as error:
                    if isinstance(error, DecodeError):
                        self.malformed()
                    continue
                try:
                    await self.handler(message, Context(host, inbound, index - 1))
                    handled += 1
                except BaseException as raised:
                    error = failure_of(raised)
                    if error is None:
                        counters.dropped += 1
                        raise
                    if isinstance(error, AgentBusError):
                        counters.refused += 1
                    else:
                        counters.failed += 1
                    self.failed(error)
                    if not host.running:
                        return
                if not index % LOOK and time() - turn > SLICE_S:
                    await asyncio.sleep(0)
                    turn = time()
                    if not host.running:
                        return
        finally:
            counters.handled += handled
            counters.busy_s += time() - began
            mailbox.give_back(inbound, index)


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
