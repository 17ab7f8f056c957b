"""The bus: typed messages on one side, frames on the wire on the other.

One `Bus` a node. It numbers and seals what the node's agents send, opens what comes in, once, and hands it to
listeners as `Inbound`. Its agents send through a `Port` each, so that what one sends is one sender's.

Order: messages from one port to one subject arrive in the order they were sent. Sequence numbers are the bus's,
given when a frame is sealed, and name the message together with the sender and the epoch.

Way out: `Port` -> `Lane` (coalesced) -> `Bus.emit` (numbered, sealed) -> `Transport.send`.
Way in: `Transport` -> `Bus.listen`'s receiver (opened, decoded) -> listener; replies -> `Calls`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import EncodeError, Message

from .audiences import Audience
from .calls import Calls
from .coalescing import Lane, joined
from .deadlines import DeadlineQueue
from .decisions import Decisions
from .errors import AgentBusError, Closed, PayloadTooLarge, SchemaMismatch, Unauthorized
from .inbound import JSON_CONTENT, Inbound, Listener, foreign_error, foreign_headers
from .limits import INVALID, Limits, Watcher
from .messages import PLAIN, SEALED, Frame, decode_frame, encode_frame, to_failure, to_json
from .subjects import Subjects
from .transport import Denial, FrameGuard, Headers, Opened, Subscription, Transport

BROKER_ONLY = ".own.r"
"""The end of a request's reply subject in a realm of identities: six tokens, to which no role may send. The broker's
"no responders" comes there; answers go to the subject without it and the numbers before it."""
MAX_HOPS = 64
"""Messages that cause one another beyond that many are taken for a loop."""


@dataclass(slots=True)
class BusCounters:
    """What the bus has seen since it began.

    Attributes:
        frames_sent, frames_received: frames, foreign messages included.
        messages_sent: messages in frames sent.
        malformed: inbound bytes that were no frame of a known version, or that the guard refused.
        lost: messages that could not be handed to the wire after their sender had gone on.
    """

    frames_sent: int = 0
    frames_received: int = 0
    messages_sent: int = 0
    malformed: int = 0
    lost: int = 0


class Bus:
    """A node's connection to its realm.

    Args:
        transport: the wire; connected by the node.
        subjects: the realm's subjects.
        node: the node's name.
        epoch: when this life of the node began, milliseconds since 1970, and 20 bits of chance below them.
        clock_us: microseconds since 1970.
        guard: seals and opens frames, if there is an identity.
        on_malformed: told of inbound bytes that are not of the protocol: subject and why.
        limits: what one sender may have of a behavior.

    Attributes:
        watcher: told of what senders do wrong.
    """

    def __init__(
        self,
        transport: Transport,
        subjects: Subjects,
        *,
        node: str,
        epoch: int,
        clock_us: Callable[[], int],
        on_malformed: Callable[[str, AgentBusError], None],
        guard: FrameGuard | None = None,
        max_hops: int = MAX_HOPS,
        limits: Limits | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport = transport
        self.subjects = subjects
        self.node = node
        self.epoch = epoch
        self.max_hops = max_hops
        self.calls = Calls()
        self.audiences: dict[str, Audience] = {}  # who bids for what, by the job's type
        self.deadlines = DeadlineQueue(self.loop)
        self.decisions = Decisions(clock_us)  # of its agents, about jobs
        self.counters = BusCounters()
        self.inbox = f"{subjects.realm}.in.{node}.{epoch:x}"
        self.clock_us = clock_us
        self.guard = guard
        self._sealed_takers: tuple[Callable[[str, Frame], None], ...] = ()
        self._realm_of_identities = False
        self._on_malformed = on_malformed
        self.limits = limits
        self.watcher: Watcher | None = None
        self._sequence = 1
        self._dirty: dict[tuple[str, str], Lane] = {}
        self._turn_open = False
        self._inbox_subscriptions: list[Subscription] = []

    def open(self) -> None:
        """Begins to hear replies. Raises `ConfigurationError` when its guard is not for this node."""
        if self.guard is not None:
            self.guard.begin(self.transport, realm=self.subjects.realm, node=self.node, clock_us=self.clock_us)
        heard = [self.subjects.inbox(self.node)]
        if self._realm_of_identities:
            heard.append(heard[0] + BROKER_ONLY)
        self._inbox_subscriptions = [self.transport.subscribe(pattern, self._on_reply) for pattern in heard]

    def watch(self, watcher: Watcher | None) -> None:
        """From now on `watcher` says whom to hear, and is told of what senders do; None: nobody."""
        self.watcher = watcher
        if self.guard is not None:
            self.guard.watcher = watcher

    def close(self) -> None:
        """Sends what is gathered and ends every open call with `Closed`."""
        self.end_turn()
        for subscription in self._inbox_subscriptions:
            subscription.unsubscribe()
        self.calls.close(Closed("the node was closed while waiting for an answer"))
        self.deadlines.close()
        if self.guard is not None:
            self.guard.end()

    def trust_broker_only(self) -> None:
        """For a broker that knows who is who, before `open`: that nobody listens is believed where nobody but the
        broker may send; and what nobody has signed is answered into inboxes only."""
        self._realm_of_identities = True

    # -- out -------------------------------------------------------------------------------------------------------

    def take_numbers(self, count: int) -> int:
        """The first of `count` fresh sequence numbers."""
        first = self._sequence
        self._sequence = first + count
        return first

    def hold(self) -> None:
        """What is gathered in this turn from here on goes at its end, with one write: for several messages at once."""
        if not self._turn_open:
            self._turn_open = True
            self.loop.call_soon(self.end_turn)

    def gathered(self, lane: Lane) -> None:
        """The lane has got its first message: it goes at once when the turn has sent nothing yet, else at its end."""
        if self._turn_open:
            self.yield_to(lane)
            self._dirty[lane.source, lane.subject] = lane
            return
        self._turn_open = True
        self.loop.call_soon(self.end_turn)
        self.emit(lane)

    def yield_to(self, lane: Lane) -> None:
        """Sends what another lane of the same sender to the same subject has gathered, so that the order holds."""
        earlier = self._dirty.pop((lane.source, lane.subject), None)
        if earlier is not None and earlier is not lane and earlier.payloads:
            self.emit(earlier)

    def end_turn(self) -> None:
        """Seals and sends every lane that has gathered messages."""
        self._turn_open = False
        if self._dirty:
            dirty, self._dirty = self._dirty, {}
            lanes = joined(dirty.values())
            if len(lanes) > 1:
                self.transport.hold()
            for lane in lanes:
                self.emit(lane)

    def emit(self, lane: Lane) -> None:
        """Seals the lane's frame and hands it to the wire. What can't be sent fails its calls, or is counted."""
        count = len(lane.payloads)
        first = self.take_numbers(count)
        frame, calls = lane.take(self.epoch, first, self.clock_us())
        reply = ""
        if calls:
            reply = f"{self.inbox}_{first}_{count}{BROKER_ONLY if self._realm_of_identities else ''}"
            for offset, call in enumerate(calls):
                self.calls.add(first + offset, call)
        try:
            self.transport.send(lane.subject, self.seal(lane.subject, frame, reply), reply)
        except AgentBusError as error:
            self.counters.lost += count - len(calls)
            if isinstance(error, Unauthorized):
                self._on_malformed(lane.subject, error)
            for call in calls:
                call.fail(error)
            return
        self.counters.frames_sent += 1
        self.counters.messages_sent += count

    def seal(self, subject: str, frame: Frame, reply: str = "", *, durable: bool = False) -> bytes:
        """The frame's bytes as they travel. Raises `Unauthorized` when the guard refuses its sender."""
        for take in self._sealed_takers:
            take(subject, frame)
        body = encode_frame(frame)
        if self.guard is None:
            return PLAIN + body
        return SEALED + self.guard.seal(
            body, subject=subject, reply=reply, source=frame.source, epoch=frame.epoch, durable=durable
        )

    def hand_sealed_to(self, take: Callable[[str, Frame], None]) -> Callable[[], None]:
        """Hands on each frame as it is sealed, with its subject, until what it returns is called. `take` must neither
        wait nor raise, and changes nothing."""
        self._sealed_takers += (take,)

        def end() -> None:
            self._sealed_takers = tuple(taker for taker in self._sealed_takers if taker is not take)

        return end

    # -- in --------------------------------------------------------------------------------------------------------

    def listen(self, subject: str, listener: Listener, type_name: str = "", queue: str = "") -> Subscription:
        """Hands all that comes on `subject`, a pattern, to `listener`.

        Args:
            type_name: the type expected there; if empty, the subject's last token says it.
            queue: the queue group, if any.
        """

        ear = f"{subject} {queue}"

        def receive(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
            inbound = self.decode(subject, body, reply, headers, type_name, ear)
            if inbound is not None:
                listener(inbound)

        return self.transport.subscribe(subject, receive, queue)

    def decode(
        self,
        subject: str,
        body: bytes,
        reply: str,
        headers: Headers | None,
        type_name: str = "",
        ear: str = "",
        *,
        durable: bool = False,
    ) -> Inbound | None:
        """What came in, opened; None, counted, told and answered, when it is not of the protocol.

        What is sealed and refused is not answered: it may be somebody's copy of a request that another is answering,
        and an answer would end that.
        """
        self.counters.frames_received += 1
        try:
            if body[:1] != b"\x00":
                return Inbound.foreign_of(subject, body, reply, headers, type_name, self.loop.time())
            frame, opened = self._open(subject, body, reply, ear, durable)
            if type_name and frame.type != type_name:
                raise SchemaMismatch(f"a {frame.type} on a subject of {type_name}")
            inbound = Inbound(frame, subject, reply, self.loop.time())
            inbound.opened = opened
            return inbound
        except (SchemaMismatch, Unauthorized) as error:
            self.refuse(subject, error)
            if reply and (self.guard is None or body[:2] != SEALED):
                self.answer_foreign(reply, None, error)
            return None

    def refuse(self, subject: str, error: AgentBusError) -> None:
        """Counts and tells what came in and is not let in."""
        self.counters.malformed += 1
        self._on_malformed(subject, error)

    def _open(self, subject: str, body: bytes, reply: str, ear: str, durable: bool) -> tuple[Frame, Opened | None]:
        start, guard = body[:2], self.guard
        if start == PLAIN:
            if guard is not None:
                raise Unauthorized(f"a frame on {subject!r} is not sealed, and this node accepts only sealed ones")
            return decode_frame(body[2:]), None
        if start == SEALED:
            if guard is None:
                raise Unauthorized(f"a sealed frame on {subject!r}, and this node has no identity to open it with")
            inner, opened = guard.open(body[2:], subject=subject, reply=reply, ear=ear, durable=durable)
            try:
                return self._believed(decode_frame(inner), opened, subject), opened
            except (SchemaMismatch, Unauthorized):
                if self.watcher is not None:
                    self.watcher.saw(opened.key, INVALID)
                raise
        raise SchemaMismatch(f"a frame of version {body[1:2].hex() or 'none'}: this node speaks {PLAIN[1:].hex()}")

    def _believed(self, frame: Frame, opened: Opened, subject: str) -> Frame:
        """The frame, if it speaks in the names that its key may speak in. Raises `Unauthorized`."""
        if (frame.source, frame.epoch) != (opened.source, opened.epoch):
            raise Unauthorized(f"a frame on {subject!r} by {opened.source!r} says that it is by {frame.source!r}")
        for name in frame.sources and set(frame.sources):
            if name != opened.source and not opened.speaks_as(name):
                raise Unauthorized(f"answers on {subject!r} by {opened.source!r} say that they are by {name!r}")
        return frame

    def _on_reply(self, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        if body[:1] == b"\x00":
            if subject != self.inbox and not subject.startswith(f"{self.inbox}_"):
                return  # it answers an earlier life of this node, whose numbers were others
            try:
                frame, _ = self._open(self.inbox, body, reply, "", False)
                if self.calls.answered(frame):
                    raise Unauthorized(f"{frame.source!r} answered what another was asked")
            except (SchemaMismatch, Unauthorized) as error:
                self.refuse(subject, error)
            return
        prefix, first, count = ("", "", "")
        parts = subject.removesuffix(BROKER_ONLY).rsplit("_", 2)
        if len(parts) == 3:
            prefix, first, count = parts
        if prefix != self.inbox or not (_is_number(first) and _is_number(count)):
            return
        if headers is not None and headers.get("Status") == "503" and not body:
            self._nobody(subject, int(first), int(count))
            return
        if isinstance(headers, Denial):
            self.calls.failed(int(first), int(count), foreign_error(headers) or Unauthorized("the broker refused it"))
            return
        error = foreign_error(headers)
        if self.guard is not None and (call := self.calls.get(int(first))) is not None and not call.plain:
            self.refuse(subject, Unauthorized(f"an answer that is not signed: {error or 'plain bytes'}"))
        elif error is not None:
            self.calls.failed(int(first), int(count), error)
        elif (call := self.calls.get(int(first))) is not None:
            call.answer("", "", body)

    def _nobody(self, subject: str, first: int, count: int) -> None:
        """Nobody listened to these requests, if it is the broker that says so."""
        call = self.calls.get(first)
        if self._realm_of_identities and not subject.endswith(BROKER_ONLY) and not (call is not None and call.plain):
            self.refuse(subject, Unauthorized("no responders, where others than the broker may say so"))
            return
        self.calls.nobody(first, count)

    def answer_foreign(
        self, reply: str, message: Message | None, error: BaseException | None, *, json: bool = False
    ) -> None:
        """Answers whoever speaks plain protobuf or JSON: in kind, errors in ADR-32's headers."""
        if self._realm_of_identities and not self.subjects.is_inbox(reply):
            self.counters.lost += 1  # it would be sent by this node's leave, wherever an unknown asker wants
            return
        headers: dict[str, str] = {}
        body = b""
        if error is not None:
            failure = to_failure(error, self.transport.max_payload // 4)  # headers and JSON take it, too
            headers = foreign_headers(failure, error)
            body = to_json(failure) if json else failure.SerializeToString()
        elif message is not None:
            try:
                body = to_json(message) if json else message.SerializeToString()
            except (SchemaMismatch, EncodeError) as unwritable:
                mismatch = SchemaMismatch(f"the reply can't be written: {unwritable}")
                self.answer_foreign(reply, None, mismatch, json=json)
                return
        if json:
            headers["Content-Type"] = JSON_CONTENT
        try:
            self.transport.send(reply, body, "", headers or None)
        except PayloadTooLarge as too_large:
            self.counters.lost += 1
            if error is None:
                self.answer_foreign(reply, None, too_large, json=json)
        except AgentBusError:
            self.counters.lost += 1


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= 20
