"""Lanes: messages of one type from one sender to one subject, gathered until a frame is sealed. Pure.

A frame ends when its bytes or its messages reach the limit, or when the turn of the event loop ends. There is no
timer: coalescing adds no latency beyond the turn.
"""

from __future__ import annotations

from collections.abc import Iterable

from .calls import Call
from .messages import Frame

FRAME_BYTES = 64 * 1024
"""Bytes at which a frame is sealed, its columns included; or less, where the wire takes less."""
MESSAGE_BYTES = 4
"""What a message costs in a frame beside its payload, at most, without columns."""
DEADLINE_BYTES = 5
ANSWER_BYTES = 10
TRACE_BYTES = 2
SOURCE_BYTES = 4
"""What an entry of a column costs at most; a trace beside its text."""
ENTRY_BYTES = MESSAGE_BYTES + DEADLINE_BYTES + ANSWER_BYTES + TRACE_BYTES
"""What a message costs beside its payload and its trace's text, at most."""
HEAD_BYTES = 160
"""What a frame costs beside its type, its source and its messages, at most: its numbers, and one entry a column."""


class Lane:
    """Messages on their way into one frame.

    Args:
        subject: where they go.
        type_name: what they are.
        source: who sends them.
        hops: how many messages caused one another before them.
        max_payload: bytes that the wire takes; a frame never grows beyond it.
        sealing: bytes that sealing adds, at most.
    """

    __slots__ = (
        "answers",
        "calls",
        "deadlines",
        "hops",
        "limit",
        "overhead",
        "payloads",
        "size",
        "source",
        "sources",
        "subject",
        "traces",
        "type_name",
    )

    def __init__(
        self,
        subject: str,
        type_name: str,
        source: str,
        hops: int,
        max_payload: int = 2 * FRAME_BYTES,
        sealing: int = 0,
    ) -> None:
        self.subject = subject
        self.type_name = type_name
        self.source = source
        self.hops = hops
        self.overhead = len(type_name) + len(source) + HEAD_BYTES + sealing
        self.limit = max(1, min(FRAME_BYTES, max_payload - self.overhead))
        self.clear()

    def clear(self) -> None:
        """Nothing is gathered any more."""
        self.payloads: list[bytes] = []
        self.deadlines: list[int] = []
        self.traces: list[str] = []
        self.answers: list[int] = []
        self.calls: list[Call] = []
        self.sources: list[str] = []
        self.size = 0

    def fits(self, payload: bytes) -> bool:
        """Whether the payload goes into the frame that is being gathered; into an empty one anything goes."""
        return not self.payloads or self.size + len(payload) + ENTRY_BYTES <= self.limit

    def put(self, payload: bytes, trace: str = "") -> bool:
        """Puts a message in; returns whether it is the frame's first."""
        payloads = self.payloads
        payloads.append(payload)
        self.size += len(payload) + MESSAGE_BYTES
        if trace or self.traces:
            missing = len(payloads) - 1 - len(self.traces)
            self.traces.extend([""] * missing)
            self.traces.append(trace)
            self.size += len(trace) + TRACE_BYTES * (missing + 1)
        return len(payloads) == 1

    def ask(self, payload: bytes, trace: str, deadline_ms: int, call: Call) -> bool:
        """Puts a request in."""
        self.deadlines.append(deadline_ms)
        self.calls.append(call)
        self.size += DEADLINE_BYTES
        return self.put(payload, trace)

    def answer(self, payload: bytes, sequence: int) -> bool:
        """Puts an answer to request number `sequence` in."""
        self.answers.append(sequence)
        if self.traces:
            self.size += ANSWER_BYTES
            return self.put(payload)
        payloads = self.payloads
        payloads.append(payload)
        self.size += len(payload) + (MESSAGE_BYTES + ANSWER_BYTES)
        return len(payloads) == 1

    def absorb(self, other: Lane) -> bool:
        """Takes over the answers that another agent of the node has gathered for the same node: of its type and hops.
        Returns whether there was room for them."""
        before, more = len(self.payloads), len(other.payloads)
        named = 0 if self.sources else before * (len(self.source) + SOURCE_BYTES)
        size = self.size + named + other.size + more * (len(other.source) + SOURCE_BYTES)
        if size > self.limit:
            return False
        if not self.sources:
            self.sources = [self.source] * before
        self.sources += [other.source] * more
        self.payloads += other.payloads
        self.answers += other.answers
        self.size = size
        other.clear()
        return True

    def take(self, epoch: int, sequence: int, time_us: int) -> tuple[Frame, list[Call]]:
        """Seals what is gathered: the frame, and the calls that wait for answers to its messages, in order."""
        payloads, traces, calls = self.payloads, self.traces, self.calls
        frame = Frame(
            self.type_name,
            self.source,
            epoch,
            self.hops,
            sequence,
            time_us,
            payloads,
            self.deadlines,
            traces,
            self.answers,
            self.sources,
        )
        self.clear()
        return frame, calls


def joined(lanes: Iterable[Lane]) -> list[Lane]:
    """Lanes that have gathered messages, the answers of several agents to one node in one of them where they fit."""
    left: list[Lane] = []
    first: dict[tuple[str, str, int], Lane] = {}
    for lane in lanes:
        if lane.answers:
            chosen = first.setdefault((lane.subject, lane.type_name, lane.hops), lane)
            if chosen is not lane and chosen.absorb(lane):
                continue
        if lane.payloads:
            left.append(lane)
    return left
