"""Jobs that come all at once: what an agent can't do any more it refuses, what costs it more by now it offers again."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from agentbus import Agent, Context, Node, Supervision, cooperative, hybrid, second_price
from agentbus.decisions import Decided
from agentbus.errors import AllFailed, InvalidBid, NoBids, Refused, SchemaMismatch
from agentbus.messages import PLAIN, Frame, decode_frame, encode_frame
from agentbus.negotiation import Terms
from agentbus.policies import Past
from agentbus.proposals import AWARD, PROPOSAL, SUBCONTRACTED, Proposal, Subcontracted
from agentbus.testing import Simulation
from examples.couriers.v1.couriers_pb2 import Delivery, Receipt

from .wire import DEFAULT, wire

RECEIPT = "examples.couriers.v1.Receipt"


class Courier(Agent):
    """Takes a second for each unit of its cost."""

    def __init__(self, cost: float) -> None:
        self._cost = cost

    @cooperative(Delivery, Receipt)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        await asyncio.sleep(self._cost)
        return Receipt(number=job.number, courier=ctx.me)

    @deliver.cost
    def cost(self, job: Delivery) -> float | None:
        return self._cost


class One(Courier):
    """Has room for one parcel."""

    def __init__(self, cost: float) -> None:
        super().__init__(cost)
        self.full = False

    @cooperative(Delivery, Receipt)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        self.full = True
        await asyncio.sleep(self._cost)
        return Receipt(number=job.number, courier=ctx.me)

    @deliver.cost
    def cost(self, job: Delivery) -> float | None:
        return None if self.full else self._cost


def twice(cost: float, terms: Terms, history: Sequence[Past], /) -> float:
    return 2 * cost


class Half(Courier):
    """Bids half of the way to twice its cost."""

    @hybrid(Delivery, Receipt, weight=0.5, strategy=twice)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        await asyncio.sleep(self._cost)
        return Receipt(number=job.number, courier=ctx.me)

    @deliver.cost
    def cost(self, job: Delivery) -> float | None:
        return self._cost


async def a_town(sim: Simulation, **couriers: Agent) -> Node:
    return (await nodes_of(sim, **couriers))["buyer"]


async def nodes_of(sim: Simulation, **couriers: Agent) -> dict[str, Node]:
    """A buyer's node, and one for each courier, of its name."""
    buyer = await sim.node("buyer")
    nodes = {name: await sim.node(name, agents={name: courier}) for name, courier in couriers.items()}
    with pytest.raises(NoBids):
        await buyer.delegate(Delivery(), Receipt, value=0.0)  # from here on all are known
    return {"buyer": buyer, **nodes}


async def at_once(buyer: Node, count: int, **terms: Any) -> list[Any]:
    jobs = (buyer.negotiate(Delivery(number=n), Receipt, deadline_s=60.0, **terms) for n in range(count))
    return await asyncio.gather(*jobs, return_exceptions=True)


def test_a_burst_is_shared_among_those_who_could_do_it_sooner() -> None:
    async def scenario(sim: Simulation) -> tuple[Any, float]:
        buyer = await a_town(sim, a=Courier(1.0), b=Courier(1.1), c=Courier(1.2))
        began_s = sim.now()
        deals = await at_once(buyer, 9)
        return deals, sim.now() - began_s

    deals, took = Simulation(seed=1).run(scenario)
    assert {deal.winners[0].agent for deal in deals} == {"a"}, "all nine bid before anybody had a job"
    assert [deal.result.courier for deal in deals] == [deal.winners[0].by for deal in deals]
    done = Counter(deal.winners[0].by for deal in deals)
    assert sorted(done) == ["a", "b", "c"]
    assert max(done.values()) <= 4, done
    assert took < 5.5, "one after the other they would take nine seconds"
    assert all(deal.winners[0].payment <= 1.0 for deal in deals), "nobody pays more than was agreed"


def test_an_agent_that_has_nobody_cheaper_does_all_itself() -> None:
    async def scenario(sim: Simulation) -> Any:
        return await at_once(await a_town(sim, a=Courier(1.0), b=Courier(20.0)), 5)

    assert [deal.winners[0].by for deal in Simulation(seed=2).run(scenario)] == ["a"] * 5


def test_what_it_can_not_do_any_more_goes_to_the_next_best() -> None:
    async def scenario(sim: Simulation) -> Any:
        return await at_once(await a_town(sim, a=One(1.0), b=One(2.0), c=One(3.0)), 4)

    *deals, last = Simulation(seed=3).run(scenario)
    assert sorted(deal.result.courier for deal in deals) == ["a", "b", "c"]
    assert [deal.winners[0].by == deal.winners[0].agent for deal in deals] == [True] * 3
    assert isinstance(last, Exception)
    refused = [why for deal in deals for why in deal.failures.values()]
    assert refused
    assert all(isinstance(why, Refused) for why in refused)


class Fickle(Courier):
    """Its first three bids are of another cost than those that follow."""

    def __init__(self, first: float, later: float) -> None:
        super().__init__(later)
        self.costs = [first] * 3

    @cooperative(Delivery, Receipt)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        return Receipt(number=job.number, courier=ctx.me)

    @deliver.cost
    def cost(self, job: Delivery) -> float | None:
        return self.costs.pop() if self.costs and job.number < 2 else self._cost


@pytest.mark.parametrize(("later", "payment"), [(1.2, 1.85), (1.9, 2.2), (1.99, 2.245)])
def test_what_it_saves_is_shared_by_the_weight(later: float, payment: float) -> None:
    """A hybrid bids 1.5 for what costs it 1, and is to get half of the way to the price, 3. Behind another job it would
    cost it 2, and b has become cheaper: half of what that saves is the buyer's."""

    async def scenario(sim: Simulation) -> tuple[Any, list[Decided]]:
        nodes = await nodes_of(sim, a=Half(1.0), b=Fickle(3.0, later))
        deals = await at_once(nodes["buyer"], 2, award=second_price())
        return deals, list(nodes["a"].bus.decisions.of(deals[1].job))

    deals, decisions = Simulation(seed=4).run(scenario)
    first, second = (deal.winners[0] for deal in deals)
    assert (first.by, first.price, first.payment) == ("a", 3.0, 2.25)
    assert (second.agent, second.by, second.bid) == ("a", "b", 1.5)
    assert second.payment == pytest.approx(payment)
    (passed,) = [entry for entry in decisions if entry.what == "passed on"]
    assert passed.facts["to"] == "b"
    assert passed.facts["saved"] == pytest.approx(2.0 - later)


def test_it_is_not_paid_less_than_it_pays_nor_more_than_was_agreed() -> None:
    async def scenario(sim: Simulation) -> Any:
        return await at_once(await a_town(sim, a=Half(1.0), b=Courier(1.75)), 2)

    second = Simulation(seed=9).run(scenario)[1].winners[0]
    assert (second.by, second.bid, second.payment) == ("b", 1.5, 1.5)


class Changes(Courier):
    """Says something else once it has bid four times."""

    supervision = Supervision(on_failure="resume")

    def __init__(self, cost: float, then: Any) -> None:
        super().__init__(cost)
        self.then = then
        self.asked = 0

    @cooperative(Delivery, Receipt)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        await asyncio.sleep(self._cost)
        return Receipt(number=job.number, courier=ctx.me)

    @deliver.cost
    def cost(self, job: Delivery) -> Any:
        self.asked += 1
        if self.asked <= 5:  # the first is `a_town`'s
            return self._cost
        if isinstance(self.then, Exception):
            raise self.then
        return self.then


@pytest.mark.parametrize("then", ["5", math.nan, math.inf, -1.0, None, 10**400, object(), KeyError("lost")])
def test_a_cost_that_is_none_by_then_is_answered_too(then: Any) -> None:
    async def scenario(sim: Simulation) -> Any:
        return await at_once(await a_town(sim, a=Changes(1.0, then), b=Courier(5.0)), 4)

    deals = Simulation(seed=9).run(scenario)
    assert [deal.winners[0].agent for deal in deals] == ["a", "b", "b", "b"]
    assert all(deal.failures.keys() == {"a"} for deal in deals[1:])


def test_who_would_do_it_fails_and_it_is_done_by_who_has_won_it() -> None:
    class Breaks(Courier):
        @cooperative(Delivery, Receipt)
        async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
            raise Refused("a flat tyre")

        @deliver.cost
        def cost(self, job: Delivery) -> float | None:
            return self._cost

    async def scenario(sim: Simulation) -> Any:
        return await at_once(await a_town(sim, a=Courier(1.0), b=Breaks(1.5)), 4)

    assert [deal.winners[0].by for deal in Simulation(seed=5).run(scenario)] == ["a"] * 4


def test_who_would_do_it_dies_and_the_caller_still_has_an_answer() -> None:
    async def scenario(sim: Simulation) -> Any:
        buyer = await a_town(sim, a=Courier(1.0), b=Courier(1.5))
        jobs = asyncio.create_task(at_once(buyer, 4, patience_s=20.0))
        await sim.sleep(0.7)  # b has a job by now
        sim.crash("b")
        return await jobs

    deals = Simulation(seed=6).run(scenario)
    assert [deal.winners[0].by for deal in deals if not isinstance(deal, Exception)].count("a") >= 2
    assert all(not isinstance(deal, Exception) or deal.retryable for deal in deals)


def test_a_caller_that_withdraws_ends_the_second_offer_and_what_came_of_it() -> None:
    async def scenario(sim: Simulation) -> tuple[int, int]:
        nodes = await nodes_of(sim, a=Courier(1.0), b=Courier(1.5))
        jobs = asyncio.create_task(at_once(nodes["buyer"], 6))
        await sim.sleep(0.7)
        jobs.cancel()
        with pytest.raises(asyncio.CancelledError):
            await jobs
        await sim.sleep(0.1)
        busy = sum(len(nodes[name].cells[name].tasks()) for name in "ab")
        return busy, sum(node.statistics().open_calls for node in nodes.values())

    assert Simulation(seed=7).run(scenario) == (0, 0)


class Trips(Courier):
    """Falls over the first job."""

    @cooperative(Delivery, Receipt)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        await asyncio.sleep(self._cost)
        if job.number == 0:
            raise ValueError("a flat tyre")
        return Receipt(number=job.number, courier=ctx.me)

    @deliver.cost
    def cost(self, job: Delivery) -> float | None:
        return self._cost


@pytest.mark.parametrize("others", [0, 1])
def test_an_agent_that_is_restarted_still_does_what_waited_to_be_offered(others: int) -> None:
    async def scenario(sim: Simulation) -> Any:
        slow = {f"slow-{number}": Courier(30.0) for number in range(others)}
        return await at_once(await a_town(sim, a=Trips(1.0), **slow), 8)

    first, *later = Simulation(seed=8).run(scenario)
    assert isinstance(first, AllFailed) or first.failures["a"]
    assert [deal.result.courier for deal in later] == ["a"] * 7


def test_an_agent_that_stops_answers_for_what_it_has_offered() -> None:
    async def scenario(sim: Simulation) -> Any:
        nodes = await nodes_of(sim, a=Courier(1.0), b=Courier(1.5))
        jobs = asyncio.create_task(at_once(nodes["buyer"], 6))
        await sim.sleep(0.7)
        await nodes["a"].remove("a")
        return await jobs

    deals = Simulation(seed=8).run(scenario)
    assert len(deals) == 6
    assert all(not isinstance(deal, BaseException) for deal in deals), "those that a gave up are b's"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Subcontracted(type=RECEIPT, by="x", payment=math.nan), InvalidBid),
        (Subcontracted(type=RECEIPT, by="x", payment=-1.0), InvalidBid),
        (Subcontracted(type=RECEIPT, by="not a name", payment=1.0), SchemaMismatch),
        (Subcontracted(type="examples.couriers.v1.Delivery", by="x", payment=1.0), SchemaMismatch),
        (Subcontracted(type=RECEIPT, by="x", payment=1.0, result=b"\xff\xff"), SchemaMismatch),
        (b"\xff\xff", SchemaMismatch),
    ],
)
async def test_a_word_of_having_passed_it_on_that_is_none_is_a_failure(answer: Any, kind: type[Exception]) -> None:
    deal = await _dealt_with(answer)
    assert type(deal.failures["liar"]) is kind
    assert deal.result.courier == "honest"


async def test_who_says_that_it_asks_for_more_gets_what_was_agreed() -> None:
    deal = await _dealt_with(Subcontracted(type=RECEIPT, by="friend", payment=100.0))
    (winner,) = deal.winners
    assert (winner.agent, winner.by, winner.payment) == ("liar", "friend", 0.5)


async def _dealt_with(answer: Subcontracted | bytes) -> Any:
    """One job among an honest agent, and one that bids less and answers its award so."""
    body = answer if isinstance(answer, bytes) else answer.SerializeToString()
    async with Node("memory://hall", agents={"honest": Courier(1.0)}) as buyer, wire("memory://hall") as liar:

        def says(kind: str, payload: bytes) -> Any:
            def reply(subject: str, body: bytes, reply: str, headers: object) -> None:
                asked = decode_frame(body[2:])
                frame = Frame(kind, "liar", 1, 1, 1, 0, [payload], [], [], [asked.sequence])
                liar.transport.send(reply.rsplit("_", 2)[0], PLAIN + encode_frame(frame))

            return reply

        call = DEFAULT.call("examples.couriers.v1.Delivery")
        liar.transport.subscribe(call, says(PROPOSAL, Proposal(bid=0.5).SerializeToString()))
        liar.transport.subscribe(DEFAULT.agent("liar", AWARD), says(SUBCONTRACTED, body))
        await liar.flush()
        return await buyer.negotiate(Delivery(), Receipt)
