"""Which frames of a stream of durable events have been taken by a consumer, and from where in the log. Pure.

A durable frame is stored once, so the first delivery of its number fixes where it stands in the log: that is its
*claim*. Another delivery of the same place is a redelivery, and passes until the frame is completed. The same
number at another place is a copy that somebody stored again: refused, whether the first is completed or not.

What is kept: the highest number, which of the last `WINDOW` below it have not come, and the places of those that are
claimed and not completed. A number that has come and has no place is completed.
"""

from __future__ import annotations

from enum import Enum
from struct import Struct, error

from ..errors import StorageFailed
from .replay import WINDOW, Window

MAX_OPEN = 16384
"""Claims of one stream that may wait to be completed."""
_HEAD = Struct(">BQHI")
_PAIR = Struct(">QQ")
_VERSION = 1


class Claim(Enum):
    """What a delivery is."""

    FIRST = "it has come for the first time"
    AGAIN = "it is delivered again"
    DONE = "it was completed before"
    COPY = "it stands in the log at another place, too: somebody stored it again"
    OLD = "it was overtaken by more frames than are remembered, or has come before"
    FULL = "too many before it are not completed"


class Claims:
    """One stream of one consumer: what one key signs in one epoch, for one sender, to one subject.

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
            if self._window is None:
                self._window = Window(number)
            else:
                self._window.take(number)
            self.open[number] = place
        return found

    def complete(self, number: int, place: int) -> None:
        """The frame that was claimed there is not to be delivered any more."""
        if self.open.get(number) == place:
            del self.open[number]

    def to_bytes(self) -> bytes:
        """As it is kept; empty before the first claim."""
        window = self._window
        if window is None:
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
        whole = highest and len(claims.open) == count and not window.missing >> WINDOW and not window.missing & 1
        if version != _VERSION or not whole:
            raise StorageFailed("what is kept of a durable stream can't be read: not whole, or of another version")
        claims._window = window
        return claims
