"""Whether a live frame has come before: a sliding window of numbers for each stream. Pure.

A stream is what one key signs in one epoch, for one sender, to one subject, as one ear hears it. Its frames are
numbered one by one. A stream's window keeps which of the last `WINDOW` numbers have not come yet; a number that
has come, or that is older than the window, is refused. What was issued before the receiver's boot is refused
everywhere: its former life may have taken it.

**Memory is bounded**: at most `capacity` streams are kept, and forgetting one lets no replay in. Proof. When a stream
is forgotten, the newest time of issue that it had accepted goes into its key's floor, which never falls. Let a frame
be accepted, and come again. If its stream has been kept, its number is marked in the window, or the window has passed
it: refused. If its stream was forgotten meanwhile, the floor of its key is at or above its time of issue. A stream is
opened, also for a second time, only by what was issued above the floor, and never accepts what was issued at or below
the floor that it was opened with: refused. When the last stream of a key is forgotten, the key's floor goes into the
one that all unknown keys begin with, so that is at or above it, too. No clock is read for it.

Who opens a stream where there is no room gives up the oldest of its own key, so that one key's streams can't push out
another's; only a key that has none takes one of the key that has been silent the longest.

Reference: RFC 4303 (section 3.4.3), RFC 6479.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

WINDOW = 4096
"""Frames by which one may be overtaken in its stream."""
CAPACITY = 65536

StreamKey = tuple[str, int, str, str]
"""Ear, epoch, sender, subject."""


class Heard(NamedTuple):
    """A judgement.

    Attributes:
        refusal: why it is refused; empty when it is accepted.
        skipped: frames of the stream just before this one that had not come when it did.
        late: whether a later one of its stream had come before.
    """

    refusal: str = ""
    skipped: int = 0
    late: bool = False


class Window:
    """Which numbers of one stream have come.

    Attributes:
        highest: the highest number that has come.
        missing: bit i: the number `highest` - i has not come.
        newest_us: the newest time of issue.
        floor_us: nothing that was issued then or before is accepted.
    """

    __slots__ = ("floor_us", "highest", "missing", "newest_us")

    def __init__(self, number: int, issued_us: int = 0, *, floor_us: int = -1, window: int = WINDOW) -> None:
        self.floor_us = floor_us
        self.highest = number
        self.missing = ((1 << min(number, window)) - 1) & ~1
        self.newest_us = issued_us

    def take(self, number: int, window: int = WINDOW) -> Heard:
        """A number of the stream has come."""
        ahead = number - self.highest
        if ahead == 1 and not self.missing:
            self.highest = number
            return _NEXT
        if ahead > 0:
            if ahead >= window:
                self.missing = (1 << window) - 2
            else:
                self.missing = (self.missing << ahead | (1 << ahead) - 2) & (1 << window) - 1
            self.highest = number
            return Heard("", ahead - 1) if ahead > 1 else _NEXT
        if -ahead >= window:
            return Heard("it was overtaken by more frames than are remembered, or has come before")
        bit = 1 << -ahead
        if not self.missing & bit:
            return Heard("it has come before")
        self.missing &= ~bit
        return _LATE


_NEXT = Heard()
_LATE = Heard("", 0, True)
_FORGOTTEN = Heard("its stream was forgotten after it was issued: it may have come before")


class _Speaker:
    __slots__ = ("floor_us", "streams")

    def __init__(self, floor_us: int) -> None:
        self.floor_us = floor_us
        self.streams: OrderedDict[StreamKey, Window] = OrderedDict()


class Replays:
    """What one node has heard live since its boot.

    Args:
        boot_us: when it began, microseconds since 1970.
        capacity: streams that are kept, at least 1.
        window: frames by which one may be overtaken.
    """

    def __init__(self, boot_us: int, *, capacity: int = CAPACITY, window: int = WINDOW) -> None:
        self._boot_us = boot_us
        self._capacity = capacity
        self._window = window
        self._floor_us = -1
        self._count = 0
        self._speakers: OrderedDict[bytes, _Speaker] = OrderedDict()  # those that spoke last are last

    def __len__(self) -> int:
        return self._count

    def judge(self, key: bytes, stream: StreamKey, number: int, issued_us: int, *, begins: bool = False) -> Heard:
        """Whether a frame, which `key` has signed, may be taken; from then on it has come.

        Args:
            number: from 1.
            issued_us: microseconds since 1970.
            begins: its sender has counted anew, from a number that is higher than all before: nothing was skipped.
        """
        if issued_us < self._boot_us:
            return Heard("it was issued before this node's boot")
        speaker = self._speakers.get(key)
        known = speaker.streams.get(stream) if speaker else None
        if speaker is None or known is None:
            return self._first(key, speaker, stream, number, issued_us)
        if issued_us <= known.floor_us:
            return _FORGOTTEN
        heard = known.take(number, self._window)
        if heard.refusal:
            return heard
        known.newest_us = max(known.newest_us, issued_us)
        speaker.streams.move_to_end(stream)
        self._speakers.move_to_end(key)
        return _NEXT if begins and not heard.late else heard

    def _first(self, key: bytes, speaker: _Speaker | None, stream: StreamKey, number: int, issued_us: int) -> Heard:
        """A frame of a stream that is not known."""
        if issued_us <= (speaker.floor_us if speaker else self._floor_us):
            return _FORGOTTEN
        if self._count >= self._capacity:
            self._forget_one(speaker)
        if speaker is None:
            speaker = self._speakers[key] = _Speaker(self._floor_us)
        speaker.streams[stream] = Window(number, issued_us, floor_us=speaker.floor_us, window=self._window)
        self._speakers.move_to_end(key)
        self._count += 1
        return _NEXT

    def _forget_one(self, newcomer: _Speaker | None) -> None:
        key, silent = next(iter(self._speakers.items()))
        speaker = newcomer or silent
        _, forgotten = speaker.streams.popitem(last=False)
        speaker.floor_us = max(speaker.floor_us, forgotten.newest_us)
        self._count -= 1
        if newcomer is None and not speaker.streams:
            self._floor_us = max(self._floor_us, speaker.floor_us)
            del self._speakers[key]
