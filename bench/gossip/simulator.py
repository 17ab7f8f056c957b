"""Many `Swim` machines in virtual time: a heap of packets under way and of timers, and nothing else.

A member that is stopped hears nothing; what comes for it waits. When it goes on, its overdue timers fire first, then it
hears what waited, in order. Everything is decided by the seed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from math import inf
from random import Random

from agentbus.membership.config import MembershipConfig
from agentbus.membership.machine import Swim
from agentbus.membership.model import Effect, Notify, Packet, PacketKind, Send

LATENCY_S = (0.0005, 0.002)
Observer = Callable[[float, str, Notify], None]
"""Called with the time, who has noticed, and what."""


class Host:
    """Where one member runs. `machine` is None while it is crashed."""

    __slots__ = ("machine", "name", "stopped", "tick_at", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.machine: Swim | None = None
        self.stopped = False
        self.tick_at = inf
        self.waiting: list[Packet] = []


class Fleet:
    """The members and the network between them.

    Args:
        size: members, ``m0`` and on. They begin by knowing one another.
        config: of all.
        seed: of all chance.
        observer: is told of all changes that members notice.
        latency_s: least and most seconds from one member to another, by way of the broker.
        chance: makes the members' sources of chance, from a seed.

    Attributes:
        now: seconds.
        sent: packets under way so far; a broadcast counts once for each member.
        events: packets and timers that were handled.
        pinged: when each member was last sent a ping.
    """

    def __init__(
        self,
        size: int,
        config: MembershipConfig,
        seed: int,
        observer: Observer = lambda at, by, change: None,
        *,
        latency_s: tuple[float, float] = LATENCY_S,
        chance: Callable[[float], Random] = Random,
    ) -> None:
        self.now = 0.0
        self.config = config
        self.sent = 0
        self.events = 0
        self.pinged: dict[str, float] = {}
        self.rng = Random(seed)
        self._observer = observer
        self._chance = chance
        self._low, self._span = latency_s[0], latency_s[1] - latency_s[0]
        self._heap: list[tuple[float, int, Host, Packet | None]] = []
        self._number = 0
        self.hosts = {f"m{number}": Host(f"m{number}") for number in range(size)}
        self._introduce()

    @property
    def names(self) -> Sequence[str]:
        """All members, crashed ones among them."""
        return list(self.hosts)

    def machine(self, name: str) -> Swim:
        """The machine of a member that runs."""
        machine = self.hosts[name].machine
        assert machine is not None, f"{name} is crashed"
        return machine

    # -- faults ----------------------------------------------------------------------------------------------------

    def crash(self, name: str) -> None:
        """It is gone at once."""
        host = self.hosts[name]
        host.machine, host.tick_at, host.stopped = None, inf, False
        host.waiting.clear()

    def restart(self, name: str) -> None:
        """It begins another life, and joins by itself."""
        host = self.hosts[name]
        host.machine = machine = self._made(name)
        self._carry_out(host, machine.start(self.now), self.now)

    def stop(self, name: str) -> None:
        """Its process stands still."""
        self.hosts[name].stopped = True

    def go_on(self, name: str) -> None:
        """It runs again: overdue timers first, then what waited."""
        host, now = self.hosts[name], self.now
        machine = self.machine(name)
        host.stopped = False
        while (due := machine.next_deadline()) is not None and due <= now:
            self._carry_out(host, machine.tick(now), now)
        waiting, host.waiting = host.waiting, []
        for packet in waiting:
            self._carry_out(host, machine.handle(packet, now), now)

    # -- time ------------------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Lets time pass."""
        self.run_until(self.now + seconds)

    def run_until(self, end: float) -> None:
        """Lets time pass until then."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= end:
            at, _, host, packet = pop(heap)
            machine = host.machine
            if machine is None:
                continue
            if packet is None:
                if host.tick_at != at:
                    continue  # another is set in its place
                host.tick_at = inf
                if host.stopped:
                    continue
                due = machine.next_deadline()
                if due is not None and due <= at:
                    self.now = at
                    self.events += 1
                    self._carry_out(host, machine.tick(at), at)
                else:
                    self._wind(host, machine)
            elif host.stopped:
                host.waiting.append(packet)
            else:
                self.now = at
                self.events += 1
                self._carry_out(host, machine.handle(packet, at), at)
        self.now = max(self.now, end)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _made(self, name: str) -> Swim:
        return Swim(name, int(1e6 * self.now) + 1, self.config, self._chance(self.rng.random()), self.now)

    def _introduce(self) -> None:
        """All begin at once, and have heard of all: as after a while, and without the flood of a common start."""
        for host in self.hosts.values():
            host.machine = self._made(host.name)
        everybody = tuple(self.machine(name).beliefs.own for name in self.hosts)
        for host in self.hosts.values():
            machine = self.machine(host.name)
            machine.start(0.0)
            teller = self.machine("m0" if host.name != "m0" else f"m{len(self.hosts) - 1}")
            machine.handle(Packet(PacketKind.TELL, teller.name, teller.epoch, 0, "", everybody), 0.0)
            for word in everybody:
                machine.beliefs.news.drop(word.node)
            self._wind(host, machine)

    def _carry_out(self, host: Host, effects: Iterable[Effect], now: float) -> None:
        push, heap, hosts, random = heapq.heappush, self._heap, self.hosts, self.rng.random
        for effect in effects:
            if isinstance(effect, Send):
                self.sent += 1
                to, packet = effect
                if packet.kind is PacketKind.PING:
                    self.pinged[to] = now
                self._number += 1
                push(heap, (now + self._low + self._span * random(), self._number, hosts[to], packet))
            elif isinstance(effect, Notify):
                self._observer(now, host.name, effect)
            else:
                packet = effect.packet
                for other in hosts.values():
                    self.sent += 1
                    self._number += 1
                    push(heap, (now + self._low + self._span * random(), self._number, other, packet))
        if host.machine is not None:
            self._wind(host, host.machine)

    def _wind(self, host: Host, machine: Swim) -> None:
        due = machine.next_deadline()
        if due is not None and due < host.tick_at and not host.stopped:
            host.tick_at = due = max(due, self.now)
            self._number += 1
            heapq.heappush(self._heap, (due, self._number, host, None))
