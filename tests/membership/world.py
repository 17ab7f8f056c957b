"""Many machines on a network in virtual time: no event loop, no wire, only what the machines say and hear.

A stopped member's packets wait, in order; when it goes on, its overdue timers fire before them.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from itertools import count
from random import Random

from agentbus.membership.config import MembershipConfig, local
from agentbus.membership.machine import Swim
from agentbus.membership.model import AgentEntry, Broadcast, ChangeKind, Effect, Event, Leave, Notify, Packet, Send

LATENCY_S = (0.001, 0.004)


class Told:
    """One change, as one member saw it."""

    __slots__ = ("at", "by", "change")

    def __init__(self, at: float, by: str, change: Notify) -> None:
        self.at = at
        self.by = by
        self.change = change

    @property
    def kind(self) -> ChangeKind:
        return self.change.kind

    @property
    def node(self) -> str:
        return self.change.word.node

    def __repr__(self) -> str:
        return f"{self.at:.3f} {self.by}: {self.kind.value} {self.node} ({self.change.reason})"


class World:
    """The network and its members.

    Args:
        seed: of all chance.
        config: of all machines, unless one is given its own.
        latency_s: least and most seconds from one to another.
        loss: probability that a packet is lost.
    """

    def __init__(
        self,
        seed: int = 0,
        config: MembershipConfig | None = None,
        *,
        latency_s: tuple[float, float] = LATENCY_S,
        loss: float = 0.0,
    ) -> None:
        self.now = 0.0
        self.rng = Random(seed)
        self.config = config or local()
        self.latency_s = latency_s
        self.loss = loss
        self.machines: dict[str, Swim] = {}
        self.told: list[Told] = []
        self.sent: Counter[str] = Counter()
        self.packets: list[tuple[float, str, Packet]] = []
        self.keep_packets = False
        self.broker = True
        self._groups: list[frozenset[str]] = []
        self._queue: list[tuple[float, int, str, str, object]] = []
        self._numbers = count()
        self._stopped: dict[str, list[Packet]] = {}
        self._ticks: dict[str, float] = {}

    # -- members ---------------------------------------------------------------------------------------------------

    def start(
        self,
        name: str,
        *,
        epoch: int | None = None,
        config: MembershipConfig | None = None,
        agents: tuple[AgentEntry, ...] = (),
        at: float | None = None,
    ) -> Swim:
        """One more member, or a further life of one. Its epoch is the time in microseconds unless it is given."""
        if at is not None and at > self.now:
            self.run_until(at)
        epoch = int(1e6 * self.now) + 1_000 if epoch is None else epoch
        machine = Swim(name, epoch, config or self.config, Random(f"{self.rng.random()}/{name}"), self.now, agents)
        self._stopped.pop(name, None)
        self.machines[name] = machine
        self._carry_out(name, machine.start(self.now))
        return machine

    def populate(self, size: int, within_s: float = 1.0) -> None:
        """So many members, m0 and on, started within a time; returns when all know one another."""
        for number in range(size):
            self.start(f"m{number}", at=self.now + within_s / size)
        self.run(5.0)

    def crash(self, *names: str) -> None:
        """They are gone, at once."""
        for name in names:
            del self.machines[name]
            self._ticks.pop(name, None)
            self._stopped.pop(name, None)

    def leave(self, *names: str) -> None:
        """They say good-bye, and are gone."""
        for name in names:
            self.do(name, Leave())
            self.crash(name)

    def stop(self, *names: str) -> None:
        """Their processes stand still; what is sent to them waits."""
        for name in names:
            self._stopped.setdefault(name, [])

    def go_on(self, *names: str) -> None:
        """They run again: first the timers that are overdue, then what waited."""
        for name in names:
            waiting = self._stopped.pop(name)
            machine = self.machines[name]
            while (due := machine.next_deadline()) is not None and due <= self.now:
                self._carry_out(name, machine.tick(self.now))
            for packet in waiting:
                self.do(name, packet)

    def do(self, name: str, event: Event) -> None:
        """An event happens to a member, now."""
        self._carry_out(name, self.machines[name].handle(event, self.now))

    def partition(self, *groups: Collection[str]) -> None:
        """Nothing passes between the groups."""
        self._groups = [frozenset(group) for group in groups]

    def heal(self) -> None:
        self._groups = []

    # -- asked -----------------------------------------------------------------------------------------------------

    def living(self, name: str) -> set[str]:
        """Whom a member believes alive, itself among them."""
        return {name, *self.machines[name].beliefs.members.living}

    def agrees(self, names: Iterable[str] | None = None) -> bool:
        """Whether all of them believe exactly them alive."""
        wanted = set(self.machines if names is None else names)
        return all(self.living(name) == wanted for name in wanted)

    def changes(self, *kinds: ChangeKind, node: str | None = None, since: float = 0.0) -> list[Told]:
        """What was told, of these kinds."""
        return [
            told
            for told in self.told
            if told.kind in kinds and told.at >= since and (node is None or told.node == node)
        ]

    # -- time ------------------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        self.run_until(self.now + seconds)

    def until(self, condition: Callable[[], bool], limit_s: float = 60.0, step_s: float = 0.05) -> float:
        """Runs until it holds; returns the seconds that took."""
        began = self.now
        while not condition():
            assert self.now - began < limit_s, f"not within {limit_s} s"
            self.run(step_s)
        return self.now - began

    def run_until(self, end: float) -> None:
        queue = self._queue
        while queue and queue[0][0] <= end:
            at, _, what, name, about = heapq.heappop(queue)
            self.now = at
            if what == "tick":
                if self._ticks.get(name) != at or name in self._stopped:
                    continue
                self._ticks.pop(name)
                machine = self.machines.get(name)
                if machine is not None:
                    self._carry_out(name, machine.tick(at))
            elif name in self._stopped:
                self._stopped[name].append(about)
            else:
                machine = self.machines.get(name)
                if machine is not None:
                    self._carry_out(name, machine.handle(about, at))
        self.now = end

    # -- inside ----------------------------------------------------------------------------------------------------

    def _carry_out(self, name: str, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._send(name, effect.to, effect.packet)
            elif isinstance(effect, Broadcast):
                for other in self.machines:
                    self._send(name, other, effect.packet)
            else:
                self.told.append(Told(self.now, name, effect))
        due = self.machines[name].next_deadline() if name in self.machines else None
        if due is None:
            self._ticks.pop(name, None)
        elif self._ticks.get(name) != due:
            self._ticks[name] = due = max(due, self.now)
            heapq.heappush(self._queue, (due, next(self._numbers), "tick", name, None))

    def _send(self, source: str, to: str, packet: Packet) -> None:
        self.sent[source] += 1
        if self.keep_packets:
            self.packets.append((self.now, to, packet))
        if not self.broker or (self.loss and self.rng.random() < self.loss):
            return
        for group in self._groups:
            if (source in group) != (to in group):
                return
        low, high = self.latency_s
        at = self.now + low + (high - low) * self.rng.random()
        heapq.heappush(self._queue, (at, next(self._numbers), "packet", to, packet))


def quick(**changes: object) -> MembershipConfig:
    """`local` with some knobs changed."""
    return replace(local(), **changes)  # type: ignore[arg-type]
