"""Work in the hands of several workers comes out as a plain loop's, whatever becomes of them."""

from __future__ import annotations

from agentbus.membership import Membership
from agentbus.membership import local as fast
from agentbus.sharding import Outcome
from agentbus.testing import Simulation

from .world import CONFIG, JOB, Chain, batches, feed, outcome, plain_loop


async def until_done(
    sim: Simulation, name_of_reader: str, *, verified: bool = True, timeout_s: float = 60.0
) -> Outcome:
    reader = await sim.node(name_of_reader)
    deadline = sim.now() + timeout_s
    while True:
        found = await outcome(reader.transport)
        if found.complete and (not verified or found.unverified == 0):
            return found
        assert sim.now() < deadline, f"{[(len(s.results), s.inputs, s.verified) for s in found.shards]}"
        await sim.sleep(0.5)


def test_workers_do_what_a_loop_does_and_verify_it() -> None:
    inputs = batches(120)

    async def scenario(sim: Simulation) -> None:
        feeder = await sim.node("feeder")
        await feed(feeder.transport, inputs)
        workers = [Chain(JOB, config=CONFIG) for _ in range(5)]
        for index, worker in enumerate(workers):
            await sim.node(f"n{index}", agents={"m": Membership(fast()), f"w{index}": worker})
        found = await until_done(sim, "reader")
        assert found.results() == plain_loop(inputs)
        held = [shard for worker in workers for shard in worker.held]
        assert sorted(held) == list(range(JOB.shards))

    Simulation(1, limit_s=300.0).run(scenario)


def test_a_crash_is_healed_from_the_checkpoint() -> None:
    inputs = batches(200)

    async def scenario(sim: Simulation) -> None:
        feeder = await sim.node("feeder")
        workers = [Chain(JOB, config=CONFIG) for _ in range(4)]
        for index, worker in enumerate(workers):
            await sim.node(f"n{index}", agents={"m": Membership(fast()), f"w{index}": worker})
        await feed(feeder.transport, inputs[:100])
        await sim.sleep(3.0)
        victim = next(index for index, worker in enumerate(workers) if worker.held)
        sim.crash(f"n{victim}")
        crashed_s = sim.now()
        await feed(feeder.transport, inputs[100:])
        found = await until_done(sim, "reader", verified=False)
        assert sim.now() - crashed_s < 10.0
        assert found.results() == plain_loop(inputs)

    Simulation(2, limit_s=300.0).run(scenario)
