"""Frames and messages: how typed messages become bytes and come back. Pure.

A `Frame` holds messages of one type from one sender in columns (docs/wire.md). It begins with the byte ``0x00``, which
no protobuf message begins with, and a byte of version. Whatever does not begin so is *foreign*: one plain protobuf
message, or protobuf's JSON mapping of one.

Invariants: a column beside the payloads is empty or as long as they are; decoding bytes that break this, or that
are not a frame of a known version, raises `SchemaMismatch` and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError, EncodeError, Message

from .errors import TRAVELLING, AgentBusError, DefinitionError, HandlerFailed, SchemaMismatch, revive
from .wire.v1.failure_pb2 import AgentFailed, Failure
from .wire.v1.frame_pb2 import Frame as WireFrame

__all__ = [
    "AgentFailed",
    "Failure",
    "Frame",
    "MessageId",
    "PLAIN",
    "SEALED",
    "as_error",
    "decode_frame",
    "encode_frame",
    "full_name",
    "is_message_type",
    "parse_json",
    "to_failure",
    "to_json",
]

PLAIN = b"\x00\x01"
"""What a frame begins with: the mark and the version."""
SEALED = b"\x00\x02"
"""What a frame begins with that a `FrameGuard` has sealed."""
MAX_NUMBER = 2**63
"""Sequence numbers are below; an answer, which says them again, always has room for them."""
MAX_FRAME_HOPS = 2**31
MAX_FRAME_MESSAGES = 16384
"""More messages than that never travel in one frame."""
EPOCH_CHANCE_BITS = 20
"""Low bits of an epoch that chance fills: agents of one name on two nodes that begin within one millisecond would
otherwise give two messages one identity, and a stream would take the second for a duplicate."""
FAILURE_TYPE: str = Failure.DESCRIPTOR.full_name

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class MessageId:
    """(sender, epoch, sequence): what makes a message this one and no other. Written ``sender:epoch:sequence``."""

    source: str
    epoch: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.source}:{self.epoch}:{self.sequence}"


class Frame:
    """Messages of one type as they came: not parsed yet.

    Attributes:
        type: the payloads' full protobuf name.
        source: who sent it; empty for a foreign client.
        epoch: when the sender's node began, milliseconds since 1970, and 20 bits of chance below them.
        hops: how many messages caused one another before these.
        sequence: the first message's number.
        time_us: when it was sealed, microseconds since 1970 by the sender's clock.
        payloads: one entry of bytes a message.
        deadlines_ms: milliseconds that remained at sealing, 0 for none; or empty.
        traces: W3C traceparent, or empty strings; or empty.
        answers: in replies, the sequence number each payload answers; else empty.
        sources: in replies of several agents of one node, who sends each payload; else empty.
    """

    __slots__ = (
        "answers",
        "deadlines_ms",
        "epoch",
        "hops",
        "payloads",
        "sequence",
        "source",
        "sources",
        "time_us",
        "traces",
        "type",
    )

    def __init__(
        self,
        type: str,  # noqa: A002 - the field's name on the wire, as in CloudEvents
        source: str,
        epoch: int,
        hops: int,
        sequence: int,
        time_us: int,
        payloads: list[bytes],
        deadlines_ms: list[int],
        traces: list[str],
        answers: list[int],
        sources: Sequence[str] = (),
    ) -> None:
        self.type = type
        self.source = source
        self.epoch = epoch
        self.hops = hops
        self.sequence = sequence
        self.time_us = time_us
        self.payloads = payloads
        self.deadlines_ms = deadlines_ms
        self.traces = traces
        self.answers = answers
        self.sources = sources

    def message_id(self, index: int) -> MessageId:
        """The identity of the message at `index`."""
        return MessageId(self.source, self.epoch, self.sequence + index)


def encode_frame(frame: Frame) -> bytes:
    """The body of a frame, without its first two bytes."""
    wire = WireFrame()  # setting fields one by one takes two thirds of the constructor's time
    wire.type = frame.type
    wire.source = frame.source
    wire.epoch = frame.epoch
    wire.sequence = frame.sequence
    wire.time_us = frame.time_us
    wire.payloads.extend(frame.payloads)
    if frame.hops:
        wire.hops = frame.hops
    if frame.deadlines_ms:
        wire.deadlines_ms.extend(frame.deadlines_ms)
    if frame.traces:
        wire.traces.extend(frame.traces)
    if frame.answers:
        wire.answers.extend(frame.answers)
        if frame.sources:
            wire.sources.extend(frame.sources)
    return wire.SerializeToString()


def decode_frame(body: bytes) -> Frame:
    """The frame that `encode_frame` made. Raises `SchemaMismatch` for anything else."""
    try:
        wire = WireFrame.FromString(body)
    except DecodeError as error:
        raise SchemaMismatch(f"a frame of {len(body)} bytes can't be parsed: {error}") from None
    payloads = wire.payloads[:]  # a slice is a list, at half the time of list()
    deadlines = wire.deadlines_ms[:]
    traces = wire.traces[:]
    answers = wire.answers[:]
    sources = wire.sources[:]
    size = len(payloads)
    hops, sequence = wire.hops, wire.sequence
    if size > MAX_FRAME_MESSAGES:
        raise SchemaMismatch(f"a frame of {size} messages: {MAX_FRAME_MESSAGES} are allowed")
    if hops > MAX_FRAME_HOPS or sequence > MAX_NUMBER:
        raise SchemaMismatch(f"a frame's numbers are out of range: hops {hops}, sequence {sequence}")
    if (
        size == 0
        or (deadlines and len(deadlines) != size)
        or (traces and len(traces) != size)
        or (answers and len(answers) != size)
        or (sources and (len(sources) != size or not answers))
    ):
        raise SchemaMismatch(
            f"a frame's columns do not fit: {size} payloads, {len(deadlines)} deadlines, "
            f"{len(traces)} traces, {len(answers)} answers, {len(sources)} sources"
        )
    head = (wire.type, wire.source, wire.epoch, hops, sequence, wire.time_us)
    return Frame(*head, payloads, deadlines, traces, answers, sources)


def is_message_type(kind: object) -> bool:
    """Whether `kind` is a generated protobuf message class."""
    return isinstance(kind, type) and issubclass(kind, Message) and hasattr(kind, "DESCRIPTOR")


def full_name(kind: type[Message] | Message) -> str:
    """The full protobuf name, ``examples.climate.v1.Reading`` say. Raises `DefinitionError` when it isn't a message."""
    try:
        return kind.DESCRIPTOR.full_name
    except AttributeError:
        raise DefinitionError(f"{kind!r} is not a protobuf message: give one of a generated class") from None


def to_failure(error: BaseException, room: int = 1 << 20) -> Failure:
    """The error as it travels: the nearest of its types that may travel, or else a `HandlerFailed`.

    Args:
        room: bytes that it may take at most; its texts are cut to that.
    """
    limit = max(1, min(2000, room // 8))  # characters; one is four bytes at most, in UTF-8
    if isinstance(error, HandlerFailed):
        name = clip(error.error_type, min(200, limit))
        return Failure(kind="HandlerFailed", text=clip(error.text, limit), error_type=name)
    name = type(error).__name__
    kind = next(
        (base.__name__ for base in type(error).__mro__ if TRAVELLING.get(base.__name__) is base), "HandlerFailed"
    )
    return Failure(kind=kind, text=clip(said(error), limit), error_type=clip(name, min(200, limit)))


def said(error: BaseException) -> str:
    """What an error says, also when its own ``__str__`` fails."""
    try:
        return str(error)
    except Exception as second:
        return f"({type(error).__name__}.__str__ raised {type(second).__name__})"


def as_error(payload: bytes) -> AgentBusError:
    """The error that a `Failure`'s bytes say."""
    try:
        failure = Failure.FromString(payload)
    except DecodeError as error:
        return SchemaMismatch(f"an error reply can't be parsed: {error}")
    return revive(failure.kind, failure.text, failure.error_type)


def clip(text: str, limit: int = 2000) -> str:
    """At most `limit` characters, the cut marked; without lone surrogates, which protobuf refuses."""
    short = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return short.encode("utf-8", "replace").decode("utf-8")


def parse_json(kind: type[M], body: bytes) -> M:
    """A message from protobuf's JSON mapping. Unknown fields are ignored. Raises `SchemaMismatch`."""
    from google.protobuf import json_format

    if body.lstrip()[:1] != b"{" and not full_name(kind).startswith("google.protobuf."):
        raise SchemaMismatch(f"not {full_name(kind)} in protobuf's JSON mapping: it begins without a brace")
    try:
        return json_format.Parse(body, kind(), ignore_unknown_fields=True, max_recursion_depth=64)
    except (json_format.ParseError, RecursionError, ValueError, TypeError, AttributeError) as error:
        raise SchemaMismatch(f"not {full_name(kind)} in protobuf's JSON mapping: {clip(str(error), 300)}") from None


def to_json(message: Message) -> bytes:
    """The message in protobuf's JSON mapping, on one line. Raises `SchemaMismatch` for what JSON can't say."""
    from google.protobuf import json_format

    try:
        message.SerializeToString()  # JSON would leave out a required field without a word
        return json_format.MessageToJson(message, indent=None).encode()
    except (json_format.Error, EncodeError, ValueError, TypeError) as error:
        raise SchemaMismatch(f"{full_name(message)} can't be said in JSON: {clip(said(error), 300)}") from None
