"""The way of a message when there are faults or an observer: what is under way, what is held, what is dropped.

Invariants: messages between two members arrive in the order they were sent, but for reordered ones; nothing is under
way to a link that is down; each drop is counted on a link and told to the observer with its reason. Without faults and
observer the broker does not come here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from random import Random

from .memory_faults import LinkFaults, Weather
from .memory_link import BROKER, Link, Observer


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something under way to a connection. `kind`: what the observer is told when `receive` is called."""

    kind: str
    source: str
    target: Link
    subject: str
    body: bytes
    size: int
    receive: Callable[[], None]


class Network:
    """All that is under way from the broker to the connections."""

    def __init__(self, rng: Random, max_waiting: int, observer: Observer | None) -> None:
        self.weather = Weather(rng)
        self.observer = observer
        self.frozen = 0
        self.dropped: dict[str, int] = {}
        self._max_waiting = max_waiting
        self._under_way: list[tuple[float, int, Parcel]] = []
        self._latest: dict[tuple[str, Link], float] = {}
        self._numbers = count()

    @property
    def calm(self) -> bool:
        """Whether messages can be delivered without coming here: no faults, no observer, nothing left under way."""
        return not self.frozen and self.observer is None and self.weather.calm and not self._under_way

    @property
    def next_due(self) -> float | None:
        """Loop time of the next arrival."""
        return self._under_way[0][0] if self._under_way else None

    def enter(
        self, link: Link, subject: str, body: bytes, size: int, loss: bool, at_broker: Callable[[], None]
    ) -> None:
        """Something from a connection on its way to the broker: calls `at_broker`, now or after a thaw, or drops it.

        Args:
            link: of the connection.
            subject: for the observer.
            body: for the observer.
            size: bytes that it takes while it is held.
            loss: whether the link's loss applies here, as its way ends at the broker.
            at_broker: what the broker does with it.
        """
        if link.frozen:
            if link.waiting_out + size > self._max_waiting:
                self.drop("outbound queue full", link, link.name, BROKER, subject, body)
                return
            link.waiting_out += size
            link.held_out.append((size, lambda: self.enter(link, subject, body, 0, loss, at_broker)))
        elif self.weather.apart(link.name, BROKER):
            self.drop("partition", link, link.name, BROKER, subject, body)
        elif loss and self.weather.happens(self.weather.between(link.name, BROKER).loss):
            self.drop("loss", link, link.name, BROKER, subject, body)
        else:
            at_broker()

    def carry(self, parcel: Parcel, now: float, *, live: bool, loss: bool = True) -> None:
        """Sends a parcel on its way from the broker. `live`: it can be duplicated and reordered."""
        weather, target = self.weather, parcel.target
        if weather.apart(parcel.source, target.name):
            self._drop_parcel("partition", parcel)
            return
        faults = weather.between(parcel.source, target.name)
        if loss and weather.happens(faults.loss):
            self._drop_parcel("loss", parcel)
            return
        copies = 2 if live and weather.happens(faults.duplicate) else 1
        for _ in range(copies):
            if target.waiting_in + parcel.size > self._max_waiting:
                self._drop_parcel("slow consumer", parcel)
                return
            target.waiting_in += parcel.size
            self._push(parcel, faults, now, late=live and weather.happens(faults.reorder))

    def release(self, now: float) -> None:
        """Delivers all that has arrived by now."""
        under_way = self._under_way
        while under_way and under_way[0][0] <= now:
            parcel = heappop(under_way)[2]
            if not parcel.target.up:
                self._drop_parcel("link down", parcel)
            elif parcel.target.frozen:
                parcel.target.held_in.append(lambda parcel=parcel: self._arrive(parcel))
            else:
                self._arrive(parcel)
        if not under_way:
            self._latest.clear()

    def freeze(self, link: Link) -> None:
        """Nothing moves on this link until the thaw."""
        if not link.frozen:
            link.frozen = True
            self.frozen += 1

    def thaw(self, link: Link) -> None:
        """What was held goes on, in order: first what came, then what was sent."""
        if not link.frozen:
            return
        link.frozen = False
        self.frozen -= 1
        while link.held_in:
            link.held_in.popleft()()
        while link.held_out:
            size, go_on = link.held_out.popleft()
            link.waiting_out -= size
            go_on()

    def cut(self, link: Link, reason: str) -> None:
        """The link goes down; what was held or under way is dropped."""
        self.frozen -= link.frozen
        lost = [item[2] for item in self._under_way if item[2].target is link]
        for parcel in lost:
            self._drop_parcel(reason, parcel)
        if lost:
            self._under_way[:] = sorted(item for item in self._under_way if item[2].target is not link)
        for _ in range(len(link.held_in) + len(link.held_out)):
            self.drop(reason, link, link.name, link.name, "", b"")
        link.cut()

    def drop(self, reason: str, link: Link, source: str, target: str, subject: str, body: bytes) -> None:
        """Counts a drop on a link, and tells the observer."""
        link.count_drop(reason)
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        self.tell("drop", source, target, subject, body, reason)

    def tell(
        self, kind: str, source: str, target: str = "", subject: str = "", body: bytes = b"", why: str = ""
    ) -> None:
        """Tells the observer, if there is one."""
        if self.observer is not None:
            self.observer(kind, source, target, subject, body, why)

    def _push(self, parcel: Parcel, faults: LinkFaults, now: float, *, late: bool) -> None:
        due = now + self.weather.delay(faults)
        pair = (parcel.source, parcel.target)
        if parcel.source == BROKER:
            # What the broker answers must not overtake what it delivered before: flush is built on it.
            due = max(due, parcel.target.last_due)
        elif late:
            due = max(due, self._latest.get(pair, 0.0)) + self.weather.lateness(faults)
        else:
            due = max(due, self._latest.get(pair, 0.0))
            self._latest[pair] = due
        parcel.target.last_due = max(parcel.target.last_due, due)
        heappush(self._under_way, (due, next(self._numbers), parcel))

    def _arrive(self, parcel: Parcel) -> None:
        parcel.target.waiting_in -= parcel.size
        if self.weather.apart(parcel.source, parcel.target.name):
            self.drop("partition", parcel.target, parcel.source, parcel.target.name, parcel.subject, parcel.body)
            return
        self.tell(parcel.kind, parcel.source, parcel.target.name, parcel.subject, parcel.body)
        parcel.receive()

    def _drop_parcel(self, reason: str, parcel: Parcel) -> None:
        self.drop(reason, parcel.target, parcel.source, parcel.target.name, parcel.subject, parcel.body)
