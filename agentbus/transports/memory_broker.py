"""The in-memory broker as its users see it: connections, faults, and brokers shared by name.

Invariants: all time is the running loop's, all chance the given generator's, all orders those of arrival, so one seed
gives one history. A broker that has a name belongs to one event loop and ends with it.
Reference: `agentbus.transport` for what holds without faults.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from random import Random
from typing import Protocol
from weakref import WeakKeyDictionary

from ..errors import ConfigurationError
from ..transport import Receiver
from .memory_exchange import Exchange
from .memory_faults import LinkFaults
from .memory_link import BROKER, Link, Observer
from .memory_routes import Interest

_named: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, MemoryBroker]] = WeakKeyDictionary()


class Connection(Protocol):
    """What the broker needs of a transport."""

    @property
    def link(self) -> Link: ...

    def link_lost(self, reason: str) -> None:
        """The broker has stopped."""
        ...

    def link_back(self) -> None:
        """The broker is there again: register all interest, then be connected."""
        ...

    def vanish(self) -> None:
        """The process has died: be closed, and tell nobody."""
        ...


class MemoryBroker:
    """A broker in this process, for the connections of one event loop.

    Args:
        name: the part after ``memory://``.
        rng: the source of all chance: queue members, faults, reconnects. Default: one seeded by the system.
        max_payload: bytes of body and headers that one message may have.
        max_waiting: bytes that may wait for one connection in either direction. Beyond it what comes for it is
            dropped and counted ("slow consumer"); what it sends is refused with `NotConnected`.
        reconnect_s: least and most seconds after `start_broker` at which a connection is back.
        on_event: told of each event, in order. With it every message takes a slower path.
    """

    def __init__(
        self,
        name: str = "",
        *,
        rng: Random | None = None,
        max_payload: int = 1 << 20,
        max_waiting: int = 64 << 20,
        reconnect_s: tuple[float, float] = (0.0, 0.0),
        on_event: Observer | None = None,
    ) -> None:
        self.name = name
        self.max_payload = max_payload
        self.max_waiting = max_waiting
        self._rng = rng or Random()
        self.exchange = Exchange(self._rng, max_waiting, on_event)
        self._reconnect_s = reconnect_s
        self._network = self.exchange.network
        self._connections: dict[Link, Connection] = {}
        self._subscriptions = 0
        self._names = 0
        self._waiters: dict[asyncio.Future[None], None] = {}

    @classmethod
    def named(cls, name: str) -> MemoryBroker:
        """The broker that ``memory://NAME`` means in the running loop."""
        for loop in [loop for loop in _named if loop.is_closed()]:
            del _named[loop]
        brokers = _named.setdefault(asyncio.get_running_loop(), {})
        if name not in brokers:
            brokers[name] = MemoryBroker(name)
        return brokers[name]

    @property
    def running(self) -> bool:
        """False between `stop_broker` and `start_broker`."""
        return self.exchange.running

    # For transports.

    def new_name(self) -> str:
        """A name for a connection that was given none."""
        self._names += 1
        return f"connection-{self._names}"

    def new_interest(
        self, link: Link, pattern: str, queue: str, receiver: Receiver, forget: Callable[[Interest], None]
    ) -> Interest:
        """Makes an interest; the connection adds it to the routes when its link is up."""
        self._subscriptions += 1
        return Interest(link, self._subscriptions, pattern, queue, receiver, forget)

    def admit(self, connection: Connection) -> None:
        """Takes a connection in; its link is up."""
        link = connection.link
        self._connections[link] = connection
        link.up = True
        self._network.tell("connect", link.name)
        self.exchange.jobs_changed()

    def dismiss(self, link: Link, reason: str) -> None:
        """Forgets a connection; what it leaves unsettled is due again after its ack_wait."""
        if self._connections.pop(link, None) is not None:
            self._network.cut(link, reason)
            self._network.tell("close", link.name, why=reason)
        self.exchange.detach(link)

    async def changed(self) -> None:
        """Returns at the next `start_broker`, `partition` or `heal`."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = None
        try:
            await waiter
        finally:
            self._waiters.pop(waiter, None)

    # Faults.

    def link(
        self,
        *members: str,
        delay_s: tuple[float, float] = (0.0, 0.0),
        loss: float = 0.0,
        duplicate: float = 0.0,
        reorder: float = 0.0,
    ) -> None:
        """Sets the faults between two members, of all links of one member, or, without members, of all links.

        A member is a connection's name, or ``broker``: its links carry what is stored. The narrower rule wins. Raises
        `ConfigurationError`; see `LinkFaults`.
        """
        faults = LinkFaults(delay_s=delay_s, loss=loss, duplicate=duplicate, reorder=reorder)
        self._network.weather.link(members, faults)
        self._network.tell("link", "-".join(members), why=repr(faults))

    def partition(self, *groups: Collection[str]) -> None:
        """Cuts groups of members off from one another, silently, in place of any partition before.

        Members are names of connections, and ``broker``. Who is not named reaches all; but a single group is cut off
        from all who are not in it. Raises `ConfigurationError`: a name in two groups.
        """
        self._network.weather.partition(groups)
        self._network.tell("partition", BROKER, why=" | ".join(",".join(sorted(group)) for group in groups))
        self._changed()

    def heal(self) -> None:
        """Ends the partition; the links' faults stay."""
        self._network.weather.heal()
        self._network.tell("heal", BROKER)
        self._changed()
        self._reconnect(0.0, 0.0)

    def freeze(self, name: str) -> None:
        """Nothing moves on a connection until `thaw`; up to `max_waiting` bytes wait each way."""
        for link in self._links(name):
            self._network.freeze(link)
            self._network.tell("freeze", link.name)

    def thaw(self, name: str) -> None:
        """What waited goes on, in order, from the next turn."""
        for link in self._links(name):
            self._network.tell("thaw", link.name)
            self.exchange.thaw(link)

    def crash(self, name: str) -> None:
        """A connection vanishes at once; what it had not settled is due again after its ack_wait."""
        for link in self._links(name):
            self._network.tell("crash", link.name)
            self._connections[link].vanish()

    def stop_broker(self) -> None:
        """All links go down; live messages under way are lost, streams and the consumers' positions are kept."""
        if not self.running:
            return
        self._network.tell("stop", BROKER)
        self.exchange.stop()
        for link, connection in list(self._connections.items()):
            self._network.cut(link, "broker stopped")
            connection.link_lost("the broker has stopped")

    def start_broker(self) -> None:
        """The broker is there again; connections come back after `reconnect_s`, with their subscriptions."""
        if self.running:
            return
        self.exchange.running = True
        self._network.tell("start", BROKER)
        self._reconnect(*self._reconnect_s)
        self._changed()

    @property
    def dropped(self) -> dict[str, int]:
        """How many messages faults have dropped, by reason. Each connection's own are in `MemoryTransport.link`."""
        return dict(self._network.dropped)

    def _reconnect(self, low_s: float, high_s: float) -> None:
        if self.running:
            loop = asyncio.get_running_loop()
            for connection in self._connections.values():
                if not connection.link.up:
                    delay_s = low_s if low_s == high_s else self._rng.uniform(low_s, high_s)
                    loop.call_later(delay_s, connection.link_back)

    def _links(self, name: str) -> list[Link]:
        links = [link for link in self._connections if link.name == name]
        if not links:
            known = ", ".join(link.name for link in self._connections) or "none"
            raise ConfigurationError(f"no connection {name!r} at this broker; there are: {known}")
        return links

    def _changed(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self.exchange.jobs_changed()
