"""The broker's end of one connection, and what its observer is told.

Invariants: the bytes that wait for a link in either direction are counted, and never exceed the broker's limit: what
would is dropped and counted. A link that is down stays down; a connection that comes back is up again by the broker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from ..transport import Headers

BROKER = "broker"
"""The name by which faults mean the broker itself."""


MESSAGE_BYTES = 64
"""What a message counts in a queue beside its body and headers."""


def header_bytes(headers: Headers) -> int:
    """Bytes that headers take on a NATS wire: a version line, a line for each, an empty line."""
    return 12 + sum(len(name.encode()) + len(value.encode()) + 4 for name, value in headers.items())


class Observer(Protocol):
    """Told of everything that happens at a broker, in order. Must not raise."""

    def __call__(self, kind: str, source: str, target: str, subject: str, body: bytes, reason: str) -> None:
        """One event.

        Args:
            kind: ``send``, ``deliver``, ``drop``, ``store``, ``job``, ``settle``, or a change of the broker or its
                network: ``link``, ``partition``, ``heal``, ``freeze``, ``thaw``, ``crash``, ``stop``, ``start``,
                ``connect``, ``close``.
            source: the connection's name, or ``broker``.
            target: as `source`; empty for a send, whose targets are not known yet.
            subject: of the message.
            body: of the message.
            reason: why it was dropped; what was changed.
        """
        ...


class Link:
    """The broker's view of one connection.

    Attributes:
        name: by which faults mean it; several links may have one name, one after the other.
        up: whether the broker takes it for connected.
        frozen: nothing moves on it in either direction; what comes waits.
        waiting_in: bytes under way to the connection.
        queued: bytes that the connection has sent in this turn of the loop.
        waiting_out: bytes that the connection has sent, held because it is frozen.
        held_in, held_out: what waits for the thaw.
        last_due: loop time at which the last of what is under way arrives.
        dropped: messages to or from it that were dropped, by reason.
        receiver_failures: how often one of its receivers raised.
        next_log_s: loop time from which on another failure is logged.
    """

    __slots__ = (
        "dropped",
        "frozen",
        "held_in",
        "held_out",
        "last_due",
        "name",
        "next_log_s",
        "queued",
        "receiver_failures",
        "up",
        "waiting_in",
        "waiting_out",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.up = False
        self.frozen = False
        self.queued = 0
        self.waiting_in = 0
        self.waiting_out = 0
        self.held_in: deque[Callable[[], None]] = deque()
        self.held_out: deque[tuple[int, Callable[[], None]]] = deque()
        self.last_due = 0.0
        self.dropped: dict[str, int] = {}
        self.receiver_failures = 0
        self.next_log_s = 0.0

    def count_drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def cut(self) -> None:
        """Down, and empty."""
        self.up = False
        self.frozen = False
        self.waiting_in = self.waiting_out = 0
        self.held_in.clear()
        self.held_out.clear()
