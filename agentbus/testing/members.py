"""The nodes of a simulation: how each is started, stopped, crashed, and started again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from random import Random
from typing import TypedDict

from ..agent import Agent, again
from ..errors import ConfigurationError
from ..limits import Limits
from ..middleware import Middleware
from ..node import Node
from ..peers import PeerView
from ..transport import FrameGuard, StreamLimits
from ..transports.memory import MemoryBroker
from ..transports.memory_link import BROKER
from .event_log import EventLog
from .process import Process, SimulatedNode
from .virtual_time import tasks_of

EPOCH_S = 946_684_800.0
"""Where the nodes' clocks begin: 2000-01-01T00:00:00Z."""


class NodeOptions(TypedDict, total=False):
    """What `Simulation.node` hands on to `agentbus.Node`."""

    realm: str
    durable: StreamLimits | None
    middleware: Sequence[Middleware]
    guard: FrameGuard | None
    limits: Limits | None
    peers: PeerView | None
    max_hops: int
    drain_s: float


class Member:
    """One node, through all its lives.

    Args:
        name: the node's.
        agents: those of its first life; those of a further one are made of the same arguments.
        options: of `Node`.
        surroundings: what all members share.

    Attributes:
        node: as long as it runs, or is being started.
    """

    def __init__(
        self,
        name: str,
        agents: Sequence[Agent] | Mapping[str, Agent],
        options: NodeOptions,
        surroundings: Surroundings,
    ) -> None:
        self.name = name
        self.node: SimulatedNode | None = None
        self._agents = agents
        self._options = options
        self._around = surroundings
        self._life = 0
        self._epoch_ms = 0

    async def start(self) -> Node:
        """Starts it; each life has a later epoch than the one before. Raises as `Node.start`."""
        around = self._around
        now_ms = int(around.clock() * 1000)
        if now_ms <= self._epoch_ms:
            await asyncio.sleep((self._epoch_ms + 1.5) / 1000 - around.clock())
        self._life += 1
        self._epoch_ms = int(around.clock() * 1000)
        self.node = node = SimulatedNode(
            Process(self.name, self._life),
            around.broker,
            agents=self._agents_of_this_life(),
            seed=around.derive(f"node {self.name} life {self._life}").getrandbits(64),
            clock=around.clock,
            **self._options,
        )
        around.log.record("up", self.name, reason=f"epoch {self._epoch_ms}")
        try:
            await node.start()
        except BaseException:
            if self.node is node:
                self.node = None
            raise
        return node

    async def stop(self) -> None:
        """Stops it as SIGTERM would, if it runs."""
        node, self.node = self.node, None
        if node is not None:
            await node.stop()
            self._around.log.record("down", self.name)

    def crash(self) -> None:
        """Ends it as the death of its process would, if it runs."""
        node, self.node = self.node, None
        if node is not None:
            node.crash()
            for task in tasks_of(node.process):
                task.cancel()

    def _agents_of_this_life(self) -> Sequence[Agent] | Mapping[str, Agent]:
        if self._life == 1:
            return self._agents
        if isinstance(self._agents, Mapping):
            return {name: again(agent) for name, agent in self._agents.items()}
        return [again(agent) for agent in self._agents]


class Surroundings:
    """What all members share.

    Args:
        broker: of the simulation.
        log: of the simulation.
        now: tells the virtual time.
        derive: makes a source of chance for a purpose.
    """

    def __init__(
        self, broker: MemoryBroker, log: EventLog, now: Callable[[], float], derive: Callable[[str], Random]
    ) -> None:
        self.broker = broker
        self.log = log
        self.derive = derive
        self._now = now

    def clock(self) -> float:
        """Seconds since 1970, virtual."""
        return EPOCH_S + self._now()


class Members:
    """All nodes of a simulation, by name, in the order of their making; the broker is a member that is no node."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._members: dict[str, Member] = {}

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __reversed__(self) -> Iterator[Member]:
        return reversed(self._members.values())

    def add(self, name: str, agents: Sequence[Agent] | Mapping[str, Agent], options: NodeOptions) -> Member:
        """One more. Raises `ConfigurationError`: the name is taken."""
        if name in self._members or name == BROKER:
            raise ConfigurationError(f"there is a member {name!r} already: choose another name, or restart that one")
        member = self._members[name] = Member(name, agents, options, self._around)
        return member

    def get(self, name: str) -> Member:
        """The node of that name. Raises `ConfigurationError`."""
        self.check([name])
        if name == BROKER:
            raise ConfigurationError(f"{BROKER!r} can be crashed, restarted, linked and partitioned; here, name a node")
        return self._members[name]

    def check(self, names: Collection[str]) -> None:
        """Raises `ConfigurationError` when one is no member's name."""
        for name in names:
            if name != BROKER and name not in self._members:
                known = ", ".join([*self._members, BROKER])
                raise ConfigurationError(f"no member {name!r} (nodes are named here, not agents): there are {known}")
