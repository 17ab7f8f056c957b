"""A mailbox: frames that wait for a behavior, bounded in messages. Pure.

Frames are kept as they came; a message is parsed when its turn comes. Frames are shared between mailboxes and are
never changed.
"""

from __future__ import annotations

from collections import deque

from .inbound import Inbound
from .messages import Frame

Rejected = tuple[Inbound, range]
"""Messages that were not kept: the frame and their places in it."""


class Mailbox:
    """At most `limit` messages, in order.

    Attributes:
        size: messages that wait, those of a frame in hand among them.
        halted: whether whoever has a frame in hand should give back what it has not begun.
    """

    __slots__ = ("_index", "_queue", "halted", "limit", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.halted = False
        self._queue: deque[Inbound] | None = None
        self._index = 0

    def put(self, inbound: Inbound) -> bool:
        """Takes a whole frame in; False, and nothing taken, when it has no room for all of it."""
        size = self.size + len(inbound.frame.payloads)
        if size > self.limit:
            return False
        if self._queue is None:
            self._queue = deque()
        self._queue.append(inbound)
        self.size = size
        return True

    def put_some(self, inbound: Inbound, *, drop_oldest: bool) -> list[Rejected]:
        """Takes in what there is room for.

        Args:
            drop_oldest: make room by giving up those that waited longest.

        Returns:
            What was given up, old or new.
        """
        rejected: list[Rejected] = []
        count = len(inbound.frame.payloads)
        if drop_oldest:
            while self.size and self.size + count > self.limit:
                oldest, index = self.take()
                rejected.append((oldest, range(index, index + 1)))
        room = self.limit - self.size
        if room >= count:
            self.put(inbound)
            return rejected
        kept = range(count - room, count) if drop_oldest else range(room)
        lost = range(count - room) if drop_oldest else range(room, count)
        if room:
            self.put(part(inbound, kept))
        rejected.append((inbound, lost))
        return rejected

    def take(self) -> tuple[Inbound, int]:
        """The next message: its frame and its place there. Raises IndexError when there is none."""
        if not self._queue:
            raise IndexError("the mailbox is empty")
        inbound = self._queue[0]
        index = self._index
        if index + 1 < len(inbound.frame.payloads):
            self._index = index + 1
        else:
            self._queue.popleft()
            self._index = 0
        self.size -= 1
        return inbound, index

    def take_frame(self) -> tuple[Inbound, int]:
        """The next frame, and the place of its first message still to be handled. Its messages go on counting in
        `size`; whoever handles one takes it off. Raises IndexError when there is none."""
        if not self._queue:
            raise IndexError("the mailbox is empty")
        index, self._index = self._index, 0
        return self._queue.popleft(), index

    def give_back(self, inbound: Inbound, index: int) -> None:
        """Puts a frame of `take_frame` back, the messages from `index` on still to be handled."""
        if index < len(inbound.frame.payloads):
            assert self._queue is not None
            self._queue.appendleft(inbound)
            self._index = index

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._queue)


def part(inbound: Inbound, places: range) -> Inbound:
    """The messages at some places of a frame, one after the other, as a frame that came with it."""
    frame = inbound.frame
    cut = slice(places.start, places.stop)
    piece = Frame(
        frame.type,
        frame.source,
        frame.epoch,
        frame.hops,
        frame.sequence + places.start,
        frame.time_us,
        frame.payloads[cut],
        frame.deadlines_ms[cut],
        frame.traces[cut],
        frame.answers[cut],
    )
    cut_off = Inbound(piece, inbound.subject, inbound.reply, inbound.received_s, inbound.foreign, inbound.job)
    cut_off.opened = inbound.opened
    return cut_off
