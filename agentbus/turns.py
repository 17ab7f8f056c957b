"""A mailbox whose senders take turns: fair queueing, and the longest queue loses when it is full. Pure.

Who waits alone has the whole mailbox. Who waits beside one that sends much waits for one message of it, or `QUANTUM`
of one frame, not for all; when the mailbox is full, whoever has most in it gives up. One sender's messages keep their
order.

Reference: J. Nagle, On packet switches with infinite storage (RFC 970, 1985): round robin; B. Suter, T. V. Lakshman,
D. Stiliadis and A. Choudhury, Design considerations for supporting TCP with per-flow queueing (INFOCOM 1998): longest
queue drop.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from .inbound import Inbound
from .limits import Principal
from .mailbox import Mailbox, Rejected, part

QUANTUM = 16
"""Messages of one frame that are taken in one turn while others wait."""
LINES = 1024
"""Senders that have a turn of their own; all beyond share one."""


class _Line:
    """What waits of one sender: frames, each with the place of its first message that waits; and how many messages."""

    __slots__ = ("frames", "size")

    def __init__(self) -> None:
        self.frames: deque[tuple[Inbound, int]] = deque()
        self.size = 0

    def put(self, inbound: Inbound) -> None:
        self.frames.append((inbound, 0))
        self.size += len(inbound.frame.payloads)

    def take(self, count: int) -> tuple[Inbound, int, int]:
        """At most `count` messages of the oldest frame: the frame, the place of the first, and how many."""
        inbound, index = self.frames.popleft()
        taken = min(count, len(inbound.frame.payloads) - index)
        if index + taken < len(inbound.frame.payloads):
            self.frames.appendleft((inbound, index + taken))
        self.size -= taken
        return inbound, index, taken

    def drop_oldest(self, count: int) -> Rejected:
        inbound, index, taken = self.take(count)
        return inbound, range(index, index + taken)

    def drop_newest(self, count: int) -> Rejected:
        """At most `count` messages of the newest frame."""
        inbound, index = self.frames.pop()
        stop = len(inbound.frame.payloads)
        start = max(index, stop - count)
        if start > index:
            self.frames.append((part(inbound, range(index, start)), 0))
        self.size -= stop - start
        return inbound, range(start, stop)


class FairMailbox(Mailbox):
    """At most `limit` messages, of all senders in turn. See `Mailbox`."""

    __slots__ = ("_lines",)

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._lines: OrderedDict[Principal, _Line] = OrderedDict()  # in the order of their turns

    def put(self, inbound: Inbound) -> bool:
        size = self.size + len(inbound.frame.payloads)
        if size > self.limit:
            return False
        self._line(inbound).put(inbound)
        self.size = size
        return True

    def put_some(self, inbound: Inbound, *, drop_oldest: bool) -> list[Rejected]:
        """Takes a frame in, and gives up what is too much: of whoever has most, its newest or its oldest."""
        self._line(inbound).put(inbound)
        self.size += len(inbound.frame.payloads)
        rejected: list[Rejected] = []
        while (excess := self.size - self.limit) > 0 and self._lines:
            longest, line, lead = self._longest()
            count = min(excess, lead)
            frame, places = line.drop_oldest(count) if drop_oldest else line.drop_newest(count)
            rejected.append((frame, places))
            self.size -= len(places)
            if not line.size:
                del self._lines[longest]
        return rejected

    def take(self) -> tuple[Inbound, int]:
        inbound, index, _ = self._next(1)
        self.size -= 1
        return inbound, index

    def take_frame(self) -> tuple[Inbound, int]:
        if len(self._lines) == 1:
            inbound, index, _ = self._next(len(next(iter(self._lines.values())).frames[0][0].frame.payloads))
            return inbound, index
        inbound, index, taken = self._next(QUANTUM)
        if index + taken == len(inbound.frame.payloads):
            return inbound, index
        return part(inbound, range(index, index + taken)), 0

    def give_back(self, inbound: Inbound, index: int) -> None:
        waiting = len(inbound.frame.payloads) - index
        if waiting > 0:
            line = self._line(inbound)
            line.frames.appendleft((inbound, index))
            line.size += waiting

    @property
    def waiting(self) -> bool:
        return bool(self._lines)

    def _line(self, inbound: Inbound) -> _Line:
        sender: Principal = inbound.principal
        line = self._lines.get(sender)
        if line is None:
            if len(self._lines) >= LINES or None in self._lines:  # the shared turn until it is over: order holds
                sender = None
                line = self._lines.get(sender)
            if line is None:
                line = self._lines[sender] = _Line()
        return line

    def _next(self, count: int) -> tuple[Inbound, int, int]:
        if not self._lines:
            raise IndexError("the mailbox is empty")
        sender, line = self._lines.popitem(last=False)
        taken = line.take(count)
        if line.size:
            self._lines[sender] = line
        return taken

    def _longest(self) -> tuple[Principal, _Line, int]:
        """The longest line, the last of several, and by how much it leads, at least 1."""
        longest: Principal = None
        most = second = 0
        for sender, line in self._lines.items():
            if line.size >= most:
                longest, most, second = sender, line.size, most
            elif line.size > second:
                second = line.size
        return longest, self._lines[longest], max(1, most - second)
