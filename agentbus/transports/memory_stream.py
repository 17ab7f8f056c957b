"""A stream in memory: numbered messages, the limits that drop the oldest, and the ids that it remembers.

Time is an argument, in seconds of the loop. Invariants: numbers grow by one and are never used again; what is dropped
is always the oldest; an id within the duplicate window is never stored twice. Reference: JetStream's limits policy.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import zip_longest

from ..errors import StorageFailed
from ..subjects import ALL, check_subject
from ..transport import Headers, Stored, StreamSpec

ENTRY_BYTES = 16
"""What a stream counts for a message beside subject, headers and body: number and time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored message. `size` in bytes, as the limits count it; `stored_at` in loop time."""

    sequence: int
    subject: str
    body: bytes
    headers: Headers | None
    size: int
    stored_at: float


class MemoryStream:
    """The messages of one stream."""

    def __init__(self, spec: StreamSpec) -> None:
        self.spec = _checked(spec)
        self.last_sequence = 0
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._bytes = 0
        self._ids: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def first_sequence(self) -> int:
        """Of the oldest message, or of the next one to come."""
        return next(iter(self._entries), self.last_sequence + 1)

    def change(self, spec: StreamSpec, now: float) -> None:
        """Takes over other subjects and limits; what exceeds them is dropped."""
        self.spec = _checked(spec)
        self.prune(now)

    def store(
        self, subject: str, body: bytes, headers: Headers | None, header_size: int, message_id: str, now: float
    ) -> Stored:
        """Appends, unless the id is known. Raises `StorageFailed` when no stream of this size could hold it."""
        self._forget_ids(now)
        known = self._ids.get(message_id) if message_id else None
        if known is not None:
            return Stored(stream=self.spec.name, sequence=known[0], duplicate=True)
        size = ENTRY_BYTES + len(subject) + len(body) + header_size
        if size > self.spec.limits.max_bytes:
            raise StorageFailed(f"{subject}: {size} bytes exceed max_bytes of stream {self.spec.name}")
        self.last_sequence += 1
        entry = Entry(self.last_sequence, subject, body, headers, size, now)
        self._entries[entry.sequence] = entry
        self._bytes += size
        if message_id:
            self._ids[message_id] = (entry.sequence, now)
        self.prune(now)
        return Stored(stream=self.spec.name, sequence=entry.sequence)

    def get(self, sequence: int) -> Entry | None:
        """The message, unless it was dropped."""
        return self._entries.get(sequence)

    def prune(self, now: float) -> None:
        """Drops the oldest until all limits hold."""
        limits, entries = self.spec.limits, self._entries
        while entries:
            oldest = next(iter(entries.values()))
            too_many = 0 <= limits.max_messages < len(entries)
            if not too_many and self._bytes <= limits.max_bytes and now - oldest.stored_at < limits.max_age_s:
                return
            entries.popitem(last=False)
            self._bytes -= oldest.size

    def _forget_ids(self, now: float) -> None:
        while self._ids:
            message_id, (_, stored_at) = next(iter(self._ids.items()))
            if now - stored_at < self.spec.limits.duplicate_window_s:
                return
            del self._ids[message_id]


def _checked(spec: StreamSpec) -> StreamSpec:
    limits = spec.limits
    for pattern in spec.subjects:
        check_subject(pattern, pattern=True)
    if not 0.1 <= limits.duplicate_window_s <= limits.max_age_s:
        raise StorageFailed(
            f"stream {spec.name}: duplicate_window_s={limits.duplicate_window_s} must be from 0.1 to max_age_s"
        )
    return spec


def overlap(one: str, other: str) -> bool:
    """Whether there are subjects that both patterns match."""
    for mine, its in zip_longest(one.split("."), other.split(".")):
        if mine is None or its is None:
            return False
        if ALL in (mine, its):
            return True
        if mine != its and "*" not in (mine, its):
            return False
    return True
