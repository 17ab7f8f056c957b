"""Lanes: messages of one type from one sender to one subject, gathered until a frame is sealed. Pure.

A frame ends when its bytes or its messages reach the limit, or when the turn of the event loop ends. There is no
timer: coalescing adds no latency beyond the turn.
"""

from __future__ import annotations

from .calls import Call
from .messages import MAX_FRAME_MESSAGES, Frame

FRAME_BYTES = 64 * 1024
"""Payload bytes at which a frame is sealed."""
MESSAGE_BYTES = 4
"""What a message costs in a frame beside its payload, at most, without columns."""


class Lane:
    """Messages on their way into one frame.

    Args:
        subject: where they go.
        type_name: what they are.
        source: who sends them.
        hops: how many messages caused one another before them.
    """

    __slots__ = (
        "answers",
        "calls",
        "deadlines",
        "hops",
        "overhead",
        "payloads",
        "size",
        "source",
        "subject",
        "traces",
        "type_name",
    )

    def __init__(self, subject: str, type_name: str, source: str, hops: int) -> None:
        self.subject = subject
        self.type_name = type_name
        self.source = source
        self.hops = hops
        self.overhead = len(type_name) + len(source) + 96
        self._clear()

    def _clear(self) -> None:
        self.payloads: list[bytes] = []
        self.deadlines: list[int] = []
        self.traces: list[str] = []
        self.answers: list[int] = []
        self.calls: list[Call] = []
        self.size = 0

    def fits(self, payload: bytes) -> bool:
        """Whether the payload goes into the frame that is being gathered."""
        return self.size + len(payload) <= FRAME_BYTES and len(self.payloads) < MAX_FRAME_MESSAGES

    def trace(self, traceparent: str) -> None:
        """The trace context of the message just put in; earlier ones without one get an empty entry."""
        self.traces.extend([""] * (len(self.payloads) - 1 - len(self.traces)))
        self.traces.append(traceparent)

    def take(self, epoch: int, sequence: int, time_us: int) -> tuple[Frame, list[Call]]:
        """Seals what is gathered: the frame, and the calls that wait for answers to its messages, in order."""
        payloads, traces, calls = self.payloads, self.traces, self.calls
        if traces:
            traces.extend([""] * (len(payloads) - len(traces)))
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
        )
        self._clear()
        return frame, calls
