"""What happened in a simulation, in order: one seed, one log, byte for byte.

A line has the virtual time in seconds, what happened, from whom to whom, the subject, the body's size and digest, and
the reason. The digest does not depend on the order of the body's bytes: protobuf writes map fields in an order that
differs from process to process. Bounded: beyond `capacity` the oldest events are dropped, and counted in the first
line.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

CAPACITY = 1_000_000
"""Events that a log keeps."""


class Event(NamedTuple):
    """One thing that happened.

    Attributes:
        at_s: seconds of virtual time.
        kind: ``send``, ``deliver``, ``drop``, ``store``, ``job``, ``settle``, of messages; ``up``, ``down`` and
            ``crash``, of nodes; ``note``, by `Simulation.note`; and what the broker and its network do (`Observer`).
        source: whose; a node's name or ``broker``.
        target: to whom; empty for a send.
        subject: of the message.
        size: of the message's body, bytes.
        digest: of the message's body.
        reason: why it was dropped; what was changed or noted.
    """

    at_s: float
    kind: str
    source: str
    target: str = ""
    subject: str = ""
    size: int = 0
    digest: int = 0
    reason: str = ""

    def __str__(self) -> str:
        target = f" -> {self.target}" if self.target else ""
        subject = f" {self.subject}" if self.subject else ""
        body = f" [{self.size} bytes, {self.digest:08x}]" if self.subject else ""
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.at_s:.9f} {self.kind} {self.source}{target}{subject}{body}{reason}"


class EventLog:
    """The events of one run. ``str(log)`` and ``bytes(log)`` are its lines.

    Args:
        now: tells the virtual time.
        capacity: events to keep.
    """

    def __init__(self, now: Callable[[], float], capacity: int = CAPACITY) -> None:
        self._now = now
        self._events: deque[Event] = deque(maxlen=capacity)
        self._count = 0

    def record(
        self, kind: str, source: str, target: str = "", subject: str = "", body: bytes = b"", reason: str = ""
    ) -> None:
        """Appends an event of this moment. Is an `Observer` of a `MemoryBroker`."""
        digest = zlib.crc32(bytes(sorted(body))) if body else 0
        self._events.append(Event(self._now(), kind, source, target, subject, len(body), digest, reason))
        self._count += 1

    @property
    def dropped(self) -> int:
        """How many of the oldest events were dropped."""
        return self._count - len(self._events)

    def find(self, kind: str = "", *, source: str = "", target: str = "", subject: str = "") -> list[Event]:
        """The events of a kind, from someone, to someone, on a subject that has this text in it; empty for any."""
        return [
            event
            for event in self._events
            if kind in ("", event.kind)
            and source in ("", event.source)
            and target in ("", event.target)
            and subject in event.subject
        ]

    def tail(self, count: int) -> list[Event]:
        """The last `count` events."""
        return list(self._events)[-count:] if count > 0 else []

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __str__(self) -> str:
        dropped = [f"{self.dropped} events before these were dropped"] if self.dropped else []
        return "".join(f"{line}\n" for line in (*dropped, *self._events))

    def __bytes__(self) -> bytes:
        return str(self).encode()
