"""What can be merged in any order, any number of times, and comes out the same everywhere. Pure.

A board is a map of items, each a join-semilattice; two boards merge item by item, so the map is one, too. An update
returns the item that it made: that is its delta, a board of one item, and to merge all deltas is to merge the whole
(P. Almeida, A. Shoker, C. Baquero, "Delta state replicated data types", JPDC 111 (2018); M. Shapiro et al.,
"Conflict-free replicated data types", SSS 2011). There are two kinds:

* `Note`: a last-writer-wins register under a key. The greater stamp stays; without a value it is a tombstone.
* `Tally`: what one life of one node has added to a counter, and taken from it. Each only grows, the greater stays; the
  counter is the sum over all of them (a PN-counter).

Each item has a fingerprint of 64 bits. A board keeps their exclusive or, the root, and the same for each of `BUCKETS`
buckets: two boards with one root are the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

Value = bytes | str | int | float | bool
"""What can stand in a note: whole numbers have 64 bits, floats are finite."""

BUCKETS = 64
OVERHEAD = 64
"""Bytes that an item is counted with beside its texts: no less than its numbers take on the wire."""
MAX_WHOLE = (1 << 63) - 1


class Stamp(NamedTuple):
    """When something was written: a hybrid logical clock's reading, and whose. Of two, the greater is the later."""

    wall_ms: int
    logical: int
    actor: str


class Id(NamedTuple):
    """Which item: a note by its key, with no actor; or a tally by its counter and actor."""

    name: str
    actor: str = ""


@dataclass(frozen=True)
class Note:
    """The last that was written under a key. Without a value: it was deleted."""

    key: str
    stamp: Stamp
    value: Value | None

    @property
    def id(self) -> Id:
        """Which item."""
        return Id(self.key)

    @cached_property
    def spelled(self) -> bytes:
        """The same bytes for the same note, and other bytes for another."""
        wall_ms, logical, actor = self.stamp
        return _joined(
            b"n", self.key.encode(), struct.pack(">QQ", wall_ms, logical), actor.encode(), _spell(self.value)
        )

    @property
    def weight(self) -> int:
        """Bytes, about: no less than on the wire."""
        return len(self.spelled) + OVERHEAD

    def merge(self, other: Note) -> Note:
        """The later of two notes of one key. Of two values of one stamp, the greater: no honest actor has them."""
        return max(self, other, key=lambda note: (note.stamp, _spell(note.value)))


@dataclass(frozen=True)
class Tally:
    """What one life of one node has added to a counter, and taken from it."""

    counter: str
    actor: str
    plus: int
    minus: int

    @property
    def id(self) -> Id:
        """Which item."""
        return Id(self.counter, self.actor)

    @cached_property
    def spelled(self) -> bytes:
        """The same bytes for the same tally, and other bytes for another."""
        return _joined(b"t", self.counter.encode(), self.actor.encode(), struct.pack(">QQ", self.plus, self.minus))

    @property
    def weight(self) -> int:
        """Bytes, about: no less than on the wire."""
        return len(self.spelled) + OVERHEAD

    def merge(self, other: Tally) -> Tally:
        """The greater of each: what has been counted is never counted less."""
        return Tally(self.counter, self.actor, max(self.plus, other.plus), max(self.minus, other.minus))


Item = Note | Tally


class Board:
    """A board's state.

    Attributes:
        root: exclusive or of all fingerprints; 0 for an empty board.
        sums: the same for each bucket.
        weight: bytes of all items, about.
    """

    def __init__(self) -> None:
        self._items: dict[Id, tuple[Item, int]] = {}
        self._buckets: list[dict[int, Id]] = [{} for _ in range(BUCKETS)]
        self._counters: dict[str, dict[str, Tally]] = {}
        self._deleted: dict[Id, Note] = {}
        self.root = 0
        self.sums = [0] * BUCKETS
        self.weight = 0

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return (item for item, _ in self._items.values())

    # -- merging ---------------------------------------------------------------------------------------------------

    def joined(self, item: Item) -> Item:
        """What there would be under its id if it were merged."""
        known = self._items.get(item.id)
        if known is None:
            return item
        mine = known[0]
        return mine.merge(item) if isinstance(mine, Note) and isinstance(item, Note) else _tallies(mine, item)

    def merge(self, item: Item) -> bool:
        """Takes an item in. Returns whether anything has changed: what has is the delta, and to be told."""
        joined = self.joined(item)
        known = self._items.get(item.id)
        if known is not None and known[0].spelled == joined.spelled:
            return False
        self.discard(item.id)
        print_ = fingerprint(joined)
        self._items[joined.id] = joined, print_
        self._buckets[print_ % BUCKETS][print_] = joined.id
        self._toggle(print_)
        self.weight += joined.weight
        if isinstance(joined, Tally):
            self._counters.setdefault(joined.counter, {})[joined.actor] = joined
        elif joined.value is None:
            self._deleted[joined.id] = joined
        return True

    def merge_all(self, other: Board) -> None:
        """Takes a whole board in."""
        for item in other:
            self.merge(item)

    def discard(self, which: Id) -> None:
        """Forgets an item, which is no merge: another board may bring it back."""
        known = self._items.pop(which, None)
        if known is None:
            return
        item, print_ = known
        del self._buckets[print_ % BUCKETS][print_]
        self._toggle(print_)
        self.weight -= item.weight
        self._deleted.pop(which, None)
        if isinstance(item, Tally):
            del self._counters[item.counter][item.actor]

    # -- reading ---------------------------------------------------------------------------------------------------

    def get(self, which: Id) -> Item | None:
        """An item."""
        known = self._items.get(which)
        return known[0] if known else None

    def note(self, key: str) -> Value | None:
        """What stands under a key; None for nothing, or what was deleted."""
        item = self.get(Id(key))
        return item.value if isinstance(item, Note) else None

    def notes(self, prefix: str = "") -> dict[str, Value]:
        """All that stands under keys that begin so, by key."""
        found = [item for item, _ in self._items.values() if isinstance(item, Note) and item.key.startswith(prefix)]
        return {note.key: note.value for note in sorted(found, key=lambda note: note.key) if note.value is not None}

    def count(self, counter: str) -> int:
        """A counter; 0 for one that nobody has added to."""
        return sum(tally.plus - tally.minus for tally in self._counters.get(counter, {}).values())

    def counts(self) -> dict[str, int]:
        """All counters, by name."""
        return {counter: self.count(counter) for counter in sorted(self._counters) if self._counters[counter]}

    @property
    def deleted(self) -> Mapping[Id, Note]:
        """The tombstones."""
        return self._deleted

    @property
    def spelled(self) -> bytes:
        """The whole board, the same bytes for the same board."""
        return _joined(*sorted(item.spelled for item in self))

    # -- comparing -------------------------------------------------------------------------------------------------

    def bucket(self, number: int) -> Mapping[int, Id]:
        """What is in a bucket, by fingerprint."""
        return self._buckets[number]

    def found(self, print_: int) -> Item | None:
        """The item of a fingerprint."""
        which = self._buckets[print_ % BUCKETS].get(print_)
        return None if which is None else self.get(which)

    def _toggle(self, print_: int) -> None:
        self.root ^= print_
        self.sums[print_ % BUCKETS] ^= print_


def fingerprint(item: Item) -> int:
    """64 bits of an item; equal for equal items."""
    return int.from_bytes(blake2b(item.spelled, digest_size=8).digest(), "big")


def _tallies(mine: Item, other: Item) -> Item:
    assert isinstance(mine, Tally) and isinstance(other, Tally)  # noqa: PT018 - an id with an actor is a tally's
    return mine.merge(other)


def _joined(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _spell(value: Value | None) -> bytes:
    """Bytes that tell values apart, those that Python takes for equal (1, 1.0, True) too."""
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"b1" if value else b"b0"
    if isinstance(value, int):
        return b"i%d" % value
    if isinstance(value, float):
        return b"f" + struct.pack(">d", value)
    return b"s" + value.encode() if isinstance(value, str) else b"y" + value
