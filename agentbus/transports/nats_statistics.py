"""What a NATS transport counts: its messages, and its faults by kind, each kind logged at most once a second.

Invariants: kinds are the few words of `nats.py` and its siblings, never text from outside, so the counts are bounded;
a fault that is not logged is in the number that the next log line of its kind tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

QUIET_S = 1.0
"""Seconds between two log lines of one kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsStatistics:
    """Counts since the transport was made.

    Attributes:
        sent: live messages, settlements and requests to JetStream.
        received: messages.
        bytes_sent: protocol lines included.
        bytes_received: bodies and headers.
        reconnects: links after the first.
        dropped_settlements: made while there was no link; the jobs come again.
        receiver_errors: exceptions from receivers.
        errors: faults by kind.
        last_error: text of the latest; empty for none.
        rtt_s: seconds, of the latest ping to the server; 0.0 without a link.
    """

    sent: int
    received: int
    bytes_sent: int
    bytes_received: int
    reconnects: int
    dropped_settlements: int
    receiver_errors: int
    errors: Mapping[str, int]
    last_error: str
    rtt_s: float


class FaultLog:
    """Faults of one transport.

    Attributes:
        counts: how many, by kind.
        last: the text of the latest one; empty for none.
    """

    __slots__ = ("_clock", "_log", "_logged", "_unsaid", "counts", "last")

    def __init__(self, log: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts: dict[str, int] = {}
        self.last = ""
        self._log = log
        self._clock = clock
        self._logged: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def note(self, kind: str, text: str, *, error: BaseException | None = None) -> None:
        """Counts a fault; logs it unless its kind was logged within the last second."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.last = text
        now = self._clock()
        if now - self._logged.get(kind, -QUIET_S) < QUIET_S:
            self._unsaid[kind] = self._unsaid.get(kind, 0) + 1
            return
        self._logged[kind] = now
        times = self._unsaid.pop(kind, 0) + 1
        self._log.warning("nats_fault", kind=kind, text=text, times=times, exc_info=error)
