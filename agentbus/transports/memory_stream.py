"""A stream in memory: numbered messages, the limits that drop the oldest, and the ids that it remembers.

Time is an argument, in seconds of the loop. Invariants: numbers grow by one and are never used again; what a limit
drops is the oldest, of all or of a subject; an id within the duplicate window is never stored twice; a batch is stored
whole or not at all. Reference: JetStream's limits policy, its expected last subject sequence, and its atomic batches.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import zip_longest

from ..errors import Conflict, StorageFailed
from ..subjects import ALL, check_subject, matches
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """A message to be stored. `header_size` in bytes; `message_id` empty for none; `among`: what `expected` is of,
    when it is not the subject."""

    subject: str
    body: bytes
    headers: Headers | None
    header_size: int
    message_id: str
    expected: int | None = None
    among: str = ""
    ttl_s: float | None = None

    @property
    def size(self) -> int:
        """Bytes, as the limits count it."""
        return ENTRY_BYTES + len(self.subject) + len(self.body) + self.header_size


class MemoryStream:
    """The messages of one stream."""

    def __init__(self, spec: StreamSpec) -> None:
        self.spec = _checked(spec)
        self.last_sequence = 0
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._of: dict[str, OrderedDict[int, None]] = {}
        self._bytes = 0
        self._ids: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._mortal: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def first_sequence(self) -> int:
        """Of the oldest message, or of the next one to come."""
        return next(iter(self._entries), self.last_sequence + 1)

    def change(self, spec: StreamSpec, now: float) -> None:
        """Takes over other subjects and limits; what exceeds them is dropped."""
        self.spec = _checked(spec)
        for subject in self._of:
            self._trim(subject)
        self.prune(now)

    def store(self, appends: Sequence[Append], now: float) -> tuple[Stored, ...]:
        """Appends all of them, unless their ids are known; none of them when one is refused.

        Raises:
            Conflict: a subject's last message is not the expected one.
            StorageFailed: too large, or without a setting that the stream needs for it.
        """
        self._forget_ids(now)
        self.prune(now)
        known = [self._ids[append.message_id][0] for append in appends if append.message_id in self._ids]
        if known:
            return tuple(Stored(stream=self.spec.name, sequence=sequence, duplicate=True) for sequence in known)
        for append in appends:
            self._check(append)
        self._make_room(appends)
        return tuple(self._append(append, now) for append in appends)

    def get(self, sequence: int) -> Entry | None:
        """The message, unless it was dropped."""
        return self._entries.get(sequence)

    def last_of(self, subject: str) -> int:
        """The sequence of a subject's newest message, 0 for none."""
        return next(reversed(self._of.get(subject, {})), 0)

    def last(self, pattern: str) -> Entry | None:
        """The newest message that the pattern matches."""
        return self.get(max((self.last_of(subject) for subject in self._matching(pattern)), default=0))

    def after(self, pattern: str, sequence: int) -> Entry | None:
        """The oldest message above `sequence` that the pattern matches."""
        return next(self.since((pattern,), sequence), None)

    def since(self, patterns: Sequence[str], sequence: int) -> Iterator[Entry]:
        """The messages above `sequence` that one of the patterns matches, the oldest first."""
        for number in range(max(sequence + 1, self.first_sequence), self.last_sequence + 1):
            entry = self._entries.get(number)
            if entry is not None and any(matches(pattern, entry.subject) for pattern in patterns):
                yield entry

    def subjects(self, pattern: str) -> dict[str, int]:
        """How many messages there are of each subject that the pattern matches."""
        return {subject: len(self._of[subject]) for subject in sorted(self._matching(pattern))}

    def purge(self, pattern: str, before: int | None) -> int:
        """Drops what the pattern matches, below `before` if given; returns how many."""
        gone = [
            sequence
            for subject in list(self._matching(pattern))
            for sequence in self._of[subject]
            if before is None or sequence < before
        ]
        for sequence in gone:
            self._drop(sequence)
        return len(gone)

    def prune(self, now: float) -> None:
        """Drops the oldest until all limits hold, and what has lived its time."""
        limits, entries = self.spec.limits, self._entries
        while self._mortal and self._mortal[0][0] <= now:
            self._drop(heappop(self._mortal)[1])
        while entries:
            oldest = next(iter(entries.values()))
            too_old = 0 < limits.max_age_s <= now - oldest.stored_at
            if not too_old and not self._above(len(entries), self._bytes):
                break
            self._drop(oldest.sequence)

    def _check(self, append: Append) -> None:
        limits = self.spec.limits
        if append.expected is not None:
            of = append.among or append.subject
            newest = self.last(of)
            number = newest.sequence if newest is not None else 0
            if append.expected != number:
                raise Conflict(
                    f"{of}: its last message is number {number}, not {append.expected}: read it again, and decide anew"
                )
        if append.ttl_s is not None and not self.spec.message_ttl:
            raise StorageFailed(f"stream {self.spec.name} has no message_ttl: make it with message_ttl=True")
        if 0 < limits.max_bytes < append.size:
            raise StorageFailed(f"{append.subject}: {append.size} bytes exceed max_bytes of stream {self.spec.name}")

    def _make_room(self, appends: Sequence[Append]) -> None:
        """Refuses what a full stream that refuses would take too much by."""
        if not self.spec.refuse_when_full:
            return
        number, size = len(self._entries) + len(appends), self._bytes + sum(append.size for append in appends)
        for append in appends:
            its = self._of.get(append.subject)
            if its is not None and 0 < self.spec.per_subject <= len(its):
                number -= 1
                size -= self._entries[next(iter(its))].size
        if self._above(number, size):
            raise StorageFailed(f"stream {self.spec.name} is full: delete from it, or raise its limits")

    def _above(self, number: int, size: int) -> bool:
        limits = self.spec.limits
        return 0 <= limits.max_messages < number or 0 < limits.max_bytes < size

    def _append(self, append: Append, now: float) -> Stored:
        self.last_sequence += 1
        sequence = self.last_sequence
        self._entries[sequence] = Entry(sequence, append.subject, append.body, append.headers, append.size, now)
        self._of.setdefault(append.subject, OrderedDict())[sequence] = None
        self._bytes += append.size
        if append.message_id:
            self._ids[append.message_id] = (sequence, now)
        if append.ttl_s is not None:
            heappush(self._mortal, (now + append.ttl_s, sequence))
        self._trim(append.subject)
        self.prune(now)
        return Stored(stream=self.spec.name, sequence=sequence)

    def _trim(self, subject: str) -> None:
        most = self.spec.per_subject
        while 0 < most < len(self._of[subject]):
            self._drop(next(iter(self._of[subject])))

    def _drop(self, sequence: int) -> None:
        entry = self._entries.pop(sequence, None)
        if entry is None:
            return
        self._bytes -= entry.size
        its = self._of[entry.subject]
        del its[sequence]
        if not its:
            del self._of[entry.subject]

    def _matching(self, pattern: str) -> Iterator[str]:
        if pattern in self._of:
            yield pattern
        elif "*" in pattern or ALL in pattern:
            yield from (subject for subject in self._of if matches(pattern, subject))

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
    if not 0.1 <= limits.duplicate_window_s <= (limits.max_age_s or limits.duplicate_window_s):
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
