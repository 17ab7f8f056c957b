"""What the hall offers so that rooms can meet: topics of one's own node, and an adopted view of who is alive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from agentbus import Agent, Context, Peer, PeerId, PeerView, on
from agentbus.faults import FAILED, Fault
from agentbus.peers import PeerProvider
from agentbus.subjects import placed
from agentbus.testing import Simulation


class Ear(Agent):
    """Hears the faults of its own node."""

    heard: ClassVar[list[tuple[str, str]]] = []

    @on(Fault, topic="{node}")
    async def note(self, fault: Fault, ctx: Context) -> None:
        self.heard.append((ctx.node, fault.agent))


class Oracle(Agent):
    """Knows one peer beyond its node."""

    def peer_view(self, local: PeerView) -> PeerView:
        return Sees(local)


class Sees:
    def __init__(self, local: PeerView) -> None:
        self.local = local

    def alive(self) -> Sequence[Peer]:
        return [*self.local.alive(), Peer(id=PeerId("zoe", 7), node="far")]

    def get(self, name: str) -> Peer | None:
        return next((peer for peer in self.alive() if peer.id.name == name), None)


def test_a_placed_topic_names_node_and_agent() -> None:
    assert placed("a.{node}.*.{agent}", node="n-1", agent="me") == "a.n-1.*.me"
    assert placed("x{node}.y", node="n-1", agent="me") == "x{node}.y"


def test_what_is_published_to_a_node_s_topic_is_heard_there_only() -> None:
    async def scenario(sim: Simulation) -> list[tuple[str, str]]:
        Ear.heard = []
        one = await sim.node("one", agents=[Ear()])
        await sim.node("two", agents=[Ear()])
        await one.publish(Fault(kind=FAILED, agent="x"), topic="two")
        await sim.sleep(0.1)
        return Ear.heard

    assert Simulation(1).run(scenario) == [("two", "x")]


def test_a_node_takes_over_the_view_of_an_agent_that_knows_more() -> None:
    assert isinstance(Oracle(), PeerProvider)
    assert not isinstance(Ear(), PeerProvider)

    async def scenario(sim: Simulation) -> list[str]:
        node = await sim.node("one", agents=[Oracle(), Ear()])
        return [str(peer.id.name) for peer in node.peers.alive()]

    assert Simulation(1).run(scenario) == ["ear", "oracle", "zoe"]


def test_a_view_that_the_node_was_given_stays() -> None:
    async def scenario(sim: Simulation) -> list[str]:
        node = await sim.node("one", agents=[Oracle(), Ear()], peers=Sees(Nobody()))
        return [peer.id.name for peer in node.peers.alive()]

    assert Simulation(1).run(scenario) == ["zoe"]


class Nobody:
    def alive(self) -> Sequence[Peer]:
        return []

    def get(self, name: str) -> Peer | None:
        return None
