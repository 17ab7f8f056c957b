"""A fleet in a simulation: honest nodes, liars, and what each node was told."""

from __future__ import annotations

from dataclasses import replace

from agentbus import Agent, Context, Node, PeerId, on
from agentbus.detection import Detection, DetectionConfig, Finding, Gauges, Reproducer, quorum_of
from agentbus.faults import Fault
from agentbus.membership import Membership, local
from agentbus.testing import Simulation

LYING = "lying"


class Truth:
    """What reproducing shows to everybody: evidence that begins with "wrong" is. Says otherwise on a liar's node."""

    def __init__(self, lies: bool = False) -> None:
        self.lies = lies
        self.asked: list[str] = []

    async def reproduce(self, kind: str, accused: PeerId, evidence: str) -> Finding:
        self.asked.append(evidence)
        return Finding.CONFIRMED if self.lies or evidence.startswith("wrong") else Finding.DENIED


class Ear(Agent):
    """Notes the verdicts that its node is told, and when."""

    def __init__(self, heard: list[tuple[str, Fault, float]]) -> None:
        self.heard = heard

    @on(Fault, topic="{node}")
    async def note(self, fault: Fault, ctx: Context) -> None:
        self.heard.append((ctx.node, fault, ctx.now()))


class Fleet:
    """Nodes ``n-0`` on, each with a `Membership`, a `Detection` and an ear; the first `liars` of them lie."""

    def __init__(self, sim: Simulation, config: DetectionConfig | None = None) -> None:
        self.sim = sim
        self.config = config or replace(quorum_of(3), watch=None)
        self.reproducers: dict[str, Reproducer | None] = {}  # in place of the truth; None: it can't
        self.speaks_for = ""
        self.gauges: tuple[Gauges, ...] = ()
        self.nodes: dict[str, Node] = {}
        self.detections: dict[str, Detection] = {}
        self.truths: dict[str, Truth] = {}
        self.heard: list[tuple[str, Fault, float]] = []

    async def add(self, name: str, *, lies: bool = False, more: dict[str, Agent] | None = None) -> Node:
        truth = self.truths[name] = Truth(lies)
        reproducer = self.reproducers.get(name, truth)
        reproducers = {LYING: reproducer} if reproducer else {}
        detection = self.detections[name] = Detection(
            self.config, reproducers=reproducers, gauges=self.gauges, speaks_for=self.speaks_for
        )
        agents = {"membership": Membership(local()), "detection": detection, "ear": Ear(self.heard), **(more or {})}
        node = self.nodes[name] = await self.sim.node(name, agents=agents)
        return node

    async def start(self, size: int = 12, *, liars: int = 0) -> None:
        for number in range(size):
            await self.add(f"n-{number}", lies=number < liars)
        await self.settle()

    async def settle(self) -> None:
        """Until all know all."""
        names = set(self.nodes)
        await self.sim.until(
            lambda: all({peer.node for peer in node.peers.alive()} == names for node in self.nodes.values())
        )

    def who(self, node: str, agent: str = "detection") -> PeerId:
        return PeerId(agent, self.nodes[node].epoch)

    async def accuse(self, by: str, node: str, evidence: str, *, agent: str = "ear", kind: str = LYING) -> None:
        await self.detections[by].accuse(kind, self.who(node, agent), node, evidence)

    def told(self, kind: str) -> dict[str, list[Fault]]:
        """The verdicts of a kind, by the node that was told."""
        told: dict[str, list[Fault]] = {name: [] for name in self.nodes}
        for node, fault, _ in self.heard:
            if fault.kind == kind:
                told[node].append(fault)
        return told

    def all_told(self, kind: str, about: str) -> bool:
        return all(any(fault.node == about for fault in faults) for faults in self.told(kind).values())

    def verdicts(self) -> set[tuple[str, str]]:
        return {(fault.kind, fault.node) for _, fault, _ in self.heard}
