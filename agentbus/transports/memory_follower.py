"""Who follows a stream in memory: where each stands, and what is under way to it.

Pure: time is an argument, in seconds of the loop. Invariants: `arrived` grows, one message at a time, each the next one
of the stream that the filters match; what does not arrive is told again after `RESEND_S`, from the first that is
missing. Reference: JetStream's ordered consumers (NATS ADR-17).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..transport import StoredMessage
from .memory_link import Link
from .memory_stream import Entry, MemoryStream
from .stored import own_headers

RESEND_S = 1.0
"""Seconds after which what has not arrived is sent again."""
WINDOW = 256
"""Messages under way to one follower."""


@dataclass(frozen=True, slots=True)
class Told:
    """A message on its way. `before`: the sequence of the one it follows on."""

    following: Following
    message: StoredMessage
    before: int


class Following:
    """One running follower. Also what its user stops it with."""

    def __init__(
        self,
        link: Link,
        stream: MemoryStream,
        filters: tuple[str, ...],
        receiver: Callable[[StoredMessage], None],
        after: int | None,
        all_of_them: dict[Following, None],
    ) -> None:
        self.link = link
        self.receiver = receiver
        self.deadline: float | None = None
        self._stream = stream
        self._filters = filters
        self._newest_up_to = stream.last_sequence if after is None else 0
        self._arrived = self._sent = after or 0
        self._under_way = 0
        self._all = all_of_them

    def stop(self) -> None:
        """See `Consumption.stop`."""
        self._all.pop(self, None)

    def arrived(self, told: Told) -> bool:
        """Whether a message that came is the next one; then it counts as received."""
        if self not in self._all or not self.link.up or told.before != self._arrived:
            return False
        self._arrived = told.message.sequence
        self._under_way -= 1
        self.deadline = None if self._arrived == self._sent else self.deadline
        return True

    def wait(self, now: float) -> None:
        """It can't be reached: what is due is due later."""
        if self.deadline is not None and self.deadline <= now:
            self.deadline = now + RESEND_S

    def dispatch(self, now: float) -> Iterator[Told]:
        """What to send now, or again."""
        if self.deadline is not None and self.deadline <= now:
            self._sent, self._under_way, self.deadline = self._arrived, 0, None
        self._stream.prune(now)
        for entry in self._stream.since(self._filters, self._sent):
            if self._under_way >= WINDOW:
                return
            if entry.sequence <= self._newest_up_to and entry.sequence != self._stream.last_of(entry.subject):
                continue
            before, self._sent = self._sent, entry.sequence
            self._under_way += 1
            self.deadline = now + RESEND_S
            message = message_of(entry)
            assert message is not None
            yield Told(self, message, before)


def message_of(entry: Entry | None) -> StoredMessage | None:
    """An entry as its readers see it."""
    return (
        None
        if entry is None
        else StoredMessage(
            subject=entry.subject,
            body=entry.body,
            headers=own_headers(entry.headers),
            sequence=entry.sequence,
            time_s=entry.stored_at,
        )
    )
