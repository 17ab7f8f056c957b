"""The in-memory transport: NATS's semantics in one process, with faults. For tests, simulations and single programs.

Invariants: those of `agentbus.transport`, held by the same conformance kit as NATS; no receiver runs inside a call of
the transport; every wait ends by its deadline in the running loop's time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, TypeVar

from ..errors import AgentBusError, Closed, NotConnected, PayloadTooLarge, StorageFailed
from ..subjects import check_subject
from ..transport import (
    ConsumerSpec,
    Headers,
    Job,
    LinkState,
    LinkWatcher,
    Receiver,
    Stored,
    StoredMessage,
    StreamSpec,
    Write,
)
from .memory_broker import MemoryBroker
from .memory_consumer import Pull
from .memory_follower import Following
from .memory_link import MESSAGE_BYTES, Link, Observer, header_bytes
from .memory_routes import Interest
from .stored import stamped, stamped_batch

__all__ = ["MemoryBroker", "MemoryTransport", "Observer"]

ResultT = TypeVar("ResultT")
HIGH_WATER = 1 << 20
"""Bytes sent and not yet taken by the broker, above which a transport is congested."""
STORE_TRY_S = 1.0
"""Seconds that one attempt to store waits for its answer."""
RESOLUTION_S = 1e-6
"""Seconds that are no time to wait for: a loop's timer may fire that early, and virtual time would stand still."""


class MemoryTransport:
    """One connection to a `MemoryBroker`. See `agentbus.transport.Transport`.

    Args:
        broker: where it leads.
        name: by which the broker's faults mean it. Default: a number.
    """

    def __init__(self, broker: MemoryBroker, *, name: str = "") -> None:
        self._broker = broker
        self._exchange = broker.exchange
        self._link = Link(name or broker.new_name())
        self._state = LinkState.CONNECTING
        self._watcher: LinkWatcher | None = None
        self._interests: dict[Interest, None] = {}
        self._asked: dict[asyncio.Future[Any], None] = {}
        self._linked: dict[asyncio.Future[None], None] = {}
        self._largest = broker.max_payload + MESSAGE_BYTES
        self._max_waiting = broker.max_waiting
        self._known = broker.exchange.routes.cache

    @property
    def name(self) -> str:
        """By which the broker's faults mean it."""
        return self._link.name

    @property
    def link(self) -> Link:
        """The broker's end of this connection."""
        return self._link

    @property
    def url(self) -> str:
        return f"memory://{self._broker.name}"

    @property
    def connected(self) -> bool:
        return self._link.up and self._state is LinkState.CONNECTED

    @property
    def congested(self) -> bool:
        return self._link.queued + self._link.waiting_out > HIGH_WATER

    @property
    def max_payload(self) -> int:
        return self._broker.max_payload

    async def connect(self, *, timeout_s: float = 5.0, watcher: LinkWatcher | None = None) -> None:
        """Connects. Raises `NotConnected` when the broker is stopped, or cut off, for so long."""
        self._not_closed()
        self._watcher = watcher
        try:
            async with asyncio.timeout(timeout_s):
                while not self._exchange.reachable(self._link):
                    await self._broker.changed()
        except TimeoutError:
            raise NotConnected(
                f"{self.url} did not answer within {timeout_s:g} s: start the broker, or heal the partition"
            ) from None
        self._not_closed()
        self.link_back()

    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None:
        """Hands one live message to the broker. Raises as `Transport.send`; `SubjectError` for a bad subject."""
        link = self._link
        size = len(body) + MESSAGE_BYTES
        if headers:
            headers = dict(headers)
            size += header_bytes(headers)
        else:
            headers = None
        if size > self._largest or not link.up or link.queued + link.waiting_out + size > self._max_waiting:
            self._refuse(subject, size - MESSAGE_BYTES)
        if subject not in self._known:
            check_subject(subject)
        self._exchange.accept((link, subject, body, reply, headers), size)

    def hold(self) -> None:
        """See `Transport.hold`. Here nothing is written."""

    async def writable(self, *, timeout_s: float = 5.0) -> None:
        """Waits until `congested` is false. Raises `NotConnected`."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self.congested:
            await self._ask(_nothing, deadline - asyncio.get_running_loop().time(), "writable")
        self._has_link()

    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Interest:
        """Listens. Raises `SubjectError`, `Closed`."""
        self._not_closed()
        check_subject(subject, pattern=True)
        if queue:
            check_subject(queue, what="queue group")
        interest = self._broker.new_interest(self._link, subject, queue, receiver, self._forget)
        self._interests[interest] = None
        if self._link.up:
            self._exchange.control(self._link, lambda: self._register(interest), surely=True)
        return interest

    async def flush(self, *, timeout_s: float = 5.0) -> None:
        """Returns when all sent was seen, and all delivered by then was received. Raises `NotConnected`."""
        await self._ask(_nothing, timeout_s, "flush")

    async def ensure_stream(self, spec: StreamSpec, *, timeout_s: float = 5.0) -> None:
        """Makes or changes a stream. Raises `StorageFailed`, `NotConnected`."""
        left_s = await self._wait_for_link(timeout_s)
        await self._ask(lambda: self._exchange.ensure_stream(spec), left_s, f"stream {spec.name}")

    async def store(
        self,
        subject: str,
        body: bytes,
        *,
        message_id: str,
        headers: Headers | None = None,
        expected: int | None = None,
        among: str = "",
        ttl_s: float | None = None,
        timeout_s: float = 5.0,
    ) -> Stored:
        """Stores a message. Raises `Conflict`, `StorageFailed`, `PayloadTooLarge`, `Closed`."""
        marks = stamped(message_id, headers, expected, among, ttl_s)
        return (await self._store([(subject, body, marks)], timeout_s))[0]

    async def store_all(
        self, writes: Sequence[Write], *, message_id: str, timeout_s: float = 5.0
    ) -> tuple[Stored, ...]:
        """Stores a batch. Raises `Conflict`, `StorageFailed`, `PayloadTooLarge`, `ConfigurationError`, `Closed`."""
        batch = [(write.subject, write.body, marks) for write, marks in stamped_batch(writes, message_id)]
        return await self._store(batch, timeout_s)

    async def last(self, stream: str, subject: str, *, timeout_s: float = 5.0) -> StoredMessage | None:
        """See `Transport.last`."""
        return await self._tried(lambda: self._exchange.last(stream, subject), f"last of {subject}", timeout_s)

    async def after(self, stream: str, subject: str, sequence: int, *, timeout_s: float = 5.0) -> StoredMessage | None:
        """See `Transport.after`."""
        operate = partial(self._exchange.after, stream, subject, sequence)
        return await self._tried(operate, f"next of {subject}", timeout_s)

    async def subjects(self, stream: str, pattern: str, *, timeout_s: float = 5.0) -> Mapping[str, int]:
        """See `Transport.subjects`."""
        return await self._tried(lambda: self._exchange.subjects(stream, pattern), f"subjects of {stream}", timeout_s)

    async def purge(self, stream: str, subject: str, *, before: int | None = None, timeout_s: float = 5.0) -> int:
        """See `Transport.purge`."""
        operate = partial(self._exchange.purge, stream, subject, before)
        return await self._tried(operate, f"purge of {subject}", timeout_s)

    async def follow(
        self,
        stream: str,
        filters: Sequence[str],
        receiver: Callable[[StoredMessage], None],
        *,
        after: int | None = None,
        timeout_s: float = 5.0,
    ) -> Following:
        """See `Transport.follow`."""
        left_s = await self._wait_for_link(timeout_s)
        operate = partial(self._exchange.follow, stream, filters, self._link, receiver, after)
        try:
            return await self._ask(operate, left_s, f"follow {stream}")
        except NotConnected as error:
            raise StorageFailed(str(error)) from None

    async def consume(self, spec: ConsumerSpec, receiver: Callable[[Job], None], *, timeout_s: float = 5.0) -> Pull:
        """Begins to consume. Raises `StorageFailed`, `NotConnected`."""
        left_s = await self._wait_for_link(timeout_s)
        return await self._ask(
            lambda: self._exchange.attach(spec, self._link, receiver), left_s, f"consumer {spec.name}"
        )

    async def close(self, *, timeout_s: float = 1.0) -> None:
        """Lets what was sent reach the broker, within `timeout_s`, and closes."""
        if self._state is LinkState.CLOSED:
            return
        self._state = LinkState.CLOSED
        self._largest = 0  # so that `send` refuses, while the link is still up to write what is pending
        self._exchange.detach(self._link)
        self._fail_waiting(Closed(f"{self.url} was closed"))
        try:
            if self._link.up:
                await self._ask(_nothing, timeout_s, "close", closing=True)
        except (NotConnected, Closed):
            self._link.count_drop("closed before it was written")
        finally:
            self._end("closed")
            self._tell(LinkState.CLOSED, "closed")

    # Called by the broker; see `memory_broker.Connection`.

    def link_lost(self, reason: str) -> None:
        self._fail_waiting(NotConnected(f"{self.url}: {reason}"))
        if self._state is not LinkState.CLOSED:
            self._state = LinkState.RECONNECTING
            self._tell(LinkState.RECONNECTING, reason)

    def link_back(self) -> None:
        if self._state is LinkState.CLOSED or self._link.up or not self._exchange.reachable(self._link):
            return
        for interest in self._interests:
            self._exchange.routes.add(interest)
        self._broker.admit(self)
        self._state = LinkState.CONNECTED
        for waiter in self._linked:
            if not waiter.done():
                waiter.set_result(None)
        self._tell(LinkState.CONNECTED, "connected")

    def vanish(self) -> None:
        self._state = LinkState.CLOSED
        self._fail_waiting(Closed(f"{self.url}: this connection has crashed"))
        self._end("crashed")

    # Inside.

    async def _store(self, batch: Sequence[tuple[str, bytes, Headers]], timeout_s: float) -> tuple[Stored, ...]:
        for subject, body, marks in batch:
            check_subject(subject)
            size = len(body) + header_bytes(marks)
            if size > self.max_payload:
                raise _too_large(subject, size, self.max_payload)
        subject = batch[0][0]
        stored = await self._tried(lambda: self._exchange.store(self._link, batch), subject, timeout_s)
        if not stored:
            raise StorageFailed(f"{subject}: no stream takes it; call ensure_stream with a pattern that matches it")
        return stored

    async def _tried(self, operate: Callable[[], ResultT], what: str, timeout_s: float) -> ResultT:
        """What a stream answers, asked again whenever the question or the answer is lost. Raises `StorageFailed`."""
        self._not_closed()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        reason = ""
        while (left_s := deadline - loop.time()) > RESOLUTION_S:
            try:
                left_s = min(await self._wait_for_link(left_s), STORE_TRY_S)
                return await self._ask(operate, left_s, what, loss=True)
            except NotConnected as error:
                reason = str(error)
        raise StorageFailed(f"{what}: not acknowledged within {timeout_s:g} s, try again with the same id; {reason}")

    def _tell(self, state: LinkState, reason: str) -> None:
        if self._watcher is not None:
            self._watcher(state, reason)

    def _end(self, reason: str) -> None:
        for interest in list(self._interests):
            interest.unsubscribe()
        self._broker.dismiss(self._link, reason)
        self._link.up = False

    def _register(self, interest: Interest) -> None:
        if interest.active:
            self._exchange.routes.add(interest)

    def _forget(self, interest: Interest) -> None:
        self._interests.pop(interest, None)
        self._exchange.routes.remove(interest)

    async def _ask(
        self, operate: Callable[[], ResultT], timeout_s: float, what: str, *, loss: bool = False, closing: bool = False
    ) -> ResultT:
        """Has something done at the broker and returns its outcome. Raises `NotConnected`, and what it raises."""
        if not closing:
            self._has_link()
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._asked[future] = None
        self._exchange.control(self._link, lambda: self._operate(operate, future, loss), loss=loss)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise NotConnected(f"{what}: {self.url} did not answer within {timeout_s:g} s") from None
        finally:
            self._asked.pop(future, None)

    def _operate(self, operate: Callable[[], ResultT], future: asyncio.Future[ResultT], loss: bool) -> None:
        try:
            arrived = partial(_resolve, future, operate())
        except AgentBusError as error:
            arrived = partial(_fail, future, error)
        self._exchange.answer(self._link, arrived, loss=loss)

    async def _wait_for_link(self, timeout_s: float) -> float:
        """Returns the seconds that are left when there is a link. Raises `NotConnected`, `Closed`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                while not self._link.up:
                    self._not_closed()
                    waiter: asyncio.Future[None] = loop.create_future()
                    self._linked[waiter] = None
                    try:
                        await waiter
                    finally:
                        del self._linked[waiter]
        except TimeoutError:
            raise NotConnected(f"no link to {self.url} within {timeout_s:g} s") from None
        self._not_closed()
        return deadline - loop.time()

    def _fail_waiting(self, error: AgentBusError) -> None:
        for future in self._asked:
            _fail(future, error)
        if isinstance(error, Closed):
            for waiter in self._linked:
                _fail(waiter, error)

    def _not_closed(self) -> None:
        if self._state is LinkState.CLOSED:
            raise Closed(f"{self.url}: connection {self.name} has been closed; make a new one")

    def _has_link(self) -> None:
        self._not_closed()
        if not self._link.up:
            raise NotConnected(f"no link to {self.url}: {self._state.value}; try again when it is connected")

    def _refuse(self, subject: str, size: int) -> NoReturn:
        self._has_link()
        if size > self.max_payload:
            raise _too_large(subject, size, self.max_payload)
        raise NotConnected(f"{self._max_waiting} bytes wait for {self.url}: await writable() before sending more")


def _too_large(subject: str, size: int, limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"{subject}: {size} bytes of body and headers, {limit} are allowed: send less, or in parts")


def _nothing() -> None:
    """What a round trip does at the broker."""


def _resolve(future: asyncio.Future[ResultT], result: ResultT) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: AgentBusError) -> None:
    if not future.done():
        future.set_exception(error)
