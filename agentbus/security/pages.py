"""Claims of many streams that one key signs, in a bounded room. Pure.

A stream is what one key signs in one epoch, for one sender, to one subject: whoever may sign opens as many as it
likes, by ever new epochs. So a key's streams are spread over `PAGES` pages, by their names, and a page that is full
forgets the stream that was used least recently, and of which nothing is open. What is kept of a key is bounded thereby,
whatever it signs, and no other key's pages are touched.

Forgetting leaves a *floor*, as in `replay`: the newest time of issue that the forgotten stream had claimed. Of a stream
that is not known nothing is claimed that was issued up to the floor; a stream that is opened keeps the floor of then.
So a copy of what was forgotten is refused: it bears the time of issue that its signature covers.

Invariants, beside those of `claims`: what a page forgets is under its floor; what one node has forgotten makes no other
refuse what a third, or that one itself, has open; no floor is taken over from others, so that of a liar goes with its
page.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from struct import Struct, error

from ..errors import StorageFailed
from .claims import Claim, Claims, Shared

PAGES = 128
"""Pages of a key at one consumer. A power of two, at most 256."""
PAGE_BYTES = 4096
"""A page above it forgets: some 80 streams of which nothing is open."""
MAX_STREAMS = 512
"""Streams of a page, also those of which something is open: above it these are forgotten, too."""
NAME_BYTES = 16
"""Of a stream's name within its page."""
_HEAD = Struct(">BQH")
_STREAM = Struct(">16sQQI")
_VERSION = 1
_HANDLED = (Claim.FIRST, Claim.AGAIN)


class _Stream:
    """One stream of a page: its claims, the floor under which it claims nothing, the newest issue that it claimed."""

    __slots__ = ("claims", "floor_us", "newest_us")

    def __init__(self, claims: Claims, floor_us: int, newest_us: int = 0) -> None:
        self.claims = claims
        self.floor_us = floor_us
        self.newest_us = newest_us

    @property
    def empty(self) -> bool:
        return not self.claims.highest and not self.claims.open


class Page:
    """Some streams of a key at one consumer, as one node has taken them; the least recently used first.

    Attributes:
        floor_us: of what is not known here nothing is claimed that was issued up to then, microseconds since 1970.
    """

    __slots__ = ("_streams", "floor_us")

    def __init__(self) -> None:
        self.floor_us = 0
        self._streams: OrderedDict[bytes, _Stream] = OrderedDict()

    def __len__(self) -> int:
        return len(self._streams)

    def claims(self, stream: bytes) -> Claims | None:
        """What it knows of a stream."""
        found = self._streams.get(stream)
        return found.claims if found is not None else None

    def forgets(self, stream: bytes, issued_us: int) -> bool:
        """Whether it may have forgotten a frame of that stream, issued then, which it does not know."""
        found = self._streams.get(stream)
        return issued_us <= (self.floor_us if found is None else found.floor_us)

    def opened(self, stream: bytes) -> Claims:
        """The claims of a stream, which is known from now on."""
        found = self._streams.get(stream)
        if found is None:
            found = self._streams[stream] = _Stream(Claims(), self.floor_us)
        return found.claims

    def used(self, stream: bytes, issued_us: int) -> bool:
        """A frame of a stream, issued then, is handled under its claim. Returns whether that is newer than all were."""
        found = self._streams[stream]
        self._streams.move_to_end(stream)
        newer = issued_us > found.newest_us
        found.newest_us = max(found.newest_us, issued_us)
        return newer

    def complete(self, stream: bytes, number: int, place: int) -> None:
        """See `Claims.complete`."""
        found = self._streams.get(stream)
        if found is not None:
            found.claims.complete(number, place)

    def to_bytes(self) -> bytes:
        """As it is kept, when it has forgotten what has no room."""
        streams = self._streams
        parts: OrderedDict[bytes, bytes] = OrderedDict()
        for name, stream in list(streams.items()):
            if stream.empty:
                del streams[name]
                continue
            body = stream.claims.to_bytes()
            parts[name] = _STREAM.pack(name, stream.floor_us, stream.newest_us, len(body)) + body
        size = sum(map(len, parts.values()))
        for name, stream in list(streams.items())[:-1]:
            if size <= PAGE_BYTES:
                break
            if not stream.claims.open or len(streams) > MAX_STREAMS:
                size -= len(parts.pop(name))
                self.floor_us = max(self.floor_us, stream.newest_us)
                del streams[name]
        return b"".join((_HEAD.pack(_VERSION, self.floor_us, len(parts)), *parts.values()))

    @classmethod
    def from_bytes(cls, kept: bytes) -> Page:
        """What `to_bytes` gave; nothing for nothing. Raises `StorageFailed` for anything else: it must not count as
        nothing."""
        page = cls()
        if not kept:
            return page
        try:
            version, page.floor_us, count = _HEAD.unpack_from(kept)
            at = _HEAD.size
            for _ in range(count if version == _VERSION else 0):
                name, floor_us, newest_us, size = _STREAM.unpack_from(kept, at)
                at += _STREAM.size
                page._streams[name] = _Stream(Claims.from_bytes(kept[at : at + size]), floor_us, newest_us)
                at += size
        except error as wrong:
            raise StorageFailed(f"what is kept of a durable stream can't be read: {wrong}") from None
        if version != _VERSION or at != len(kept) or len(page) != count or len(page) > MAX_STREAMS:
            raise StorageFailed("what is kept of durable streams can't be read: not whole, or of another version")
        return page


class SharedPage:
    """Some streams of a key at one consumer, as all its nodes have taken them. See `Shared`.

    Args:
        own: what this node keeps.
        others: what the others keep.

    Attributes:
        own: as it is now, to be kept.
    """

    __slots__ = ("_others", "_streams", "_used", "own")

    def __init__(self, own: Page, others: Iterable[Page] = ()) -> None:
        self.own = own
        self._others = tuple(others)
        self._streams: dict[bytes, Shared] = {}
        self._used = False

    @property
    def changed(self) -> bool:
        """Whether more is claimed in it than when it was kept: nothing may be handled before it is kept again."""
        return self._used or any(shared.changed for shared in self._streams.values())

    def claim(self, stream: bytes, number: int, place: int, issued_us: int) -> Claim:
        """Takes a delivery in, if it is the first at any node."""
        pages = (self.own, *self._others)
        forgotten = any(page.forgets(stream, issued_us) for page in pages)
        if forgotten and all(page.claims(stream) is None for page in pages):
            return Claim.FORGOTTEN  # what is refused takes no room
        shared = self._shared(stream)
        found = shared.look(number, place)
        if found is Claim.FIRST:
            if forgotten:
                return Claim.FORGOTTEN
            shared.claim(number, place)
        if found in _HANDLED:
            self._used |= self.own.used(stream, issued_us)
        return found

    def written(self) -> None:
        """It has been kept, and what had no room in it is forgotten."""
        self._used = False
        self._streams = {name: shared for name, shared in self._streams.items() if self.own.claims(name) is shared.own}
        for shared in self._streams.values():
            shared.changed = False

    def _shared(self, stream: bytes) -> Shared:
        shared = self._streams.get(stream)
        if shared is None:
            others = [claims for page in self._others if (claims := page.claims(stream)) is not None]
            shared = self._streams[stream] = Shared(self.own.opened(stream), others)
        return shared
