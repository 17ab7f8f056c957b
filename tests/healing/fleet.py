"""A fleet of healers in a simulation, with a view of its peers that is true and late by a fixed time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentbus import Agent, Context, Node, Peer, PeerId, on
from agentbus.faults import Fault
from agentbus.healing import Healer, HealingConfig
from agentbus.healing.codec import HealingAction
from agentbus.peers import Standing
from agentbus.testing import Simulation


class Roll:
    """Who is alive, as the test says: node to epoch."""

    def __init__(self) -> None:
        self.nodes: dict[str, int] = {}

    def alive(self) -> Sequence[Peer]:
        return [Peer(id=PeerId("worker", epoch), node=node) for node, epoch in sorted(self.nodes.items())]

    def get(self, name: str) -> Peer | None:
        return next((peer for peer in self.alive() if peer.id.name == name), None)


class Tape(Agent):
    """Keeps what healers announce."""

    def __init__(self, heard: list[HealingAction]) -> None:
        self.heard = heard

    @on(HealingAction)
    async def hear(self, action: HealingAction, ctx: Context) -> None:
        self.heard.append(action)


class Fleet:
    """Nodes with a healer each; `tape` has all that they announced."""

    def __init__(self, sim: Simulation, config: HealingConfig | None = None) -> None:
        self.sim = sim
        self.config = config or HealingConfig()
        self.roll = Roll()
        self.nodes: dict[str, Node] = {}
        self.healers: dict[str, Healer] = {}
        self.tape: list[HealingAction] = []
        self.restarts: list[tuple[str, str]] = []
        self.rehosted: list[tuple[str, str, str]] = []

    async def start(self, count: int, **options: Any) -> None:
        await self.sim.node("tape", agents={"tape": Tape(self.tape)}, peers=self.roll)
        for number in range(count):
            await self.add(f"n{number}", **options)
        await self.sim.sleep(3.0)

    async def add(self, name: str, **options: Any) -> Node:
        def restart(agent: str, reason: str) -> None:
            self.restarts.append((name, agent))

        def rehost(agent: str, node: str, reason: str) -> None:
            self.rehosted.append((name, agent, node))

        healer = Healer(config=self.config, **{"on_restart": restart, "on_rehost": rehost, **options})
        node = await self.sim.node(name, agents={"healer": healer}, peers=self.roll)
        self.nodes[name], self.healers[name] = node, healer
        self.roll.nodes[name] = node.epoch
        return node

    def fault(self, kind: str, node: str, *, agent: str = "worker", **fields: Any) -> Fault:
        return Fault(kind=kind, agent=agent, node=node, epoch=self.nodes[node].epoch, reason="seen", **fields)

    async def all_hear(self, fault: Fault, *, but: Sequence[str] = ()) -> None:
        for name, node in self.nodes.items():
            if name not in but and name in self.roll.nodes:
                await node.publish(fault, topic=name)

    def standings(self, name: str, *, agent: str = "worker", epoch: int | None = None) -> set[Standing]:
        peer = PeerId(agent, self.nodes[name].epoch if epoch is None else epoch)
        return {healer.standing(peer) for who, healer in self.healers.items() if who in self.roll.nodes}

    async def anew(self, name: str) -> None:
        """The node's process ends, and its supervisor starts it again."""
        if self.roll.nodes.pop(name, None) is not None:
            self.sim.crash(name)
        await self.sim.sleep(1.0)
        node = await self.sim.restart(name)
        assert node is not None
        self.nodes[name] = node
        self.healers[name] = next(a for a in [node.cells["healer"].agent] if isinstance(a, Healer))
        self.roll.nodes[name] = node.epoch

    def steps(self, action: str, outcome: str = "") -> list[HealingAction]:
        return [one for one in self.tape if one.action == action and one.outcome.startswith(outcome)]
