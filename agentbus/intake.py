"""What one agent hears: its subscriptions, its durable consumers, and who of its workers gets what.

Interest ends by draining: what the broker had given to this agent before it knew still comes in, and is answered.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from .bidding import Bidder, Bidding
from .durable import DurableWorker
from .errors import AgentBusError, Refused, SchemaMismatch, Unauthorized
from .inbound import Inbound, Listener
from .limits import Buckets, Rate
from .messages import full_name
from .proposals import AWARD, CALL, CANCELLATION, REJECTION
from .routes import Cancel, Routes
from .specs import Behaviors, OnSpec, PolicySpec, RpcSpec
from .streams import DurableStreams
from .subjects import Subjects, placed, type_token
from .transport import ConsumerSpec, Consumption, Job
from .worker import EventWorker, Worker, answer

UNKNOWN = Rate(per_s=100.0, burst=100)
"""How many of its messages that nobody here handles each sender is told of, where senders have limits."""


class Realm(Protocol):
    """What a node shares among its agents to hear by."""

    routes: Routes
    streams: DurableStreams
    subjects: Subjects


class Listening(Bidding, Protocol):
    """The agent's side of an intake."""

    workers: dict[str, Worker]

    @property
    def node(self) -> str:
        """The node's name."""
        ...

    @property
    def behaviors(self) -> Behaviors:
        """What the agent does."""
        ...

    def worker_of(self, spec: OnSpec | RpcSpec) -> Worker:
        """The worker of a behavior."""
        ...


class Intake:
    """The ears of one agent.

    Args:
        host: the agent's side; its workers are there when `begin` is called.
        realm: the node's side.

    Attributes:
        unhandled: messages sent to this agent by name that it has no behavior for.
    """

    __slots__ = ("_answering", "_bidders", "_cancels", "_consumptions", "_host", "_realm", "_unknown", "unhandled")

    def __init__(self, host: Listening, realm: Realm) -> None:
        self._host = host
        self._realm = realm
        self._cancels: list[Cancel] = []
        self._answering: dict[str, Worker] = {}  # by the type of request
        self._bidders: list[Bidder] = []
        self._consumptions: list[Consumption] = []
        limits = host.port.bus.limits
        self._unknown = Buckets(UNKNOWN, limits.senders) if limits is not None else None
        self.unhandled = 0

    async def begin(self) -> None:
        """Begins to hear. Raises `StorageFailed`, `NotConnected` when a durable consumer can't be had."""
        host, routes, subjects = self._host, self._realm.routes, self._realm.subjects
        bus = host.port.bus
        behaviors = host.behaviors
        if not (behaviors.on or behaviors.rpc):
            return
        self._cancels.append(bus.listen(subjects.to_agent(host.name), self._directed, "", host.name).drain)
        for spec in behaviors.rpc:
            name = full_name(spec.type)
            worker = self._answering[name] = host.worker_of(spec)
            offer = worker.offer
            self._cancels.append(bus.listen(subjects.any(name), offer, name, "any").drain)
            self._cancels.append(routes.plain(subjects.all(name), name, offer))
            if isinstance(spec, PolicySpec):
                bidder = Bidder(host, spec, offer)
                self._bidders.append(bidder)
                called = _admitted(worker, bidder.called)
                self._cancels.append(routes.plain(subjects.call(name), CALL, called))
                self._cancels.append(routes.plain(subjects.closed(name), REJECTION, bidder.closed))
        for spec in behaviors.on:
            worker = host.worker_of(spec)
            name = full_name(spec.type)
            if isinstance(worker, DurableWorker):
                await self._consume(spec, worker)
                continue
            for subject in subjects.events(name, self._topic(spec)):
                if spec.queue is None:
                    self._cancels.append(routes.plain(subject, name, worker.offer))
                else:
                    self._cancels.append(routes.queue(subject, name, spec.queue, worker.offer))

    def end(self) -> None:
        """Ends all interest; a second call does nothing."""
        for consumption in self._consumptions:
            consumption.stop()
        for cancel in self._cancels:
            cancel()
        self._consumptions, self._cancels = [], []

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What offers awarded jobs once more."""
        return [task for bidder in self._bidders for task in bidder.tasks]

    def _topic(self, spec: OnSpec) -> str:
        return placed(spec.topic, node=self._host.node, agent=self._host.name)

    async def _consume(self, spec: OnSpec, worker: DurableWorker) -> None:
        await self._realm.streams.ensure()
        bus = self._host.port.bus
        name = full_name(spec.type)

        def receive(job: Job) -> None:
            inbound = bus.decode(job.subject, job.body, "", job.headers, name, durable=True)
            if inbound is None or len(inbound.frame.payloads) != 1:
                error = SchemaMismatch(f"not one {name} in a frame")
                broken = Inbound.foreign_of(job.subject, job.body, "", None, name, bus.loop.time())
                broken.job = job
                worker.give_up_unread(broken, error)
                return
            inbound.job = job
            if inbound.opened is None or bus.guard is None:
                worker.offer(inbound)
                return

            def claimed(claim: Job, error: AgentBusError | None) -> None:
                inbound.job = claim
                if error is None:
                    worker.offer(inbound)
                elif isinstance(error, Unauthorized):
                    bus.refuse(job.subject, error)
                    job.discard()
                else:
                    job.retry(spec.backoff.max_s)

            bus.guard.claim(consumer.name, inbound.opened, job, claimed)

        consumer = ConsumerSpec(
            stream=self._realm.streams.log,
            name=f"{spec.durable}--{type_token(name)}",
            filters=self._realm.subjects.durables(name, self._topic(spec)),
            ack_wait_s=spec.ack_wait_s,
            max_in_flight=worker.max_in_flight,
        )
        self._consumptions.append(await bus.transport.consume(consumer, receive))

    def _directed(self, inbound: Inbound) -> None:
        """Something for this agent by name: a request to its `@rpc`, an event to its `@on` of the type, or what became
        of one of its bids."""
        host = self._host
        kind = inbound.frame.type
        if kind in (AWARD, CANCELLATION) and self._bidders:
            self._decided(inbound)
            return
        if not inbound.reply:
            hears = [w for w in host.workers.values() if isinstance(w, EventWorker) and full_name(w.spec.type) == kind]
            for worker in hears:
                worker.offer(inbound)
            if hears:
                return
        worker = self._answering.get(kind)
        if worker is not None:
            worker.offer(inbound)
            return
        count = len(inbound.frame.payloads)
        self.unhandled += count
        host.dropped("", count, f"it has no behavior for {kind}")
        told = count
        if self._unknown is not None:
            told = self._unknown.of(inbound.principal, inbound.received_s).take(count, inbound.received_s)
        for index in range(told):
            answer(host, inbound, index, SchemaMismatch(f"agent {host.name!r} has no @rpc for {kind}"))

    def _decided(self, inbound: Inbound) -> None:
        """Each bidder takes what is of its own calls; an award of none is refused."""
        for index in range(len(inbound.frame.payloads)):
            for bidder in self._bidders:
                if bidder.decided(inbound, index):
                    break
            else:
                if inbound.frame.type == AWARD:
                    answer(self._host, inbound, index, Refused("it has no open bid: it has expired, or was lost"))


def _admitted(worker: Worker, called: Listener) -> Listener:
    """Hears calls for proposals that their sender may make."""

    def hear(inbound: Inbound) -> None:
        admitted = worker.admit(inbound)
        if admitted is not None:
            called(admitted)

    return hear
