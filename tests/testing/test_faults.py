"""Faults as a node sees them: partitions, crashes of nodes and of the broker, deadlines, redelivery."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import ContextVar

import pytest

from agentbus import Agent, Context, every, on, on_start, rpc
from agentbus.errors import Closed, DeadlineExceeded, NoResponders, NotConnected, StorageFailed
from agentbus.node import EPOCH_CHANCE_BITS
from agentbus.testing import Simulation
from examples.climate.v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest

from .world import Biller, Slow, Thermostat


@pytest.mark.parametrize("cut", [({"a"}, {"b"}), ({"a"},), ({"a"}, {"broker"}), ({"b"}, {"broker"})])
def test_a_partition_is_silent(cut: tuple[set[str], ...]) -> None:
    async def scenario(sim: Simulation) -> None:
        await sim.node("a", agents=[Thermostat(21.0)])
        b = await sim.node("b")
        sim.partition(*cut)
        with pytest.raises(DeadlineExceeded):
            await b.request(TargetRequest(), TargetReply, to="thermostat", timeout_s=2.0)
        assert sim.now() == 2.0
        sim.heal()
        assert (await b.request(TargetRequest(), TargetReply, to="thermostat")).celsius == 21.0
        assert sim.log.find("drop", source="b")[0].reason == "partition"

    Simulation().run(scenario)


def test_a_crash_is_told_by_the_broker() -> None:
    async def scenario(sim: Simulation) -> None:
        await sim.node("a", agents=[Thermostat(21.0)])
        b = await sim.node("b")
        sim.crash("a")
        with pytest.raises(NoResponders):
            await b.request(TargetRequest(), TargetReply, to="thermostat", timeout_s=2.0)

    Simulation().run(scenario)


def test_a_handler_is_cancelled_at_its_requesters_deadline() -> None:
    ended: list[tuple[str, float]] = []

    async def scenario(sim: Simulation) -> None:
        await sim.node("a", agents=[Slow(10.0, ended)])
        b = await sim.node("b")
        await sim.sleep(1.0)
        with pytest.raises(DeadlineExceeded):
            await b.request(TargetRequest(), TargetReply, timeout_s=2.5)
        assert sim.now() == 3.5
        await sim.sleep(10.0)

    Simulation().run(scenario)
    assert ended == [("cancelled", 3.5)]


def test_a_handler_that_a_crash_ends_tells_nobody() -> None:
    ended: list[tuple[str, float]] = []

    async def scenario(sim: Simulation) -> None:
        await sim.node("a", agents=[Slow(10.0, ended)])
        b = await sim.node("b")
        asking = asyncio.create_task(b.request(TargetRequest(), TargetReply, timeout_s=4.0))
        await sim.sleep(1.0)
        sim.crash("a")
        with pytest.raises(DeadlineExceeded):
            await asking
        assert sim.now() == 4.0
        assert sim.log.find("send", source="a") == []

    Simulation().run(scenario)
    assert ended == [("cancelled", 1.0)]


def test_work_of_a_node_that_crashes_is_given_to_another() -> None:
    done: list[tuple[str, str]] = []
    begun: list[str] = []

    async def scenario(sim: Simulation) -> None:
        buyer = await sim.node("buyer")
        await sim.node("one", agents=[Biller(done, begun, takes_s=1.0)])
        await buyer.publish(Alarm(room="north"), durable=True)
        await sim.sleep(0.5)
        assert begun == ["one"]
        sim.crash("one")
        await sim.node("two", agents=[Biller(done, begun, takes_s=1.0)])
        await sim.until(lambda: done)
        assert sim.now() == pytest.approx(6.0, abs=0.1)  # ack_wait_s is 5

    Simulation().run(scenario)
    assert begun == ["one", "two"]
    assert done == [("north", "two")]


def test_durable_work_survives_the_broker() -> None:
    """All that was acknowledged to the publisher is done; all that is acknowledged to the stream was done before."""
    done: list[tuple[str, str]] = []
    stored: list[str] = []

    async def scenario(sim: Simulation) -> None:
        buyer = await sim.node("buyer")
        for name in ("one", "two"):
            await sim.node(name, agents=[Biller(done)])
        sim.link("broker", delay_s=(0.001, 0.02), loss=0.05)

        async def publish() -> None:
            for number in range(40):
                with suppress(StorageFailed, NotConnected):
                    await buyer.publish(Alarm(room=f"r{number}"), durable=True, timeout_s=3.0)
                    stored.append(f"r{number}")
                await sim.sleep(0.1)

        publishing = asyncio.create_task(publish())
        for _ in range(2):
            await sim.sleep(1.0)
            sim.crash("broker")
            await sim.sleep(1.0)
            await sim.restart("broker")
        await publishing
        await sim.until(lambda: {room for room, _ in done} >= set(stored))
        await sim.sleep(60.0)  # whatever was not acknowledged comes again by now
        acknowledged = [e for e in sim.log.find("settle") if e.reason.endswith(" ack")]
        assert len({e.reason for e in acknowledged}) <= len({room for room, _ in done})

    sim = Simulation(seed=5)
    sim.run(scenario)
    assert len(stored) > 30
    assert sim.log.find("stop")
    assert sim.log.find("drop")
    jobs = {event.reason.split()[0] for event in sim.log.find("settle") if event.reason.endswith(" ack")}
    assert len(jobs) == len(sim.log.find("store")) - sum(1 for e in _again(sim)) == len({room for room, _ in done})


def _again(sim: Simulation) -> list[str]:
    """Stores of a message that was stored before: tried again, as the first answer was lost."""
    seen: set[str] = set()
    return [e.reason for e in sim.log.find("store") if e.reason in seen or seen.add(e.reason)]


def test_delay_is_drawn_within_its_bounds_and_keeps_order() -> None:
    heard: list[tuple[float, float]] = []

    class Listener(Agent):
        @on(Reading)
        async def hear(self, reading: Reading, ctx: Context) -> None:
            heard.append((reading.celsius, ctx.now()))

    async def scenario(sim: Simulation) -> None:
        await sim.node("a", agents=[Listener()])
        b = await sim.node("b")
        sim.link("a", "b", delay_s=(0.01, 0.05))
        for _ in range(200):
            await b.publish(Reading(room="x", celsius=sim.now()))
            await sim.sleep(0.01)
        await sim.sleep(1.0)

    Simulation(seed=2).run(scenario)
    delays = [at_s - sent_s for sent_s, at_s in heard]
    assert [sent for sent, _ in heard] == sorted(sent for sent, _ in heard)
    assert 0.01 - 1e-9 <= min(delays) < 0.015
    assert 0.045 < max(delays) <= 0.05 + 1e-9


def test_who_of_a_queue_group_gets_a_message_is_drawn() -> None:
    class Worker(Agent):
        def __init__(self, heard: list[str]) -> None:
            self.heard = heard

        @on(Reading, queue="workers")
        async def hear(self, reading: Reading, ctx: Context) -> None:
            self.heard.append(ctx.node)

    def shares(seed: int) -> list[str]:
        heard: list[str] = []

        async def scenario(sim: Simulation) -> None:
            for name in "abc":
                await sim.node(name, agents=[Worker(heard)])
            source = await sim.node("source")
            for _ in range(60):
                await source.publish(Reading(room="x"))
                await sim.sleep(0.1)

        Simulation(seed).run(scenario)
        return heard

    assert len(shares(1)) == 60
    assert set(shares(1)) == {"a", "b", "c"}
    assert shares(1) == shares(1) != shares(2)


def test_chance_and_clocks_of_agents_come_from_the_seed() -> None:
    class Chance(Agent):
        @rpc(TargetRequest, TargetReply)
        async def tell(self, request: TargetRequest, ctx: Context) -> TargetReply:
            return TargetReply(celsius=ctx.rng.random())

    def drawn(seed: int) -> list[float]:
        async def scenario(sim: Simulation) -> list[float]:
            await sim.node("a", agents={"x": Chance(), "y": Chance()})
            b = await sim.node("b")
            assert b.epoch >> EPOCH_CHANCE_BITS == 946_684_800_000
            return [(await b.request(TargetRequest(), TargetReply, to=to)).celsius for to in "xy"]

        return Simulation(seed).run(scenario)

    assert drawn(1) == drawn(1)
    assert len({*drawn(1), *drawn(2)}) == 4


def test_a_crash_ends_the_tasks_that_agents_made_by_themselves() -> None:
    worked: list[tuple[str, float]] = []

    class Background(Agent):
        def __init__(self, worked: list[tuple[str, float]]) -> None:
            self.worked = worked
            self.tasks: list[asyncio.Task[None]] = []

        async def work(self, ctx: Context, who: str) -> None:
            while True:
                await asyncio.sleep(1.0)
                self.worked.append((who, ctx.now()))

        @on(Reading)
        async def hear(self, reading: Reading, ctx: Context) -> None:
            self.tasks.append(asyncio.create_task(self.work(ctx, f"{ctx.me}, having heard")))

        @every(10.0, immediately=True)
        async def begin(self, ctx: Context) -> None:
            self.tasks.append(asyncio.create_task(self.work(ctx, f"{ctx.me}, by itself")))

    async def scenario(sim: Simulation) -> None:
        a = await sim.node("a", agents={"first": Background(worked)})
        await a.add(Background(worked), name="second")
        b = await sim.node("b")
        await b.publish(Reading(room="north"))
        await sim.sleep(2.5)
        sim.crash("a")
        await sim.sleep(5.0)

    Simulation().run(scenario)
    assert sorted({who for who, _ in worked}) == [
        "first, by itself",
        "first, having heard",
        "second, by itself",
        "second, having heard",
    ]
    assert {at_s for _, at_s in worked} == {1.0, 2.0}


def test_context_variables_do_not_cross_the_network() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="own")
    seen: list[str] = []

    class Listener(Agent):
        @on(Reading)
        async def hear(self, reading: Reading, ctx: Context) -> None:
            seen.append(variable.get())

    async def scenario(sim: Simulation) -> None:
        await sim.node("a", agents=[Listener()])
        b = await sim.node("b")
        variable.set("another node's")
        await b.publish(Reading(room="north"))
        await sim.sleep(1.0)

    Simulation().run(scenario)
    assert seen == ["own"]


def test_a_node_can_crash_while_it_starts() -> None:
    prepared: list[str] = []

    class SlowStart(Agent):
        @on_start
        async def prepare(self, ctx: Context) -> None:
            await asyncio.sleep(5.0)
            prepared.append(ctx.node)

    async def scenario(sim: Simulation) -> None:
        starting = asyncio.create_task(sim.node("a", agents=[SlowStart()]))
        await sim.sleep(1.0)
        sim.crash("a")
        with pytest.raises(Closed, match="'a' crashed"):
            await starting
        assert sim.now() == 1.0
        b = await sim.node("b")
        adding = asyncio.create_task(b.add(SlowStart()))
        await sim.sleep(1.0)
        sim.crash("b")
        with pytest.raises(Closed, match="'b' crashed"):
            await adding
        sim.crash("broker")
        waiting = asyncio.create_task(sim.node("c"))
        await sim.sleep(1.0)
        sim.crash("c")
        with pytest.raises(Closed, match="'c' crashed"):
            await waiting
        await sim.restart("broker")
        await sim.restart("a")

    Simulation().run(scenario)
    assert prepared == ["a"]


def test_starting_a_node_can_be_given_up() -> None:
    async def scenario(sim: Simulation) -> None:
        await sim.node("a")
        sim.crash("broker")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.0):
                await sim.restart("a")
        await sim.restart("broker")
        await sim.restart("a")

    Simulation().run(scenario)
