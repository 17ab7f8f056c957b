"""A consumer in memory: a position in a stream, who pulls from it, and what is delivered and not settled.

Pure: time is an argument, in seconds of the loop; `dispatch` says what to deliver. Invariants: a message is at most
once among the unsettled; none is skipped; redeliveries go before new messages; pulls take turns, each up to its limit.
Reference: JetStream pull consumers with explicit acknowledgement.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from heapq import heappop, heappush
from itertools import count

from ..subjects import matches
from ..transport import ConsumerSpec, Job
from .memory_link import Link
from .memory_stream import Entry, MemoryStream


class Settlement(Enum):
    """What became of a delivery."""

    ACK = "ack"
    RETRY = "retry"
    DISCARD = "discard"
    PROGRESS = "progress"


class Pull:
    """One running consumption: takes up to `limit` unsettled jobs. Also what its user stops it with."""

    __slots__ = ("active", "consumer", "in_flight", "limit", "link", "receiver")

    def __init__(self, link: Link, limit: int, receiver: Callable[[Job], None], consumer: MemoryConsumer) -> None:
        self.active = True
        self.consumer = consumer
        self.in_flight = 0
        self.limit = limit
        self.link = link
        self.receiver = receiver

    def stop(self) -> None:
        """Stops pulling; unsettled jobs can still be settled."""
        if self.active:
            self.active = False
            self.consumer.pulls.remove(self)


@dataclass(slots=True, eq=False)
class Delivery:
    """One delivery that is not settled. `deadline`: loop time at which it is due again."""

    pull: Pull
    entry: Entry
    attempt: int
    deadline: float


class MemoryConsumer:
    """The state of one consumer. `pulls` is who takes part, the next in turn first."""

    def __init__(self, spec: ConsumerSpec, stream: MemoryStream) -> None:
        self.spec = spec
        self.stream = stream
        self.pulls: deque[Pull] = deque()
        self._next_sequence = 1
        self._unsettled: dict[int, Delivery] = {}
        self._again: dict[int, int] = {}
        self._ready: deque[int] = deque()
        self._timers: list[tuple[float, int, int, Delivery | None]] = []
        self._numbers = count()

    def dispatch(self, now: float, reachable: Callable[[Link], bool]) -> Iterator[Delivery]:
        """What is to be delivered now, as long as a pull on a reachable link has room."""
        self.stream.prune(now)
        while (pull := self._turn(reachable)) is not None:
            found = self._next(now)
            if found is None:
                return
            entry, attempt = found
            delivery = Delivery(pull, entry, attempt, now + self.spec.ack_wait_s)
            pull.in_flight += 1
            self._unsettled[entry.sequence] = delivery
            self._set_timer(delivery.deadline, entry.sequence, delivery)
            self.pulls.remove(pull)
            self.pulls.append(pull)
            yield delivery

    def settle(self, delivery: Delivery, settlement: Settlement, delay_s: float, now: float) -> None:
        """Settles. A delivery whose time was over can still be acknowledged or discarded, nothing else."""
        sequence = delivery.entry.sequence
        current = self._unsettled.get(sequence)
        if settlement in (Settlement.ACK, Settlement.DISCARD):
            self._again.pop(sequence, None)
            if current is not None:
                self._release(current)
        elif current is not delivery:
            return
        elif settlement is Settlement.PROGRESS:
            delivery.deadline = now + self.spec.ack_wait_s
        else:
            self._deliver_again(delivery, now + delay_s, now)

    def expire(self, now: float) -> None:
        """Makes ready what is due again."""
        while self._timers and self._timers[0][0] <= now:
            _, _, sequence, delivery = heappop(self._timers)
            if delivery is None:
                if sequence in self._again:
                    self._ready.append(sequence)
            elif self._unsettled.get(sequence) is not delivery:
                continue
            elif delivery.deadline > now:
                self._set_timer(delivery.deadline, sequence, delivery)
            else:
                self._deliver_again(delivery, now, now)

    def next_deadline(self) -> float | None:
        """Loop time at which `expire` has work, or None."""
        timers = self._timers
        while timers:
            due, _, sequence, delivery = timers[0]
            if delivery is None:
                if sequence in self._again:
                    return due
            elif self._unsettled.get(sequence) is delivery:
                if delivery.deadline <= due:
                    return due
                self._set_timer(delivery.deadline, sequence, delivery)
            heappop(timers)
        return None

    def _turn(self, reachable: Callable[[Link], bool]) -> Pull | None:
        for pull in self.pulls:
            if pull.in_flight < pull.limit and reachable(pull.link):
                return pull
        return None

    def _next(self, now: float) -> tuple[Entry, int] | None:
        while self._ready:
            sequence = self._ready.popleft()
            attempt = self._again.pop(sequence, None)
            entry = self.stream.get(sequence)
            if attempt is not None and entry is not None:
                return entry, attempt
        self._next_sequence = max(self._next_sequence, self.stream.first_sequence)
        while self._next_sequence <= self.stream.last_sequence:
            entry = self.stream.get(self._next_sequence)
            self._next_sequence += 1
            if entry is not None and any(matches(pattern, entry.subject) for pattern in self.spec.filters):
                return entry, 1
        return None

    def _deliver_again(self, delivery: Delivery, due: float, now: float) -> None:
        sequence = delivery.entry.sequence
        self._release(delivery)
        self._again[sequence] = delivery.attempt + 1
        if due <= now:
            self._ready.append(sequence)
        else:
            self._set_timer(due, sequence, None)

    def _release(self, delivery: Delivery) -> None:
        del self._unsettled[delivery.entry.sequence]
        delivery.pull.in_flight -= 1

    def _set_timer(self, due: float, sequence: int, delivery: Delivery | None) -> None:
        heappush(self._timers, (due, next(self._numbers), sequence, delivery))
