"""Networks of a few nodes, as most are: who is left hears little, and must not take that for an outage of its own."""

from __future__ import annotations

import pytest

from agentbus.membership import Membership, local
from agentbus.testing import Simulation


@pytest.mark.parametrize(("size", "victim"), [(2, 0), (3, 0), (3, 2), (4, 3), (5, 4)])
def test_a_crash_is_declared_in_about_the_time_that_the_formula_says(size: int, victim: int) -> None:
    async def scenario(sim: Simulation) -> float:
        sim.link(delay_s=(0.0005, 0.002))
        nodes = [await sim.node(f"n{number}", agents={f"m{number}": Membership(local())}) for number in range(size)]
        await sim.sleep(5.0)
        sim.crash(f"n{victim}")
        crashed_s = sim.now()
        left = [node for number, node in enumerate(nodes) if number != victim]
        while any(node.peers.get(f"m{victim}") for node in left) and sim.now() < crashed_s + 60.0:
            await sim.sleep(0.02)
        return sim.now() - crashed_s

    took = [Simulation(seed=seed).run(scenario) for seed in range(30)]
    assert max(took) <= 2 * local().expected_detection_s(size)
