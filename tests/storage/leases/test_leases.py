"""`Leases` on a store: over a wire that fails, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from agentbus import Node
from agentbus.errors import Closed, DeadlineExceeded
from agentbus.storage import Bucket
from agentbus.storage.leases import Holder, Judge, Leases
from agentbus.testing import Simulation


async def leases(node: Node, epoch: int = 1, judge: Judge | None = None) -> Leases:
    bucket = await Bucket.open(node.transport, "leases", realm="default")
    return Leases(bucket, Holder(name=node.name, epoch=epoch, node=node.name), judge=judge)


def test_a_broker_that_is_dead_for_ten_seconds_costs_no_live_holder_its_lease() -> None:
    async def scenario(sim: Simulation) -> None:
        one, two = await leases(await sim.node("one")), await leases(await sim.node("two"))
        held = await one.acquire("k")
        token = held.token
        wanted = two.lease("k")
        wanted.want()
        for seconds in (10.0, 40.0):
            await sim.sleep(5.0)
            sim.crash("broker")
            await sim.sleep(seconds)
            assert held.token == token
            await sim.restart("broker")
        await sim.sleep(60.0)
        assert held.token == token
        assert held.sure
        assert not held.lost.is_set()
        assert wanted.token is None
        await held.release()
        assert await wanted.held(timeout_s=3.0) > (token or 0)
        await one.close()
        await two.close()

    Simulation(1).run(scenario)


def test_a_holder_that_is_cut_off_loses_it_and_learns_so_when_it_is_back() -> None:
    async def scenario(sim: Simulation) -> None:
        one, two = await leases(await sim.node("one")), await leases(await sim.node("two"))
        held = await one.acquire("k")
        wanted = two.lease("k")
        wanted.want()
        await sim.sleep(2.0)
        sim.partition({"one"}, {"two", "broker"})
        began = sim.now()
        token = await wanted.held(timeout_s=60.0)
        assert 12.0 < sim.now() - began < 25.0
        assert held.token is not None
        assert not held.sure
        sim.heal()
        await sim.until(held.lost.is_set, timeout_s=10.0)
        assert held.token is None
        assert token == wanted.token
        await one.close()
        await two.close()

    Simulation(2).run(scenario)


def test_a_verdict_passes_it_on_at_once() -> None:
    over: set[Holder] = set()

    async def scenario(sim: Simulation) -> None:
        one = await leases(await sim.node("one"))
        two = await leases(await sim.node("two"), judge=lambda holder: holder in over)
        await one.acquire("k")
        wanted = two.lease("k")
        wanted.want()
        await sim.sleep(2.2)
        sim.crash("one")
        over.add(one.me)
        two.nudge()
        await wanted.held(timeout_s=0.1)
        await one.abandon()
        await two.close()

    Simulation(3).run(scenario)


def test_who_waits_in_vain_is_told_who_has_it() -> None:
    async def scenario(sim: Simulation) -> None:
        one, two = await leases(await sim.node("one")), await leases(await sim.node("two"))
        async with one, two:
            await one.acquire("k")
            with pytest.raises(DeadlineExceeded, match="one@1 has it"):
                await two.acquire("k", timeout_s=5.0)
        with pytest.raises(Closed):
            two.lease("k").want()
        two.lease("k").nudge()
        async with await leases(await sim.node("three")) as three:
            began = sim.now()
            await three.acquire("k")  # it was given back
            assert sim.now() - began < 0.1

    Simulation(4).run(scenario)


def test_nine_who_want_one_never_hold_it_two_at_once() -> None:
    async def scenario(sim: Simulation) -> None:
        holding: set[str] = set()
        most = 0
        rounds = 0

        async def work(name: str) -> None:
            nonlocal most, rounds
            mine = await leases(await sim.node(name))
            async with mine:
                for _ in range(3):
                    lease = await mine.acquire("k", timeout_s=300.0)
                    holding.add(name)
                    most = max(most, len(holding))
                    await sim.sleep(sim.rng.uniform(0.1, 5.0))
                    holding.remove(name)
                    rounds += 1
                    await lease.release()

        sim.link(delay_s=(0.001, 0.05), loss=0.05)
        await asyncio.gather(*(work(f"n{index}") for index in range(9)))
        assert (most, rounds) == (1, 27)

    Simulation(5).run(scenario)
