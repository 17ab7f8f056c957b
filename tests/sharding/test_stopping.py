"""A worker that stops leaves nothing behind, whenever that is: no shard in work, no failure that nobody looks at."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentbus.sharding import ShardJob
from agentbus.testing import Simulation

from .world import CONFIG, Chain

JOB = ShardJob(name="chain", shards=8)


@pytest.mark.parametrize("seed", range(3))
def test_a_lease_that_is_acquired_while_the_worker_stops_starts_no_work(seed: int) -> None:
    """The wire is slow: leases that were asked for are granted while others are given back."""
    acquiring = 0

    async def scenario(sim: Simulation, after_s: float) -> None:
        nonlocal acquiring
        unheard: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
        sim.link(delay_s=(0.02, 0.4))
        worker = Chain(JOB, config=CONFIG)
        await sim.node("n0", agents={"w0": worker})
        await sim.sleep(after_s)
        desk = worker._desk
        assert desk is not None
        acquiring += 0 < len(desk.held) < JOB.shards
        await sim.stop("n0")
        left = [task.get_name() for task in asyncio.all_tasks() if ": shard " in task.get_name()]
        assert not left
        assert not desk.held
        assert not unheard

    for step in range(40):
        Simulation(seed=seed).run(lambda sim, after_s=step * 0.04: scenario(sim, after_s))
    assert acquiring > 3, "the sweep meets workers that have some of their shards"
