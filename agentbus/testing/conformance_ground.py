"""The ground that a conformance check stands on: connections, subjects of its own, and waits that end.

Invariants: each `Ground` has a realm that no other has, so checks share a broker and never meet; every connection it
opened is closed at its end; every wait has a deadline in seconds of the running loop, so a virtual-time loop serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, TypeVar
from uuid import uuid4

from ..errors import AgentBusError, NotConnected
from ..transport import (
    Consumption,
    Headers,
    Job,
    Receiver,
    StreamLimits,
    StreamSpec,
    Subscription,
    Transport,
    TransportFactory,
)

ItemT = TypeVar("ItemT")
POLL_S = 0.02
"""Seconds between two looks at a condition that has no event of its own."""


class BrokerControl(Protocol):
    """Stops and starts the broker that the factory's connections lead to, durable streams kept."""

    async def stop(self) -> None: ...
    async def start(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Message:
    """One live message as a receiver got it."""

    subject: str
    body: bytes
    reply: str
    headers: Headers | None


class Collected(Generic[ItemT]):
    """What came, in order. A check waits for a number of items, never for a time."""

    def __init__(self, patience_s: float) -> None:
        self.items: list[ItemT] = []
        self._patience_s = patience_s
        self._awaited = 0
        self._reached = asyncio.Event()

    def add(self, item: ItemT) -> None:
        self.items.append(item)
        if len(self.items) >= self._awaited:
            self._reached.set()

    async def wait(self, number: int, what: str, *, within_s: float = 0.0) -> Sequence[ItemT]:
        """Returns all items when there are `number`. Raises `AssertionError` after `within_s`, by default the kit's
        patience."""
        self._awaited = number
        self._reached.clear()
        if len(self.items) < number:
            try:
                async with asyncio.timeout(within_s or self._patience_s):
                    await self._reached.wait()
            except TimeoutError:
                raise AssertionError(f"{what}: {len(self.items)} came of {number}") from None
        return self.items


class Inbox(Collected[Message]):
    """A receiver of live messages that keeps them."""

    def __call__(self, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        self.add(Message(subject, body, reply, headers))

    @property
    def bodies(self) -> list[bytes]:
        return [message.body for message in self.items]

    @property
    def subjects(self) -> list[str]:
        return [message.subject for message in self.items]


class Worker(Collected[Job]):
    """A receiver of jobs that keeps them, and settles each as `settle` says."""

    def __init__(self, patience_s: float, settle: Callable[[Job], None] | None = None) -> None:
        super().__init__(patience_s)
        self._settle = settle

    def __call__(self, job: Job) -> None:
        self.add(job)
        if self._settle is not None:
            self._settle(job)

    def settle_with(self, settle: Callable[[Job], None]) -> None:
        """Settles those that came, and those to come."""
        self._settle = settle
        for job in list(self.items):
            settle(job)

    @property
    def bodies(self) -> list[bytes]:
        return [job.body for job in self.items]


class Ground:
    """Where one check runs. An async context manager: closes its connections and consumptions."""

    def __init__(
        self, factory: TransportFactory, *, patience_s: float = 5.0, broker: BrokerControl | None = None
    ) -> None:
        self.realm = f"conformance-{uuid4().hex[:12]}"
        self.patience_s = patience_s
        self._factory = factory
        self._broker = broker
        self._links: list[Transport] = []
        self._consumptions: list[Consumption] = []

    async def __aenter__(self) -> Ground:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for consumption in self._consumptions:
            consumption.stop()
        for link in self._links:
            await link.close(timeout_s=1.0)

    @property
    def broker(self) -> BrokerControl:
        """The broker's switch. Raises `AssertionError` when the kit was given none."""
        require(self._broker is not None, "this check needs broker=, to stop and start it")
        assert self._broker is not None
        return self._broker

    async def link(self) -> Transport:
        """One more connection."""
        async with asyncio.timeout(self.patience_s):
            link = await self._factory()
        self._links.append(link)
        require(link.connected, "a transport from the factory is not connected")
        return link

    def subject(self, *tokens: str) -> str:
        """A subject or pattern in this ground's realm."""
        return ".".join((self.realm, *tokens))

    def inbox(self) -> Inbox:
        return Inbox(self.patience_s)

    def worker(self, settle: Callable[[Job], None] | None = None) -> Worker:
        return Worker(self.patience_s, settle)

    async def listen(self, link: Transport, subject: str, receiver: Receiver, queue: str = "") -> Subscription:
        """Subscribes, and returns when the broker knows."""
        subscription = link.subscribe(subject, receiver, queue)
        await link.flush(timeout_s=self.patience_s)
        return subscription

    async def settle(self, *links: Transport) -> None:
        """Returns when all that `links` sent has been received by those of them that it was meant for: each has
        flushed what it sent, then what it gets."""
        for _ in range(2):
            for link in links:
                await link.flush(timeout_s=self.patience_s)

    async def stream(self, link: Transport, label: str = "log", **limits: float) -> StreamSpec:
        """A small stream of the subjects below `label`."""
        spec = self.stream_spec(label, **limits)
        await link.ensure_stream(spec, timeout_s=self.patience_s)
        return spec

    def stream_spec(self, label: str = "log", **limits: float) -> StreamSpec:
        """The specification of a small stream: 1 MiB unless `limits` say otherwise."""
        given: dict[str, float] = {"max_bytes": 1 << 20, **limits}
        return StreamSpec(
            name=f"{self.realm}-{label}",
            subjects=(self.subject(label, ">"),),
            limits=StreamLimits(
                max_bytes=int(given["max_bytes"]),
                max_age_s=given.get("max_age_s", 3600.0),
                max_messages=int(given.get("max_messages", -1)),
                duplicate_window_s=given.get("duplicate_window_s", 60.0),
            ),
        )

    def running(self, consumption: Consumption) -> Consumption:
        """Takes over the end of a consumption."""
        self._consumptions.append(consumption)
        return consumption

    async def until(self, condition: Callable[[], bool], what: str, *, within_s: float = 0.0) -> None:
        """Returns when `condition` holds. Raises `AssertionError` when it does not in time."""
        try:
            async with asyncio.timeout(within_s or self.patience_s):
                while not condition():  # noqa: ASYNC110 - a condition of someone else's object has no event
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(what) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise and the code that tries it.

    Attributes:
        name: for lists and test identifiers.
        promise: what must hold, in words.
        deadline_s: seconds for the whole check.
        body: the code.
    """

    name: str
    promise: str
    deadline_s: float
    body: Callable[[Ground], Awaitable[None]]

    def __str__(self) -> str:
        return self.name

    async def run(
        self, factory: TransportFactory, *, patience_s: float = 5.0, broker: BrokerControl | None = None
    ) -> None:
        """Tries the promise on connections made by `factory`. Raises `AssertionError` naming it when it is broken."""
        try:
            async with (
                asyncio.timeout(self.deadline_s),
                Ground(factory, patience_s=patience_s, broker=broker) as ground,
            ):
                await self.body(ground)
        except TimeoutError as error:
            raise AssertionError(f"{self.name}: {self.promise}: not done within {self.deadline_s} s") from error
        except (AssertionError, AgentBusError) as error:
            told = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
            raise AssertionError(f"{self.name}: {self.promise}: {told}") from error


def promise(text: str, *, deadline_s: float = 10.0) -> Callable[[Callable[[Ground], Awaitable[None]]], Check]:
    """Makes a `Check` of a coroutine function; its name, with dashes, is the check's."""

    def make(body: Callable[[Ground], Awaitable[None]]) -> Check:
        name = getattr(body, "__name__", "check").replace("_", "-")
        return Check(name=name, promise=text, deadline_s=deadline_s, body=body)

    return make


def require(kept: bool, detail: str) -> None:
    """Raises `AssertionError`, also under ``python -O``, unless `kept`."""
    if not kept:
        raise AssertionError(detail)


def refused(call: Callable[[], object], error: type[AgentBusError], what: str) -> None:
    """Requires that `call` raises `error`."""
    try:
        call()
    except error:
        return
    except AgentBusError as other:
        raise AssertionError(f"{what}: {type(other).__name__} came in place of {error.__name__}") from other
    raise AssertionError(f"{what}: no {error.__name__}")


async def refused_async(call: Awaitable[object], error: type[AgentBusError], what: str) -> str:
    """Requires that awaiting `call` raises `error`; returns its text."""
    try:
        await call
    except error as expected:
        return str(expected)
    except AgentBusError as other:
        raise AssertionError(f"{what}: {type(other).__name__} came in place of {error.__name__}") from other
    raise AssertionError(f"{what}: no {error.__name__}")


async def send_paced(link: Transport, subject: str, bodies: Sequence[bytes], *, patience_s: float) -> None:
    """Sends all, waiting whenever the link is congested."""
    for number, body in enumerate(bodies):
        if link.congested:
            await link.writable(timeout_s=patience_s)
        link.send(subject, body)
        if number % 500 == 499:
            await asyncio.sleep(0)


def is_linked(link: Transport) -> bool:
    """Whether the link is up; `connected` may say so only when subscriptions are there again."""
    return link.connected


async def send_until_taken(ground: Ground, link: Transport, subject: str, body: bytes) -> None:
    """Sends once the link is up again."""
    await ground.until(lambda: is_linked(link), "the link did not come back after the broker's restart", within_s=10.0)
    try:
        link.send(subject, body)
    except NotConnected as error:
        raise AssertionError("send raised NotConnected though connected was true") from error
