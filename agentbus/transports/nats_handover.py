"""Two links of one transport for a moment, so that neither a message is lost nor one comes twice, nor out of order.

The new link subscribes to everything while the old one still hears. What comes on the new one is held until the old
one has unsubscribed, and each has brought all that the server had for it; then what came on both is told once. What is
sent goes to the new link, and is held likewise until the server has taken all that went by the old one.

Where a broker lets an answer go only by the connection that brought the request (`allow_responses`), it still goes: the
old link stays for a while, for the answers to what it brought.

Invariants: what is held is bounded by a round trip of either link, `ROUND_TRIP_S` at most. The order stays but
within a queue group, whose messages under way just then come by either link; and no two come for one unless all their
bytes are equal, which those of two frames never are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from ..transport import Headers
from .nats_interests import NatsSubscription
from .nats_wire import Interest, View

ROUND_TRIP_S = 2.0
"""Seconds that the old link is waited for."""
LINGER_S = 10.0
"""Seconds that the old link stays for answers."""
MOST_ASKED = 65536
FRAME = b"\0"
"""What a frame begins with, and no other message."""

_Key = tuple[int, str, bytes, str]
_Held = tuple[int, str, bytes, str, Headers | None]


class Handover:
    """From one link to the next.

    Args:
        table: the transport's subscriptions, by number.
        failed: told of a receiver that raised.
    """

    def __init__(self, table: Mapping[int, NatsSubscription], failed: Callable[[Interest, Exception], None]) -> None:
        self._table = table
        self._failed = failed
        self._seen: Counter[_Key] = Counter()
        self._held: list[_Held] | None = []
        self._asked: set[str] = set()
        self.old: View = _Tapped(table, self._came_by_old)
        self.new: View = _Tapped(table, self._came_by_new)

    def begin(self) -> None:
        """The new link subscribes now: what has come by the old one alone does not count."""
        self._seen.clear()

    def release(self) -> None:
        """Both links have brought all they had: tells what was held, but for what the old one brought too."""
        held, self._held = self._held or [], None
        for number, subject, body, reply, headers in held:
            interest = self._table.get(number)
            if interest is None or self._told(interest, (number, subject, body, reply)):
                continue
            self._note(reply)
            try:
                interest.receiver(subject, body, reply, headers)
            except Exception as error:
                self._failed(interest, error)
        # Another server may bring later what the old link has brought: of frames, which are never equal, that shows.
        self._seen = Counter({key: count for key, count in self._seen.items() if key[2][:1] == FRAME and count > 0})

    def _told(self, interest: NatsSubscription, key: _Key) -> bool:
        """Whether the old link has brought it."""
        if interest.queue or self._seen[key] <= 0:
            return False
        self._seen[key] -= 1
        return True

    def by_old(self, reply: str) -> bool:
        """Whether an answer to `reply` has to go by the old link: no request with it has come by the new one."""
        return reply not in self._asked

    def _came_by_old(self, number: int, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        interest = self._table[number]
        if not interest.queue and self._held is not None:
            self._seen[number, subject, body, reply] += 1
        interest.receiver(subject, body, reply, headers)

    def _came_by_new(self, number: int, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        if self._held is not None:
            self._held.append((number, subject, body, reply, headers))
            return
        interest = self._table[number]
        if self._seen and self._told(interest, (number, subject, body, reply)):
            return
        self._note(reply)
        interest.receiver(subject, body, reply, headers)

    def _note(self, reply: str) -> None:
        if reply and len(self._asked) < MOST_ASKED:
            self._asked.add(reply)


class _Tapped:
    """The subscriptions as one link's reader sees them for the time being."""

    __slots__ = ("_table", "_take")

    def __init__(
        self,
        table: Mapping[int, NatsSubscription],
        take: Callable[[int, str, bytes, str, Headers | None], None],
    ) -> None:
        self._table = table
        self._take = take

    def get(self, number: int) -> Interest | None:
        if number not in self._table:
            return None
        take = self._take
        return Interest(lambda subject, body, reply, headers: take(number, subject, body, reply, headers))
