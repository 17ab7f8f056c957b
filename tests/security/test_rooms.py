"""The rooms' agents on guarded nodes: they use the hall only, so what they say is signed, too."""

from __future__ import annotations

from agentbus.membership import Membership, lan
from agentbus.testing import Simulation

from .realm import guard


def test_membership_finds_who_is_enrolled_and_nobody_else() -> None:
    async def scenario(sim: Simulation) -> None:
        def clock() -> float:
            return 946_684_800.0 + sim.now()

        guards = {name: guard(name, "membership", clock=clock) for name in ("a", "b", "c")}
        nodes = [
            await sim.node(name, realm="city", guard=by, agents={"membership": Membership(lan())})
            for name, by in guards.items()
        ]
        await sim.node("stranger", realm="city", agents={"membership": Membership(lan())})
        await sim.sleep(20.0)
        for node in nodes:
            assert {peer.node for peer in node.peers.alive()} == {"a", "b", "c"}
        sim.crash("c")
        await sim.sleep(20.0)
        for node in nodes[:2]:
            assert {peer.node for peer in node.peers.alive()} == {"a", "b"}
        assert sum(by.counters.refused for by in guards.values()) == 0
        assert all(node.statistics().malformed for node in nodes[:2]), "the stranger was refused"

    Simulation(seed=1).run(scenario)
