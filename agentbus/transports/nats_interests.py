"""The subscriptions of a transport, which outlive its links: a number and a few attributes each, no task, no queue.

Invariants: a number is used once in a transport's life, so a message for an ended subscription finds nobody; every
change is written to the link of the moment, and a new link is told all of them by `lines`.
"""

from __future__ import annotations

from ..errors import SubjectError
from ..subjects import check_subject
from ..transport import Receiver
from .nats_link import Link
from .nats_wire import LONGEST_SUBJECT, Interest, sub_line, unsub_line


class NatsSubscription(Interest):
    """Interest in a subject. See `agentbus.transport.Subscription`."""

    __slots__ = ("_table", "number", "queue", "subject")

    def __init__(self, table: Interests, subject: str, queue: str, number: int, receiver: Receiver) -> None:
        super().__init__(receiver)
        self._table = table
        self.subject = subject
        self.queue = queue
        self.number = number

    def unsubscribe(self) -> None:
        self._table.remove(self.number)

    def drain(self) -> None:
        self._table.retire(self.number, self.receiver)


class Interests:
    """All subscriptions of one transport.

    Attributes:
        table: by number; what a link's reader looks in.
        link: to which changes are written; None while there is none.
        other: a second one, in a handover.
    """

    __slots__ = ("_last", "_retired", "link", "other", "table")

    def __init__(self) -> None:
        self.table: dict[int, NatsSubscription] = {}
        self.link: Link | None = None
        self.other: Link | None = None
        self._last = 0
        self._retired: set[int] = set()

    def add(self, subject: str, receiver: Receiver, queue: str) -> NatsSubscription:
        """Begins interest. Raises `SubjectError`."""
        check_subject(subject, pattern=True)
        if queue:
            check_subject(queue, what="queue group")
        if len(subject.encode()) + len(queue.encode()) > LONGEST_SUBJECT:
            raise SubjectError(f"subject {subject[:64]!r}... is too long: {LONGEST_SUBJECT} bytes, queue included")
        self._last += 1
        subscription = NatsSubscription(self, subject, queue, self._last, receiver)
        self.table[self._last] = subscription
        self._post(sub_line(subject, queue, self._last))
        return subscription

    def remove(self, number: int) -> None:
        """Ends interest at once. A second call does nothing."""
        if self.table.pop(number, None) is not None and number not in self._retired:
            self._post(unsub_line(number))
        self._retired.discard(number)

    def retire(self, number: int, refuse: Receiver) -> None:
        """Ends interest; messages that the server had sent by then go to `refuse`."""
        subscription, link = self.table.get(number), self.link
        if subscription is None or link is None or not link.alive:
            self.remove(number)
            return
        if number in self._retired:
            return
        subscription.receiver = refuse
        self._retired.add(number)
        self._post(unsub_line(number))
        link.ping().add_done_callback(lambda _: self.remove(number))

    def lines(self) -> bytes:
        """What tells a new link of everything."""
        return b"".join(
            sub_line(each.subject, each.queue, each.number)
            for each in self.table.values()
            if each.number not in self._retired
        )

    def ends(self) -> bytes:
        """What tells a link that is left that nothing is heard on it any more."""
        return b"".join(map(unsub_line, self.table))

    def _post(self, line: bytes) -> None:
        for link in (self.link, self.other):
            if link is not None:
                link.post(line)

    def close(self) -> None:
        """Ends all interest, and tells the server, so that it gives no member's share to a group's former member."""
        for number in self.table.keys() - self._retired:
            self.remove(number)
