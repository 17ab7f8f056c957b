"""A port: how one sender speaks on the bus.

The agent's context, or the node, sends through it. `post` and `reply` are plain calls that only gather; what may have
to wait is a coroutine with a deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar, runtime_checkable

from google.protobuf.message import EncodeError, Message

from .bus import Bus
from .calls import Call, GatherCall, Replies, parse_reply
from .coalescing import Lane
from .errors import (
    AgentBusError,
    DeadlineExceeded,
    DefinitionError,
    HopLimitExceeded,
    NotConnected,
    PayloadTooLarge,
    SchemaMismatch,
    StorageFailed,
    TooFewReplies,
)
from .messages import FAILURE_TYPE, MessageId, full_name, to_failure
from .subjects import check_name
from .transport import Stored

R = TypeVar("R", bound=Message)

MAX_LANES = 1024
"""Lanes a port keeps; more subjects than that are forgotten and made again."""
MAX_DEADLINE_MS = 0xFFFFFFFF


@runtime_checkable
class Refusing(Protocol):
    """A transport whose broker may refuse who it connects as."""

    @property
    def refusal(self) -> AgentBusError | None:
        """Why there is no link, when trying again does not help; None otherwise."""
        ...


_CALLS = "*"
"""All that bid, in place of an agent's name."""
LaneKey = tuple[type[Message], str, int]


class Route(Generic[R]):
    """Where a port's requests of one type to one receiver go: made once, used for each.

    Attributes:
        lane: gathers them.
        alone: each goes in a frame of its own.
        reply, reply_name: the type of the answers.
        what: for errors.
        to: the one agent that is asked; empty for any.
    """

    __slots__ = ("alone", "lane", "reply", "reply_name", "to", "what")

    def __init__(self, lane: Lane, alone: bool, reply: type[R], reply_name: str, what: str, to: str = "") -> None:
        self.lane = lane
        self.alone = alone
        self.reply = reply
        self.reply_name = reply_name
        self.what = what
        self.to = to


class Port:
    """One sender on the bus.

    Args:
        bus: the node's.
        source: the sender's name.
        ensure_streams: makes the realm's streams of durable events unless they are there.
    """

    __slots__ = ("_answers", "_ensure_streams", "_events", "_lanes", "bus", "routes", "source")

    def __init__(self, bus: Bus, source: str, ensure_streams: Callable[[], Awaitable[None]]) -> None:
        self.bus = bus
        self._ensure_streams = ensure_streams
        self.source = check_name(source)
        self._events: dict[LaneKey, Lane] = {}
        self._answers: dict[tuple[str, type[Message], int], Lane] = {}
        self._lanes: dict[tuple[str, str, int], Lane] = {}
        self.routes: dict[tuple[type[Message], type[Message], str | None, int], Route[Message]] = {}

    # -- events ----------------------------------------------------------------------------------------------------

    def post(self, message: Message, topic: str, hops: int, trace: str) -> bool:
        """Publishes an event. Returns whether the wire is congested: then `writable` is to be awaited.

        Raises:
            NotConnected, PayloadTooLarge, HopLimitExceeded, SubjectError; Unauthorized: its node's identity does not
                cover it.
        """
        lane = self._events.get((message.__class__, topic, hops))
        if lane is None:
            lane = self._event_lane(message, topic, hops)
        return self._put(lane, message, trace)

    def _event_lane(self, message: Message, topic: str, hops: int) -> Lane:
        name = full_name(message)
        lane = self.lane(self.bus.subjects.event(name, topic), name, hops)
        if len(self._events) >= MAX_LANES:
            self._events.clear()
        self._events[message.__class__, topic, hops] = lane
        return lane

    def put(self, subject: str, message: Message, hops: int, trace: str) -> bool:
        """Sends a message that wants no answer to any subject of the realm; otherwise like `post`."""
        return self._put(self.lane(subject, full_name(message), hops), message, trace)

    def put_alone(self, subject: str, message: Message, hops: int, trace: str) -> None:
        """Like `put`, in a frame of its own, so that a queue group shares message by message."""
        lane = self._new_lane(subject, full_name(message), hops)
        payload = serialize(message)
        self._check(lane, payload)
        lane.put(payload, trace)
        self.bus.yield_to(lane)
        self.bus.emit(lane)

    def _put(self, lane: Lane, message: Message, trace: str) -> bool:
        payload = serialize(message)
        if lane.payloads and lane.fits(payload):
            lane.put(payload, trace)
            return False
        # The wire is looked at once a frame: within a turn of the loop it can't change.
        bus = self.bus
        self._check(lane, payload)
        if lane.payloads:
            bus.emit(lane)
        lane.put(payload, trace)
        bus.gathered(lane)
        return bus.transport.congested

    async def store(self, subject: str, message: Message, hops: int, trace: str, timeout_s: float) -> Stored:
        """Publishes a durable event, alone in its frame; returns when the stream has it.

        Raises:
            StorageFailed, NotConnected, PayloadTooLarge, HopLimitExceeded.
        """
        bus = self.bus
        lane = self._new_lane(subject, full_name(message), hops)
        payload = serialize(message)
        self._check(lane, payload, live=False)
        deadline_s = bus.loop.time() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await self._ensure_streams()
        except TimeoutError:
            raise StorageFailed(f"{subject}: the realm's streams did not answer within {timeout_s:g} s") from None
        lane.put(payload, trace)
        first = bus.take_numbers(1)
        frame, _ = lane.take(bus.epoch, first, bus.clock_us())
        identity = MessageId(self.source, bus.epoch, first)
        body = bus.seal(subject, frame, durable=True)
        stored = await bus.transport.store(
            subject, body, message_id=str(identity), timeout_s=max(0.0, deadline_s - bus.loop.time())
        )
        if stored.duplicate and bus.guard is not None:
            await self._check_stored(subject, body, stored)
        return stored

    async def _check_stored(self, subject: str, body: bytes, stored: Stored) -> None:
        """Raises `StorageFailed` when what is taken for an earlier attempt of ours is another's message."""
        kept = await self.bus.transport.after(stored.stream, subject, stored.sequence - 1)
        if kept is None or (kept.sequence, kept.body) != (stored.sequence, body):
            raise StorageFailed(f"{subject}: somebody has stored another message under this one's id: publish it again")

    # -- requests --------------------------------------------------------------------------------------------------

    def route(
        self, subject: str, message: Message, reply: type[R], hops: int, *, alone: bool, to: str = ""
    ) -> Route[R]:
        """Where requests of a type go, and what is to come back.

        Args:
            alone: each in a frame of its own, as queue groups want it.
            to: the one agent whose answers count; empty for anybody's.
        """
        name = full_name(message)
        lane = self.lane(f"{subject}?", name, hops, subject)
        return Route(lane, alone, reply, full_name(reply), f"{name} to {subject!r}", to)

    def route_to(self, message: Message, reply: type[Message], to: str | None, hops: int) -> Route[Message]:
        """Where requests to an agent go, or for None to any that answers them; kept."""
        route = self.routes.get((message.__class__, reply, to, hops))
        if route is None:
            subjects, name = self.bus.subjects, full_name(message)
            where = subjects.any(name) if to is None else subjects.agent(to, name)
            route = self.route(where, message, reply, hops, alone=to is None, to=to or "")
            self._keep_route(message, to, route)
        return route

    def route_of_calls(self, job: Message, call: Message, reply: type[Message], hops: int) -> Route[Message]:
        """Where calls for proposals for a type of job go; kept."""
        route = self.routes.get((job.__class__, reply, _CALLS, hops))
        if route is None:
            route = self.route(self.bus.subjects.call(full_name(job)), call, reply, hops, alone=False)
            self._keep_route(job, _CALLS, route)
        return route

    def _keep_route(self, message: Message, to: str | None, route: Route[Message]) -> None:
        if len(self.routes) >= MAX_LANES:
            self.routes.clear()
        self.routes[message.__class__, route.reply, to, route.lane.hops] = route

    async def request(self, route: Route[R], message: Message, timeout_s: float, trace: str) -> R:
        """Asks one agent and returns its answer.

        Raises:
            NoResponders, DeadlineExceeded, Busy, Refused, HandlerFailed, SchemaMismatch, PayloadTooLarge,
            NotConnected, HopLimitExceeded, Closed.
        """
        bus = self.bus
        if timeout_s <= 0:
            raise DeadlineExceeded(f"{route.what}: the caller's deadline has passed")
        call = Call(bus.loop.create_future(), route.what, timeout_s)
        call.of = route.to
        bucket = bus.deadlines.add(call, bus.loop.time() + timeout_s)
        try:
            self.ask(route, message, call, timeout_s, trace)
            type_name, payload = await call.future
        finally:
            bucket.pop(call, None)
            bus.calls.remove(call)
        return parse_reply(route.reply, route.reply_name, type_name, payload)

    async def request_plain(self, subject: str, message: Message, reply: type[R], timeout_s: float) -> R:
        """Like `request`, in plain protobuf, to an agent that knows nothing of frames."""
        bus = self.bus
        call = Call(bus.loop.create_future(), f"{full_name(message)} to {subject!r}", timeout_s)
        call.plain = True
        bucket = bus.deadlines.add(call, bus.loop.time() + timeout_s)
        try:
            sequence = bus.take_numbers(1)
            bus.calls.add(sequence, call)
            bus.transport.send(subject, serialize(message), f"{bus.inbox}_{sequence}_1")
            type_name, payload = await call.future
        finally:
            bucket.pop(call, None)
            bus.calls.remove(call)
        return parse_reply(reply, full_name(reply), type_name, payload)

    async def gather(
        self,
        route: Route[R],
        message: Message,
        timeout_s: float,
        trace: str,
        *,
        at_least: int,
        at_most: int | None,
    ) -> Replies[R]:
        """Asks all and returns who answered, in order of arrival.

        Raises:
            TooFewReplies: fewer than `at_least` by the end; what came is in the error.
            NotConnected, PayloadTooLarge, HopLimitExceeded, Closed.
        """
        bus = self.bus
        call = GatherCall(
            bus.loop.create_future(),
            route.what,
            timeout_s,
            lambda kind, body: parse_reply(route.reply, route.reply_name, kind, body),
            at_most,
        )
        bucket = bus.deadlines.add(call, bus.loop.time() + timeout_s)
        try:
            if at_most != 0 and timeout_s > 0:
                self.ask(route, message, call, timeout_s, trace)
                await call.future
        finally:
            bucket.pop(call, None)
            bus.calls.remove(call)
        if len(call.replies) < at_least:
            failed = f"; {len(call.replies.failures)} failed" if call.replies.failures else ""
            raise TooFewReplies(
                f"{route.what}: {len(call.replies)} of at least {at_least} answered within {timeout_s:g} s{failed}",
                replies=call.replies,
                failures=call.replies.failures,
            )
        return call.replies

    def ask(self, route: Route[R], message: Message, call: Call, timeout_s: float, trace: str) -> None:
        """Sends a request, whose answers the call will get until it is removed from the bus's.

        Raises:
            NotConnected, PayloadTooLarge, HopLimitExceeded, SchemaMismatch.
        """
        lane = route.lane
        payload = serialize(message)
        if not lane.payloads:
            self._check(lane, payload)
        elif not lane.fits(payload):
            self._check(lane, payload)
            self.bus.emit(lane)
        first = lane.ask(payload, trace, min(MAX_DEADLINE_MS, int(timeout_s * 1000) or 1), call)
        if route.alone:
            self.bus.yield_to(lane)
            self.bus.emit(lane)
        elif first:
            self.bus.gathered(lane)

    # -- answers ---------------------------------------------------------------------------------------------------

    def reply(self, inbox: str, sequence: int, message: Message, hops: int) -> None:
        """Answers request number `sequence` of the node whose inbox that is. What can't be sent is counted."""
        lane = self._answers.get((inbox, message.__class__, hops)) or self._answer_lane(inbox, message, hops)
        try:
            payload = serialize(message)
        except SchemaMismatch as error:
            self.reply_error(inbox, sequence, error, hops)
            return
        if len(payload) > lane.limit and len(payload) + lane.overhead > self.bus.transport.max_payload:
            too_large = PayloadTooLarge(
                f"the reply, a {lane.type_name} of {len(payload)} bytes, is more than the broker takes "
                f"({self.bus.transport.max_payload}): send it in parts"
            )
            self.reply_error(inbox, sequence, too_large, hops)
            return
        if not lane.fits(payload):
            self.bus.emit(lane)
        if lane.answer(payload, sequence):
            self.bus.gathered(lane)

    def _answer_lane(self, inbox: str, message: Message, hops: int) -> Lane:
        if len(self._answers) >= MAX_LANES:
            self._answers.clear()
        lane = self._answers[inbox, message.__class__, hops] = self.lane(inbox, full_name(message), hops)
        return lane

    def reply_error(self, inbox: str, sequence: int, error: BaseException, hops: int) -> None:
        """Answers with an error; its text is cut to what the broker takes."""
        lane = self.lane(inbox, FAILURE_TYPE, hops)
        room = self.bus.transport.max_payload - lane.overhead
        payload = to_failure(error, room).SerializeToString()
        if not lane.fits(payload):
            self.bus.emit(lane)
        if lane.answer(payload, sequence):
            self.bus.gathered(lane)

    # -- lanes -----------------------------------------------------------------------------------------------------

    def lane(self, key: str, type_name: str, hops: int, subject: str = "") -> Lane:
        """The lane to a subject; `key` tells lanes of one subject apart: those that carry calls from the others."""
        lane = self._lanes.get((key, type_name, hops))
        if lane is None:
            lane = self._new_lane(subject or key, type_name, hops)
            if len(self._lanes) >= MAX_LANES:
                self._lanes.clear()
            self._lanes[key, type_name, hops] = lane
        return lane

    def _new_lane(self, subject: str, type_name: str, hops: int) -> Lane:
        guard = self.bus.guard
        sealing = guard.overhead if guard else 0
        return Lane(subject, type_name, self.source, hops, self.bus.transport.max_payload, sealing)

    def _check(self, lane: Lane, payload: bytes, *, live: bool = True) -> None:
        transport = self.bus.transport
        if live and not transport.connected:
            if isinstance(transport, Refusing) and (refusal := transport.refusal) is not None:
                raise refusal
            raise NotConnected(f"no link to {transport.url}: try again when the node is connected")
        if self.bus.guard is not None:
            self.bus.guard.vouch(self.source)
        if lane.hops > self.bus.max_hops:
            raise HopLimitExceeded(
                f"{lane.type_name}: {lane.hops} messages caused one another, the limit is {self.bus.max_hops}: "
                "look for agents that answer each other for ever, or raise max_hops"
            )
        if len(payload) + lane.overhead > transport.max_payload:
            raise PayloadTooLarge(
                f"{lane.type_name} of {len(payload)} bytes is more than the broker takes ({transport.max_payload}, "
                f"of which {lane.overhead} go to the frame): send it in parts, or raise the broker's max_payload"
            )


def serialize(message: Message) -> bytes:
    """The message's bytes. Raises `SchemaMismatch` for a missing required field, `DefinitionError` for no message."""
    try:
        return message.SerializeToString()
    except EncodeError as error:
        raise SchemaMismatch(f"{full_name(message)} can't be serialized: {error}") from None
    except (AttributeError, TypeError):
        raise DefinitionError(f"{message!r} is not a protobuf message: give one of a generated class") from None
