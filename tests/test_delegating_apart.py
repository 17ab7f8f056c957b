"""Jobs that are delegated in virtual time: on a network that delays and loses, among nodes that die or are cut off."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentbus import Agent, Context, cooperative, rpc
from agentbus.delegating import WINDOW_S
from agentbus.errors import DeadlineExceeded, NoBids, NoResponders, RequestFailed
from agentbus.membership import Membership, local
from agentbus.testing import Simulation
from examples.couriers.v1.couriers_pb2 import Delivery, Receipt


class Courier(Agent):
    def __init__(self, cost: float, takes_s: float = 0.0, notes: dict[str, Any] | None = None) -> None:
        self._cost = cost
        self.takes_s = takes_s
        self.notes = {} if notes is None else notes

    @cooperative(Delivery, Receipt)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        self.notes.setdefault("began", []).append(ctx.me)
        try:
            await asyncio.sleep(self.takes_s)
        except asyncio.CancelledError:
            self.notes["cut off"] = ctx.now()
            raise
        self.notes.setdefault("done", []).append(ctx.me)
        return Receipt(number=job.number, courier=ctx.me)

    @deliver.cost
    def cost(self, job: Delivery) -> float:
        return self._cost


async def a_town(sim: Simulation, **couriers: Courier) -> Any:
    """A buyer's node, and one for each courier, of its name."""
    buyer = await sim.node("buyer")
    for name, courier in couriers.items():
        await sim.node(name, agents={name: courier})
    return buyer


def test_who_is_known_is_waited_for_and_the_window_is_only_for_strangers() -> None:
    async def scenario(sim: Simulation) -> list[float]:
        buyer = await a_town(sim, a=Courier(1.0), b=Courier(2.0))
        sim.link(delay_s=(0.001, 0.002))
        took: list[float] = []
        for _ in range(3):
            began_s = sim.now()
            await buyer.delegate(Delivery(), Receipt)
            took.append(sim.now() - began_s)
        return took

    first, *later = Simulation(seed=1).run(scenario)
    assert WINDOW_S <= first <= WINDOW_S + 0.02
    assert max(later) < 0.02


def test_with_membership_the_bidders_are_known_from_the_start_and_an_rpc_is_no_bidder() -> None:
    class Clerk(Agent):
        @rpc(Delivery, Receipt)
        async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
            return Receipt()

    async def scenario(sim: Simulation) -> list[float]:
        buyer = await sim.node("buyer", agents=[Membership(local())])
        for name in ("a", "b"):
            await sim.node(name, agents={name: Courier(1.0), f"m-{name}": Membership(local())})
        await sim.sleep(5.0)
        took: list[float] = []
        for number in range(4):
            if number == 2:
                await sim.node("office", agents={"clerk": Clerk(), "m-o": Membership(local())})
                await sim.sleep(5.0)
            began_s = sim.now()
            await buyer.delegate(Delivery(), Receipt)
            took.append(sim.now() - began_s)
        return took

    first, second, with_clerk, after = Simulation(seed=2).run(scenario)
    assert max(first, second, after) < 0.1
    assert with_clerk >= WINDOW_S, "the clerk answers the type, and could have bid"


def test_a_call_that_was_withdrawn_says_nothing_about_who_is_silent() -> None:
    async def scenario(sim: Simulation) -> float:
        buyer = await a_town(sim, near=Courier(1.0), far=Courier(5.0))
        await buyer.delegate(Delivery(), Receipt)
        call = asyncio.ensure_future(buyer.delegate(Delivery(), Receipt))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        began_s = sim.now()
        await buyer.delegate(Delivery(), Receipt)
        return sim.now() - began_s

    assert Simulation(seed=3).run(scenario) < 0.1


def test_a_bidder_that_is_cut_off_costs_one_window_and_no_more() -> None:
    async def scenario(sim: Simulation) -> tuple[list[float], list[str]]:
        buyer = await a_town(sim, near=Courier(1.0), far=Courier(5.0))
        await buyer.delegate(Delivery(), Receipt)
        sim.partition({"near"}, {"buyer", "far", "broker"})
        took: list[float] = []
        by: list[str] = []
        for number in range(4):
            if number == 2:
                sim.heal()
                await sim.sleep(5.0)
            began_s = sim.now()
            by.append((await buyer.delegate(Delivery(), Receipt)).courier)
            took.append(sim.now() - began_s)
        return took, by

    took, by = Simulation(seed=3).run(scenario)
    assert by[:2] == ["far", "far"]
    assert took[0] >= WINDOW_S
    assert took[1] < 0.1
    assert by[3] == "near", "heard again, it is waited for again"


def test_a_bidder_that_wins_and_dies_is_replaced_within_the_deadline() -> None:
    async def scenario(sim: Simulation) -> Any:
        notes: dict[str, Any] = {}
        buyer = await a_town(sim, near=Courier(1.0, 3.0, notes), far=Courier(5.0))
        began_s = sim.now()
        job = asyncio.create_task(buyer.negotiate(Delivery(number=6), Receipt, deadline_s=4.0))
        while "began" not in notes:
            await sim.sleep(0.01)
        sim.crash("near")
        return await job, sim.now() - began_s

    deal, took = Simulation(seed=4).run(scenario)
    assert deal.result == Receipt(number=6, courier="far")
    assert isinstance(deal.failures["near"], RequestFailed)
    assert took <= 2.5


def test_a_winner_that_membership_declares_dead_is_replaced_before_its_time() -> None:
    async def scenario(sim: Simulation) -> Any:
        buyer = await sim.node("buyer", agents=[Membership(local())])
        notes: dict[str, Any] = {}
        for name, courier in (("near", Courier(1.0, 3.0, notes)), ("far", Courier(5.0))):
            await sim.node(name, agents={name: courier, f"m-{name}": Membership(local())})
        await sim.sleep(5.0)
        job = asyncio.create_task(buyer.negotiate(Delivery(number=6), Receipt, deadline_s=600.0))
        while "began" not in notes:
            await sim.sleep(0.01)
        sim.crash("near")
        began_s = sim.now()
        return await job, sim.now() - began_s

    deal, took = Simulation(seed=6).run(scenario)
    assert deal.result.courier == "far"
    assert isinstance(deal.failures["near"], NoResponders)
    assert took < 10.0, "by time alone it would be five minutes"


def test_a_winner_that_is_wrongly_believed_dead_may_still_answer() -> None:
    async def scenario(sim: Simulation) -> Any:
        buyer = await sim.node("buyer", agents=[Membership(local())])
        for name, courier in (("near", Courier(1.0, 20.0)), ("far", Courier(5.0, 600.0))):
            await sim.node(name, agents={name: courier, f"m-{name}": Membership(local())})
        await sim.sleep(5.0)
        job = asyncio.create_task(buyer.negotiate(Delivery(number=6), Receipt, deadline_s=600.0))
        await sim.sleep(0.5)
        sim.partition({"near"}, {"buyer", "far", "broker"})
        await sim.sleep(12.0)
        sim.heal()
        return await job

    deal = Simulation(seed=7).run(scenario)
    assert deal.result.courier == "near"
    assert deal.failures == {}


def test_a_winner_that_was_dead_before_the_award_is_replaced_at_once() -> None:
    async def scenario(sim: Simulation) -> Any:
        buyer = await a_town(sim, near=Courier(1.0), far=Courier(5.0))
        sim.link(delay_s=(0.01, 0.01))
        job = asyncio.create_task(buyer.negotiate(Delivery(), Receipt, deadline_s=60.0))
        await sim.sleep(0.1)  # it has bid, and bidding is open for the window
        sim.crash("near")
        began_s = sim.now()
        return await job, sim.now() - began_s

    deal, took = Simulation(seed=5).run(scenario)
    assert deal.result.courier == "far"
    assert took < 1.0


def test_when_the_buyer_dies_after_the_award_the_work_ends_with_its_deadline_and_others_are_free() -> None:
    async def scenario(sim: Simulation) -> Any:
        notes: dict[str, Any] = {}
        near = Courier(1.0, 100.0, notes)
        buyer = await a_town(sim, near=near, far=Courier(5.0))
        other = await sim.node("other")
        job = asyncio.create_task(buyer.delegate(Delivery(number=1), Receipt, deadline_s=2.0, patience_s=2.0))
        while "began" not in notes:
            await sim.sleep(0.01)
        began_s = sim.now()
        sim.crash("buyer")
        with pytest.raises(Exception, match="closed"):
            await job
        near.takes_s = 0.0
        deal = await other.negotiate(Delivery(number=2), Receipt, deadline_s=10.0)
        await sim.sleep(3.0)
        again = await other.negotiate(Delivery(number=3), Receipt, deadline_s=10.0)
        return notes, began_s, deal, again

    notes, began_s, deal, again = Simulation(seed=6).run(scenario)
    assert notes["cut off"] - began_s <= 2.1
    assert deal.winners[0].bid == 2.0, "near still works on the first"
    assert again.winners[0].bid == 1.0, "it is free again"


def test_nobody_can_be_reached() -> None:
    async def scenario(sim: Simulation) -> float:
        buyer = await a_town(sim, near=Courier(1.0))
        sim.partition({"near"}, {"buyer", "broker"})
        began_s = sim.now()
        with pytest.raises(NoBids):
            await buyer.delegate(Delivery(), Receipt, deadline_s=3.0, bid_window_s=0.5)
        return sim.now() - began_s

    assert Simulation(seed=7).run(scenario) <= 0.6


@pytest.mark.parametrize("seed", range(12))
def test_on_a_network_that_loses_delays_and_repeats_each_job_ends_and_a_receipt_is_a_job_done(seed: int) -> None:
    async def scenario(sim: Simulation) -> tuple[int, int]:
        notes: dict[str, Any] = {}
        buyer = await a_town(sim, **{f"c{n}": Courier(float(n), 0.05 * n, notes) for n in range(5)})
        sim.link(delay_s=(0.0, 0.1), loss=0.15, duplicate=0.2)
        done = failed = 0
        for number in range(10):
            try:
                receipt = await buyer.delegate(Delivery(number=number), Receipt, deadline_s=2.0)
            except (NoBids, DeadlineExceeded):
                failed += 1
            else:
                done += 1
                assert receipt.number == number
                assert receipt.courier in notes["done"]
        await sim.sleep(5.0)
        assert buyer.statistics().open_calls == 0
        return done, failed

    done, failed = Simulation(seed=seed).run(scenario)
    assert done + failed == 10
    assert done >= 7
