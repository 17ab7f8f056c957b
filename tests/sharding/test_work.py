"""Work in the hands of several workers comes out as a plain loop's, whatever becomes of them."""

from __future__ import annotations

from dataclasses import replace

from agentbus import Agent, Context, Node, PeerId, every
from agentbus.membership import Membership
from agentbus.membership import local as fast
from agentbus.sharding import Journal, Outcome
from agentbus.sharding.codec import ShardReport
from agentbus.testing import Simulation
from agentbus.transport import StreamSpec
from agentbus.transports.memory import MemoryTransport
from agentbus.transports.memory_broker import MemoryBroker

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


class Broken(Chain):
    """Its code has a defect."""

    def step(self, state: bytearray, batch: bytes) -> bytes:
        raise RuntimeError("a defect")


def test_a_worker_that_supervision_gives_up_leaves_its_shards_to_others() -> None:
    inputs = batches(40)

    async def scenario(sim: Simulation) -> None:
        await sim.node("n0", agents={"m": Membership(fast()), "w0": Broken(JOB, config=CONFIG)})
        await sim.sleep(3.0)
        other = Chain(JOB, config=CONFIG)
        node = await sim.node("n1", agents={"m": Membership(fast()), "w1": other})
        await feed(node.transport, inputs)
        await sim.until(lambda: sum(shard.committed for shard in other.progress()) == len(inputs), timeout_s=60.0)
        assert (await outcome(node.transport)).results() == plain_loop(inputs)
        assert other.held == tuple(range(JOB.shards))

    Simulation(3, limit_s=300.0).run(scenario)


def test_a_minority_that_is_cut_off_loses_its_shards_and_gets_work_again() -> None:
    inputs = batches(120)

    async def scenario(sim: Simulation) -> None:
        feeder = await sim.node("feeder")
        workers = [Chain(JOB, config=CONFIG) for _ in range(5)]
        for index, worker in enumerate(workers):
            await sim.node(f"n{index}", agents={"m": Membership(fast()), f"w{index}": worker})
        await feed(feeder.transport, inputs[:40])
        await sim.sleep(8.0)
        held = {index: worker.held for index, worker in enumerate(workers)}
        cut = {f"n{index}" for index in sorted(held, key=lambda index: -len(held[index]))[:2]}
        rest = {f"n{index}" for index in held}.difference(cut)
        sim.partition(cut, {*rest, "feeder", "broker"})
        await feed(feeder.transport, inputs[40:])
        witness = workers[int(min(rest)[1:])]
        await sim.until(lambda: sum(shard.committed for shard in witness.progress()) == len(inputs), timeout_s=30.0)
        sim.heal()
        # given back, once they have settled
        await sim.until(lambda: {index: worker.held for index, worker in enumerate(workers)} == held)
        found = await until_done(sim, "reader")
        assert found.results() == plain_loop(inputs)
        assert sum(shard.ignored for shard in found.shards) == 0

    Simulation(4, limit_s=300.0).run(scenario)


class Forger(Agent):
    """Reports in others' names."""

    def __init__(self, victim: PeerId) -> None:
        self.victim = victim

    @every(0.1)
    async def forge(self, ctx: Context) -> None:
        name, epoch = self.victim.name, self.victim.epoch
        report = ShardReport(job=JOB.name, agent=name, node="n0", epoch=epoch + 1)
        await ctx.publish(report, topic=f"{JOB.name}.{name}")


def test_a_report_in_anothers_name_is_not_believed() -> None:
    async def scenario(sim: Simulation) -> None:
        workers = [Chain(JOB, config=CONFIG) for _ in range(3)]
        victim = await sim.node("n0", agents={"m": Membership(fast()), "w0": workers[0]})
        forger = Forger(PeerId("w0", victim.epoch))
        await sim.node("n1", agents={"m": Membership(fast()), "w1": workers[1], "f": forger})
        await sim.sleep(1.0)
        await sim.node("n2", agents={"m": Membership(fast()), "w2": workers[2]})
        await sim.sleep(20.0)
        held = [shard for worker in workers for shard in worker.held]
        assert sorted(held) == list(range(JOB.shards))
        for worker in workers:
            desk = worker._desk
            assert desk is not None
            assert {candidate.peer.name for candidate in desk._fleet.candidates(0)} == {"w0", "w1", "w2"}

    Simulation(41, limit_s=300.0).run(scenario)


class Noting(MemoryTransport):
    """Keeps what streams it was asked for."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.asked: list[StreamSpec] = []

    async def ensure_stream(self, spec: StreamSpec, *, timeout_s: float = 5.0) -> None:
        self.asked.append(spec)
        await super().ensure_stream(spec, timeout_s=timeout_s)


async def test_all_who_open_a_jobs_streams_ask_for_its_copies_and_for_no_end_of_age() -> None:
    job = replace(JOB, replicas=3)
    transport = Noting(MemoryBroker())
    async with Node(transport=transport, agents={"w": Chain(job, config=CONFIG)}):
        await Journal(transport, "default", job).ensure()
    streams = [spec for spec in transport.asked if "_shard_chain_" in spec.name]
    assert len(streams) == 4
    assert {(spec.limits.replicas, spec.limits.max_age_s) for spec in streams} == {(3, 0.0)}
