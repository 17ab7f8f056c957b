"""The agent `Membership` in simulations: the view it gives, the events it tells, what happens to it."""

from __future__ import annotations

from typing import ClassVar

import pytest

from agentbus import Agent, Context, Node, on
from agentbus.faults import FAILED, Fault, PeerEvent, PeerEventKind
from agentbus.membership import Membership, local
from agentbus.membership.codec import Gossip, Join, MembersReply, MembersRequest
from agentbus.testing import Simulation


class Ear(Agent):
    """Hears what its node finds out."""

    heard: ClassVar[list[tuple[float, str, str, str]]] = []

    @on(PeerEvent, topic="{node}")
    async def hear_event(self, event: PeerEvent, ctx: Context) -> None:
        kind = PeerEventKind.Name(event.kind).removeprefix("PEER_EVENT_KIND_").lower()
        self.heard.append((ctx.now(), ctx.node, kind, event.node))

    @on(Fault, topic="{node}")
    async def hear_fault(self, fault: Fault, ctx: Context) -> None:
        assert fault.kind == FAILED
        self.heard.append((ctx.now(), ctx.node, "recovered" if fault.recovered else "fault", fault.node))


class Idle(Agent):
    """Is there."""


@pytest.fixture(autouse=True)
def nothing_heard() -> None:
    Ear.heard = []


def kinds(by: str, about: str) -> list[str]:
    return [kind for _, node, kind, of in Ear.heard if (node, of) == (by, about)]


def nodes_of(node: Node) -> set[str]:
    return {peer.node for peer in node.peers.alive()}


async def start(sim: Simulation, count: int) -> list[Node]:
    nodes = [await sim.node(f"n{number}", agents=[Membership(local()), Ear()]) for number in range(count)]
    await sim.until(lambda: all(len(nodes_of(node)) == count for node in nodes), timeout_s=3.0)
    return nodes


def test_the_view_holds_the_agents_of_all_living_nodes() -> None:
    async def scenario(sim: Simulation) -> None:
        one, two = await start(sim, 2)
        await two.add(Idle(), name="late")
        await sim.until(lambda: one.peers.get("late"), timeout_s=2.0)
        late = one.peers.get("late")
        assert late is not None
        assert (late.node, late.id.epoch) == ("n1", two.epoch)
        everybody = [(peer.id.name, peer.id.epoch) for peer in one.peers.alive()]
        assert everybody == sorted(everybody)
        assert [name for name, _ in everybody] == ["ear", "ear", "late", "membership", "membership"]
        best = one.peers.get("ear")
        assert best is not None
        assert best.id.epoch == max(one.epoch, two.epoch)
        membership = one.peers.get("membership")
        assert membership is not None
        assert membership.answers == ("agentbus.wire.v1.MembersRequest",)
        assert one.peers.get("nobody") is None
        await two.remove("late")
        await sim.until(lambda: one.peers.get("late") is None, timeout_s=2.0)
        reply = await one.request(MembersRequest(), MembersReply)
        assert [(word.node, word.state) for word in reply.members] == [("n0", 1), ("n1", 1)]

    Simulation(1).run(scenario)


def test_a_crash_a_return_and_a_farewell_are_told() -> None:
    async def scenario(sim: Simulation) -> None:
        one, *_ = await start(sim, 5)
        began = sim.now()
        sim.crash("n3")
        await sim.until(lambda: "fault" in kinds("n0", "n3"), timeout_s=4.0)
        assert sim.now() - began < 2.5
        assert "n3" not in nodes_of(one)
        assert kinds("n0", "n3") == ["joined", "suspected", "failed", "fault"]
        await sim.restart("n3")
        await sim.until(lambda: "n3" in nodes_of(one), timeout_s=2.0)
        await sim.sleep(1.0)
        assert kinds("n0", "n3")[4:] == ["rejoined"]
        await sim.stop("n4")
        await sim.until(lambda: "n4" not in nodes_of(one), timeout_s=1.0)
        await sim.sleep(2.0)
        assert kinds("n0", "n4") == ["joined", "left"]

    Simulation(2).run(scenario)


def test_a_partition_ends_with_everybody_back_in_the_same_life() -> None:
    async def scenario(sim: Simulation) -> None:
        nodes = await start(sim, 5)
        sim.partition({"n0", "n1"}, {"n2", "n3", "n4"})
        await sim.until(lambda: nodes_of(nodes[0]) == {"n0", "n1"}, timeout_s=10.0)
        await sim.until(lambda: nodes_of(nodes[4]) == {"n2", "n3", "n4"}, timeout_s=10.0)
        await sim.sleep(5.0)
        sim.heal()
        await sim.until(lambda: all(len(nodes_of(node)) == 5 for node in nodes), timeout_s=5.0)
        await sim.sleep(1.0)
        assert kinds("n0", "n4")[-2:] == ["rejoined", "recovered"]

    Simulation(3).run(scenario)


def test_a_broker_that_is_gone_for_ten_seconds_costs_nobody_its_life() -> None:
    async def scenario(sim: Simulation) -> None:
        nodes = await start(sim, 9)
        Ear.heard = []
        sim.crash("broker")
        await sim.sleep(10.0)
        await sim.restart("broker")
        await sim.sleep(5.0)
        assert all(len(nodes_of(node)) == 9 for node in nodes)
        sim.crash("n8")
        await sim.until(lambda: all(len(nodes_of(node)) == 8 for node in nodes[:8]), timeout_s=5.0)
        assert {(kind, of) for _, _, kind, of in Ear.heard} == {
            (kind, "n8") for kind in ("suspected", "failed", "fault")
        }

    Simulation(4).run(scenario)


def test_a_node_whose_link_hangs_accuses_nobody_and_is_back_when_it_moves() -> None:
    async def scenario(sim: Simulation) -> None:
        nodes = await start(sim, 5)
        sim.freeze("n2")
        await sim.until(lambda: "n2" not in nodes_of(nodes[0]), timeout_s=5.0)
        await sim.sleep(5.0)
        sim.thaw("n2")
        await sim.until(lambda: all(len(nodes_of(node)) == 5 for node in nodes), timeout_s=5.0)
        await sim.sleep(3.0)
        assert not [kind for _, by, kind, _ in Ear.heard if by == "n2" and kind in ("failed", "suspected")]

    Simulation(5).run(scenario)


def test_packets_of_no_sense_and_of_later_versions_do_no_harm() -> None:
    async def scenario(sim: Simulation) -> None:
        one, two = await start(sim, 2)
        stranger = await sim.node("stranger")
        for message in (Gossip(), Gossip(version=7, kind=1, source="n1"), Gossip(version=1, kind=1, source="a.b")):
            await stranger.publish(message, topic="n0")
        for join in (Join(), Join(version=9)):
            await stranger.publish(join, topic="join")
        for subject in ("Gossip.n0", "Join.join"):
            raw = f"default.ev.agentbus-wire-v1-{subject}"
            stranger.transport.send(raw, b"\xff\xff\xff")
            stranger.transport.send(raw, b"\x00\x01\xff\xff")
        await sim.sleep(5.0)
        assert nodes_of(one) == nodes_of(two) == {"n0", "n1"}
        assert one.agent_statistics("membership").restarts == 0

    Simulation(6).run(scenario)


def test_membership_that_is_started_again_is_taken_back() -> None:
    async def scenario(sim: Simulation) -> None:
        one, two, _ = await start(sim, 3)
        await two.remove("membership")
        await sim.until(lambda: "n1" not in nodes_of(one), timeout_s=2.0)
        await two.add(Membership(local()))
        await sim.until(lambda: "n1" in nodes_of(one), timeout_s=3.0)
        await sim.until(lambda: nodes_of(two) == {"n0", "n1", "n2"}, timeout_s=3.0)

    Simulation(7).run(scenario)


def test_forty_nodes_of_25_agents_come_together_and_half_of_them_go() -> None:
    async def scenario(sim: Simulation) -> None:
        nodes: list[Node] = []
        for number in range(40):
            agents: dict[str, Agent] = {f"a{number}-{index}": Idle() for index in range(24)}
            nodes.append(await sim.node(f"n{number}", agents={"membership": Membership(local()), **agents}))
            await sim.sleep(1.0 / 40)
        await sim.until(lambda: all(len(node.peers.alive()) == 1_000 for node in nodes), timeout_s=3.0)
        for number in range(20):
            await sim.stop(f"n{number}")
        await sim.until(lambda: all(len(node.peers.alive()) == 500 for node in nodes[20:]), timeout_s=5.0)
        for number in range(20, 40):
            sim.crash(f"n{number}")

    Simulation(8).run(scenario)


def test_a_packet_in_anothers_name_is_not_heard() -> None:
    async def scenario(sim: Simulation) -> None:
        nodes = await start(sim, 3)
        stranger = await sim.node("stranger")
        word = nodes[2].epoch
        for kind in range(1, 9):
            said = Gossip(version=1, kind=kind, source="n1", epoch=nodes[1].epoch)  # pyright: ignore[reportArgumentType]
            for state in (3, 4):  # failed, left
                said.words.add(state=state, node="n2", epoch=word, incarnation=50, by=["n1"])  # pyright: ignore[reportArgumentType]
            await stranger.publish(said, topic="n0")
        join = Join(version=1)
        join.word.state, join.word.node, join.word.epoch = 1, "n2", word + 1  # pyright: ignore[reportAttributeAccessIssue]
        await stranger.publish(join, topic="join")
        await sim.sleep(5.0)
        assert all(len(nodes_of(node)) == 3 for node in nodes)
        assert {kind for _, _, kind, _ in Ear.heard} == {"joined"}

    Simulation(43).run(scenario)


class Clumsy(Membership):
    """Some message makes it fail."""

    @on(MembersReply, topic="stumble")
    async def stumble(self, message: MembersReply, ctx: Context) -> None:
        raise RuntimeError("a defect")


def test_a_failure_of_its_own_costs_no_member_its_place() -> None:
    async def scenario(sim: Simulation) -> None:
        nodes = [await sim.node(f"n{number}", agents=[Clumsy(local()), Ear()]) for number in range(3)]
        await sim.until(lambda: all(len(nodes_of(node)) == 3 for node in nodes), timeout_s=3.0)
        for _ in range(5):
            await nodes[0].publish(MembersReply(), topic="stumble")
            for _ in range(20):
                await sim.sleep(0.05)
                assert all(len(nodes_of(node)) == 3 for node in nodes)
        assert {kind for _, _, kind, _ in Ear.heard} == {"joined"}

    Simulation(31).run(scenario)
