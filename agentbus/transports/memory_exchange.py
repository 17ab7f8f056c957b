"""The inside of the in-memory broker: what was sent in a turn of the event loop, and how it reaches who is to have it.

Invariants: nothing is delivered from within a call of a transport's methods: what is sent in one turn is delivered, in
the order of sending, by one callback in the next. Without faults and observer a message costs no task, timer or heap
entry. No reference to a loop is kept. Reference: nats-server's routing, one server without accounts.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from random import Random
from weakref import ref

import structlog

from ..errors import StorageFailed
from ..transport import NO_RESPONDERS, ConsumerSpec, Headers, Job, Stored, StoredMessage, StreamSpec
from .memory_consumer import Delivery, Pull, Settlement
from .memory_follower import Following, Told
from .memory_job import MemoryJob
from .memory_link import BROKER, MESSAGE_BYTES, Link, Observer, header_bytes
from .memory_network import Network, Parcel
from .memory_routes import Interest, Route, Routes
from .memory_storage import Storage
from .memory_stream import Append
from .stored import AMONG, EXPECTED, MESSAGE_ID, TTL

log = structlog.get_logger("agentbus.memory")

LOG_EVERY_S = 1.0
"""Seconds between two log lines about receivers of one connection that raise; all are counted."""
Message = tuple[Link, str, bytes, str, Headers | None]
Control = tuple[int, Link, bool, bool, Callable[[], None]]
"""After how many messages of the turn, whose, whether the link's loss applies, whether no fault does, what to do."""


class Exchange:
    """Live messages, and jobs, between links.

    Attributes:
        running: false while the broker is stopped.
        routes: the interest of all links.
        network: the faults, and what is under way.
    """

    def __init__(self, rng: Random, max_waiting: int, observer: Observer | None) -> None:
        self.running = True
        self._context = copy_context()  # whoever sends, receivers run in none of its context variables
        self.routes = Routes()
        self.network = Network(rng, max_waiting, observer)
        self._rng = rng
        self._storage = Storage()
        self._queue: list[Message] = []
        self._controls: list[Control] = []
        self._senders: list[Link] = []
        self._scheduled = False
        self._jobs_due = False
        self._timer: tuple[float, ref[asyncio.TimerHandle]] | None = None

    # What links send.

    def accept(self, message: Message, size: int) -> None:
        """Takes one live message; it is delivered in the next turn."""
        link = message[0]
        if not link.queued:
            self._senders.append(link)
        link.queued += size
        self._queue.append(message)
        if not self._scheduled:
            self._schedule()

    def control(self, link: Link, at_broker: Callable[[], None], *, loss: bool = False, surely: bool = False) -> None:
        """Has something done at the broker, after all that the link has sent before. `surely`: whatever the faults."""
        self._controls.append((len(self._queue), link, loss, surely, at_broker))
        if not self._scheduled:
            self._schedule()

    def answer(self, link: Link, arrived: Callable[[], None], *, loss: bool = False) -> None:
        """Has something done at the connection, after all that was delivered to it before."""
        if self.network.calm:
            arrived()
        else:
            parcel = Parcel("answer", BROKER, link, "", b"", MESSAGE_BYTES, arrived)
            self.network.carry(parcel, _now(), live=False, loss=loss)

    def reachable(self, link: Link) -> bool:
        """Whether broker and connection reach one another now."""
        return self.running and not self.network.weather.apart(link.name, BROKER)

    def thaw(self, link: Link) -> None:
        """Lets go on, in the next turn, what waits for a frozen link."""
        asyncio.get_running_loop().call_soon(self._thaw, link)

    def stop(self) -> None:
        """Loses all that is live."""
        self.running = False
        self._queue.clear()
        self._controls.clear()
        self.routes.clear()

    # The durable side, to be called from `control`.

    def ensure_stream(self, spec: StreamSpec) -> None:
        """Makes or changes a stream. Raises `StorageFailed`."""
        self._storage.ensure_stream(spec, _now())
        self.routes.set_streams(self._storage.streams)
        self.jobs_changed()

    def store(self, link: Link, batch: Sequence[tuple[str, bytes, Headers]]) -> tuple[Stored, ...]:
        """Stores messages, all of them or none, and delivers them to those who listen live. Empty: no stream takes
        them. Raises `StorageFailed`."""
        routes = [self.routes.find(subject) for subject, _, _ in batch]
        streams = {stream.spec.name: stream for route in routes for stream in route.streams}
        if not streams:
            return ()
        (stream, *others) = streams.values()
        if others or not all(route.streams for route in routes):
            raise StorageFailed("a batch is for one stream: its subjects are of several, or of none")
        if len(batch) > 1 and not stream.spec.batches:
            raise StorageFailed(f"stream {stream.spec.name} takes no batches: make it with batches=True")
        stored = stream.store([_append(*message) for message in batch], _now())
        for (subject, body, headers), one, route in zip(batch, stored, routes, strict=True):
            self.network.tell("store", link.name, stream.spec.name, subject, body, str(one.sequence))
            self._spread((link, subject, body, "", headers), route)
        self._jobs_due = True
        return stored

    def last(self, stream: str, subject: str) -> StoredMessage | None:
        """See `Transport.last`."""
        return self._storage.last(stream, subject, _now())

    def after(self, stream: str, subject: str, sequence: int) -> StoredMessage | None:
        """See `Transport.after`."""
        return self._storage.after(stream, subject, sequence, _now())

    def subjects(self, stream: str, pattern: str) -> Mapping[str, int]:
        """See `Transport.subjects`."""
        return self._storage.subjects(stream, pattern, _now())

    def purge(self, stream: str, subject: str, before: int | None) -> int:
        """See `Transport.purge`."""
        return self._storage.purge(stream, subject, before, _now())

    def follow(
        self,
        stream: str,
        filters: Sequence[str],
        link: Link,
        receiver: Callable[[StoredMessage], None],
        after: int | None,
    ) -> Following:
        """See `Transport.follow`."""
        following = self._storage.follow(stream, filters, link, receiver, after)
        self.jobs_changed()
        return following

    def attach(self, spec: ConsumerSpec, link: Link, receiver: Callable[[Job], None]) -> Pull:
        """Begins a consumption. Raises `StorageFailed`."""
        pull = self._storage.attach(spec, link, receiver)
        self.jobs_changed()
        return pull

    def detach(self, link: Link) -> None:
        """Ends all consumptions of a link."""
        self._storage.detach(link)
        self.jobs_changed()

    def settle(self, delivery: Delivery, settlement: Settlement, delay_s: float) -> None:
        """A connection's word on a job; lost when its link is down."""
        link = delivery.pull.link
        if link.up:
            self.control(link, partial(self._settle, delivery, settlement, delay_s), loss=True)

    def jobs_changed(self) -> None:
        """Looks for jobs to deliver at the end of this turn."""
        self._jobs_due = True
        if not self._scheduled:
            self._schedule()

    def _thaw(self, link: Link) -> None:
        self.network.thaw(link)
        self.jobs_changed()

    # Each turn.

    def _schedule(self) -> None:
        self._scheduled = True
        asyncio.get_running_loop().call_soon(self._drain, context=self._context)

    def _drain(self) -> None:
        queue, self._queue = self._queue, []
        controls, self._controls = self._controls, []
        self._scheduled = False
        for link in self._senders:
            link.queued = 0
        self._senders.clear()
        calm, start = self.network.calm, 0
        deliver = self._deliver if calm else self._enter
        for position, link, loss, surely, at_broker in controls:
            deliver(queue[start:position])
            start = position
            if calm or surely:
                at_broker()
            else:
                self.network.enter(link, "", b"", MESSAGE_BYTES, loss, at_broker)
        deliver(queue[start:] if start else queue)
        timed = bool(controls) or self._jobs_due
        if self._jobs_due:
            self._deliver_jobs()
        if not self.network.calm:
            self.network.release(_now())
            timed = True
        if timed:
            self._set_timer()

    def _deliver(self, queue: list[Message]) -> None:
        cache, find = self.routes.cache, self.routes.find
        for message in queue:
            _, subject, body, reply, headers = message
            route = cache.get(subject) or find(subject)
            if not route.simple:
                self._route(message, route)
                continue
            for interest in route.everybody:
                if interest.active:
                    try:
                        interest.receiver(subject, body, reply, headers)
                    except Exception as error:
                        _receiver_failed(interest.link, subject, error)

    def _enter(self, queue: list[Message]) -> None:
        for message in queue:
            link, subject, body, _, headers = message
            size = MESSAGE_BYTES + len(body) + (header_bytes(headers) if headers else 0)
            self.network.tell("send", link.name, "", subject, body)
            self.network.enter(
                link, subject, body, size, False, lambda m=message: self._route(m, self.routes.find(m[1]))
            )

    def _route(self, message: Message, route: Route) -> None:
        link, reply = message[0], message[3]
        if route.streams:
            self._record_live(message, route)
        self._spread(message, route)
        if reply and not route.heard:
            heard = self.routes.find(reply)
            own = next((i for i in heard.everyone if i.link is link), None)
            if own is not None:
                self._hand(BROKER, (link, reply, b"", "", NO_RESPONDERS), own)

    def _spread(self, message: Message, route: Route) -> None:
        for interest in route.plain:
            self._hand(message[0].name, message, interest)
        for group in route.groups:
            members = [member for member in group if member.active]
            if members:
                self._hand(message[0].name, message, members[int(self._rng.random() * len(members))])

    def _hand(self, source: str, message: Message, interest: Interest) -> None:
        if self.network.calm:
            self._receive(message, interest)
            return
        _, subject, body, _, headers = message
        size = MESSAGE_BYTES + len(body) + (header_bytes(headers) if headers else 0)
        arrived = partial(self._receive, message, interest)
        parcel = Parcel("deliver", source, interest.link, subject, body, size, arrived)
        self.network.carry(parcel, _now(), live=True)

    def _receive(self, message: Message, interest: Interest) -> None:
        if interest.active:
            _, subject, body, reply, headers = message
            try:
                interest.receiver(subject, body, reply, headers)
            except Exception as error:
                _receiver_failed(interest.link, subject, error)

    # Streams and jobs.

    def _record_live(self, message: Message, route: Route) -> None:
        """A live message to a stream's subject is stored too, and answered, as JetStream does."""
        link, subject, body, reply, headers = message
        (stream,) = route.streams
        try:
            (stored,) = stream.store([_append(subject, body, headers)], _now())
        except StorageFailed as error:
            log.warning("a live message was not stored", subject=subject, error=str(error))
            return
        self.network.tell("store", link.name, stream.spec.name, subject, body, str(stored.sequence))
        self._jobs_due = True
        if reply:
            told: dict[str, object] = {"stream": stored.stream, "seq": stored.sequence}
            if stored.duplicate:
                told["duplicate"] = True
            self._spread((link, reply, json.dumps(told).encode(), "", None), self.routes.find(reply))

    def _settle(self, delivery: Delivery, settlement: Settlement, delay_s: float) -> None:
        name, entry = delivery.pull.link.name, delivery.entry
        self.network.tell("settle", name, BROKER, entry.subject, b"", f"{entry.sequence} {settlement.value}")
        delivery.pull.consumer.settle(delivery, settlement, delay_s, _now())
        self._jobs_due = True

    def _deliver_jobs(self) -> None:
        self._jobs_due = False
        if not self.running:
            return
        now = _now()
        for delivery in self._storage.due(now, self._can_pull):
            arrived = partial(self._receive_job, delivery)
            if self.network.calm:
                arrived()
                continue
            entry, link = delivery.entry, delivery.pull.link
            parcel = Parcel("job", BROKER, link, entry.subject, entry.body, entry.size + MESSAGE_BYTES, arrived)
            self.network.carry(parcel, now, live=False)
        for told in self._storage.told(now, self._can_pull):
            if self.network.calm:
                self._receive_told(told)
                continue
            message, link = told.message, told.following.link
            size, arrived = len(message.body) + MESSAGE_BYTES, partial(self._receive_told, told)
            parcel = Parcel("follow", BROKER, link, message.subject, message.body, size, arrived)
            self.network.carry(parcel, now, live=False)

    def _can_pull(self, link: Link) -> bool:
        return link.up and self.reachable(link)

    def _receive_job(self, delivery: Delivery) -> None:
        pull = delivery.pull
        if pull.active and pull.link.up:
            try:
                pull.receiver(MemoryJob(delivery, self.settle))
            except Exception as error:
                _receiver_failed(pull.link, delivery.entry.subject, error)

    def _receive_told(self, told: Told) -> None:
        following = told.following
        if following.arrived(told):
            try:
                following.receiver(told.message)
            except Exception as error:
                _receiver_failed(following.link, told.message.subject, error)

    # The one timer: the next arrival, or the next redelivery.

    def _set_timer(self) -> None:
        arrival, redelivery = self.network.next_due, self._storage.next_deadline() if self.running else None
        due = arrival if redelivery is None or (arrival is not None and arrival <= redelivery) else redelivery
        if self._timer is not None:
            at, handle = self._timer
            if at == due:
                return
            self._timer = None
            waiting = handle()
            if waiting is not None:
                waiting.cancel()
        if due is not None:
            self._timer = (due, ref(asyncio.get_running_loop().call_at(due, self._timer_due, context=self._context)))

    def _timer_due(self) -> None:
        self._timer = None
        self.jobs_changed()


def _append(subject: str, body: bytes, headers: Headers | None) -> Append:
    """What the headers say of how to store a message."""
    marks = headers or {}
    expected, ttl = marks.get(EXPECTED), marks.get(TTL)
    return Append(
        subject=subject,
        body=body,
        headers=headers,
        header_size=header_bytes(headers) if headers else 0,
        message_id=marks.get(MESSAGE_ID, ""),
        expected=None if expected is None else int(expected),
        among=marks.get(AMONG, ""),
        ttl_s=None if ttl is None else float(ttl.removesuffix("s")),
    )


def _now() -> float:
    return asyncio.get_running_loop().time()


def _receiver_failed(link: Link, subject: str, error: Exception) -> None:
    link.receiver_failures += 1
    now = _now()
    if now >= link.next_log_s:
        link.next_log_s = now + LOG_EVERY_S
        total = link.receiver_failures
        log.error("a receiver raised", connection=link.name, subject=subject, failures=total, exc_info=error)
