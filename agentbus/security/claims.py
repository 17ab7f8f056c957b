"""Which frames of a stream of durable events have been taken by a consumer, and from where in the log. Pure.

A durable frame is stored once, so the first delivery of its number fixes where it stands in the log: that is its
*claim*. Another delivery of the same place is a redelivery, and passes until the frame is completed. The same
number at another place is a copy that somebody stored again: refused, whether the first is completed or not.

What is kept: the highest number, which of the last `WINDOW` below it have not come, and the places of those that are
claimed and not completed. A number that has come and has no place is completed.

Each node of a consumer keeps what it has taken, and what it has read of others' open claims (`Shared`). Invariants:
what anybody says that it has taken is taken; a frame is handled only when this node's own record, kept by a write that
came next after all that was read, claims it from there. So a node that lies, or unsays what it said, can withhold a
frame, as it can by consuming it, and can't let one be handled from two places.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from struct import Struct, error

from ..errors import StorageFailed
from .replay import WINDOW, Window

MAX_OPEN = 16384
"""Claims of one stream that may wait to be completed."""
_HEAD = Struct(">BQHI")
_PAIR = Struct(">QQ")
_VERSION = 1
_NOTHING = Window(0)


class Claim(Enum):
    """What a delivery is."""

    FIRST = "it has come for the first time"
    AGAIN = "it is delivered again"
    DONE = "it was completed before"
    COPY = "it stands in the log at another place, too: somebody stored it again"
    OLD = "it was overtaken by more frames than are remembered, or has come before"
    FULL = "too many before it are not completed"
    FORGOTTEN = "it was issued before what is remembered of its sender's streams"


class Claims:
    """One stream of one consumer, as one node has taken it: what one key signs in one epoch, for one sender, to one
    subject.

    Attributes:
        open: claimed and not completed: number to place.
    """

    __slots__ = ("_window", "open")

    def __init__(self) -> None:
        self._window: Window | None = None
        self.open: dict[int, int] = {}

    def look(self, number: int, place: int) -> Claim:
        """What a delivery of that number from that place in the log is; changes nothing."""
        claimed = self.open.get(number)
        if claimed is not None:
            return Claim.AGAIN if claimed == place else Claim.COPY
        window = self._window
        if window is not None and number <= window.highest:
            back = window.highest - number
            if back >= WINDOW:
                return Claim.OLD
            if not window.missing >> back & 1:
                return Claim.DONE
        return Claim.FULL if len(self.open) >= MAX_OPEN else Claim.FIRST

    def claim(self, number: int, place: int) -> Claim:
        """Takes a delivery in, if it is the first."""
        found = self.look(number, place)
        if found is Claim.FIRST:
            self.take(number, place)
        return found

    @property
    def highest(self) -> int:
        """The highest number that it has taken; 0 for none."""
        return self._window.highest if self._window is not None else 0

    def take(self, number: int, place: int) -> None:
        """It has come, from that place."""
        self._came(number)
        self.open[number] = place

    def complete(self, number: int, place: int) -> None:
        """The frame that was claimed there is not to be delivered any more."""
        if self.open.get(number) == place:
            del self.open[number]
            self._came(number)

    def _came(self, number: int) -> None:
        if self._window is None:
            self._window = Window(number)
        else:
            self._window.take(number)

    def to_bytes(self) -> bytes:
        """As it is kept; empty before the first claim."""
        window = self._window or _NOTHING
        if window is _NOTHING and not self.open:
            return b""
        missing = window.missing.to_bytes((window.missing.bit_length() + 7) // 8, "big")
        head = _HEAD.pack(_VERSION, window.highest, len(missing), len(self.open))
        return b"".join((head, missing, *(_PAIR.pack(*pair) for pair in self.open.items())))

    @classmethod
    def from_bytes(cls, kept: bytes) -> Claims:
        """What `to_bytes` gave. Raises `StorageFailed` for anything else: it must not count as nothing."""
        claims = cls()
        if not kept:
            return claims
        try:
            version, highest, size, count = _HEAD.unpack_from(kept)
            rest = kept[_HEAD.size + size :]
            window = Window(highest)
            window.missing = int.from_bytes(kept[_HEAD.size : _HEAD.size + size], "big")
            claims.open = dict(_PAIR.iter_unpack(rest))
        except error as wrong:
            raise StorageFailed(f"what is kept of a durable stream can't be read: {wrong}") from None
        whole = len(claims.open) == count <= MAX_OPEN and not window.missing >> WINDOW | window.missing & 1
        if not highest:
            whole = whole and count and not window.missing
        if version != _VERSION or not whole:
            raise StorageFailed("what is kept of a durable stream can't be read: not whole, or of another version")
        claims._window = window if highest else None
        return claims


class Shared:
    """One stream of one consumer, as all its nodes have taken it.

    What others have claimed is claimed here, too, from now on: so no node takes for old what another has not completed.

    Args:
        own: what this node keeps.
        others: what the others keep.

    Attributes:
        own: as it is now, to be kept.
        changed: whether more is claimed in it than when it was kept: nothing may be handled before it is kept again.
    """

    __slots__ = ("_others", "changed", "own")

    def __init__(self, own: Claims, others: Iterable[Claims] = ()) -> None:
        self.own = own
        self.changed = False
        self._others = tuple(others)
        for other in self._others:
            for number in own.open.keys() - other.open.keys():
                if number <= own.highest and other.look(number, place := own.open[number]) in _OVER:
                    own.complete(number, place)
        for other in self._others:
            for number in other.open.keys() - own.open.keys():
                place = other.open[number]
                if len(own.open) < MAX_OPEN and self.look(number, place) is Claim.AGAIN:
                    own.open[number] = place
                    self.changed = True

    def look(self, number: int, place: int) -> Claim:
        """What a delivery is; changes nothing."""
        found = self.own.look(number, place)
        if self._others:
            said = {found, *(other.look(number, place) for other in self._others)}
            found = next((verdict for verdict in _TAKEN if verdict in said), found)
        return found

    def claim(self, number: int, place: int) -> Claim:
        """Takes a delivery in, if it is the first at any node."""
        found = self.look(number, place)
        if found is Claim.FIRST:
            self.own.take(number, place)
            self.changed = True
        return found


_OVER = (Claim.DONE, Claim.OLD)
_TAKEN = (*_OVER, Claim.COPY, Claim.AGAIN)
"""What counts when nodes differ, the first of them."""
