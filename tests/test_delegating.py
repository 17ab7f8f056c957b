"""Jobs that are delegated: on both wires, among agents that refuse, fail, go silent, and are told what things cost."""

from __future__ import annotations

import asyncio
import gc
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

import agentbus
from agentbus import Agent, Context, Node, Supervision, competitive, cooperative, hybrid, rpc, second_price
from agentbus.awards import best, every
from agentbus.bidding import HELD
from agentbus.contracts import Contract
from agentbus.errors import (
    AllFailed,
    Busy,
    ConfigurationError,
    DeadlineExceeded,
    HandlerFailed,
    InvalidBid,
    NoBids,
    Refused,
    SchemaMismatch,
)
from agentbus.messages import PLAIN, Failure, Frame, decode_frame, encode_frame
from agentbus.negotiation import Negotiation, Terms
from agentbus.policies import Past
from agentbus.proposals import AWARD, CALL, REJECTION, Award, CallForProposals, Proposal, Rejection
from examples.climate.v1.climate_pb2 import TargetReply, TargetRequest
from examples.couriers.v1.couriers_pb2 import Delivery, Receipt

from .nats_server import NatsServer
from .waiting import turns, until
from .wire import DEFAULT, Wire, wire


@pytest.fixture(params=["memory", "nats"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a test's nodes meet: in memory, or on a nats-server of the test's own."""
    if request.param == "memory":
        yield "memory://hall"
    else:
        server = NatsServer(tmp_path, jetstream=False).start()
        yield server.url
        server.stop(kill=True)


class Courier(Agent):
    """Delivers at a cost; what it was told is noted outside it."""

    supervision = Supervision(on_failure="resume")

    def __init__(self, cost: Any, notes: dict[str, Any] | None = None) -> None:
        self._cost = cost
        self.notes = {} if notes is None else notes

    @cooperative(Delivery, Receipt)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        self.notes.setdefault("done", []).append((ctx.me, job.number))
        self.notes["contract"] = ctx.contract
        return Receipt(number=job.number, courier=ctx.me)

    @deliver.cost
    def cost(self, job: Delivery) -> float | None:
        if isinstance(self._cost, Exception):
            raise self._cost
        return self._cost


class Greedy(Agent):
    """Asks twice its cost, by its weight."""

    def __init__(self, cost: float) -> None:
        self._cost = cost

    @staticmethod
    def double(cost: float, terms: Terms, history: Sequence[Past], /) -> float:
        return 2 * cost

    @competitive(Delivery, Receipt, strategy=double)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        return Receipt(number=job.number, courier=ctx.me)

    @deliver.cost
    def cost(self, job: Delivery) -> float:
        return self._cost


class Breaks(Courier):
    @hybrid(Delivery, Receipt, weight=0.0)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        raise ValueError("a flat tyre")

    @deliver.cost
    def cost(self, job: Delivery) -> float | None:
        return self._cost


class Sleeps(Courier):
    @hybrid(Delivery, Receipt, weight=0.0)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        self.notes["began"] = ctx.deadline_s
        try:
            await asyncio.Event().wait()
        finally:
            self.notes["cut off"] = True
        raise AssertionError

    @deliver.cost
    def cost(self, job: Delivery) -> float | None:
        return self._cost


@asynccontextmanager
async def town(url: str, **agents: Agent) -> AsyncIterator[tuple[Node, Node]]:
    """A buyer's node, and one that hosts the agents."""
    async with Node(url, name="buyer") as buyer, Node(url, name="town", agents=agents) as there:
        yield buyer, there


# -- a job is done -----------------------------------------------------------------------------------------------------


async def test_the_cheapest_does_it_and_all_are_told(url: str) -> None:
    notes: dict[str, Any] = {}
    agents = {"near": Courier(2.0, notes), "far": Courier(5.0), "greedy": Greedy(3.0)}
    async with town(url, **agents) as (buyer, _there):
        deal = await buyer.negotiate(Delivery(number=7), Receipt, value=9.0, award=second_price(), team="red")
        (winner,) = deal.winners
        assert deal.result == winner.result == Receipt(number=7, courier="near")
        assert (winner.agent, winner.bid, winner.price, winner.payment) == ("near", 2.0, 5.0, 2.0)
        assert (deal.bidders, deal.refusals, deal.failures) == (3, {}, {})
        terms = Terms(value=9.0, team="red", second_price=True)
        told = Contract(job=deal.job, buyer="buyer", terms=terms, bid=2.0, cost=2.0, price=5.0, payment=2.0)
        assert notes["contract"] == told
        greedy = agents["greedy"].policy("deliver").history
        await until(lambda: greedy)
        assert list(greedy) == [Past(cost=3.0, bid=6.0, won=False, price=5.0, second_price=True)]
        assert [past.won for past in agents["near"].policy("deliver").history] == [True]


async def test_a_job_takes_a_message_a_bidder_and_four(url: str) -> None:
    async with town(url, **{f"c{number}": Courier(float(number)) for number in range(8)}) as (buyer, there):
        for _ in range(3):
            await buyer.delegate(Delivery(), Receipt)
        rejected = [there.cells[f"c{number}"].agent.policy("deliver").history for number in range(1, 8)]
        await until(lambda: all(len(history) == 3 for history in rejected))
        sent = buyer.statistics().messages_sent + there.statistics().messages_sent
        assert sent == 3 * (8 + 4)
        assert there.statistics().frames_sent <= 3 * 2, "the bids of one node's agents travel together"


async def test_a_job_that_is_over_is_freed_without_the_garbage_collector() -> None:
    async with town("memory://hall", near=Courier(2.0), far=Courier(5.0)) as (buyer, _there):
        await buyer.delegate(Delivery(), Receipt)
        gc.disable()
        try:
            gc.collect()
            before = sum(isinstance(each, Negotiation) for each in gc.get_objects())
            for _ in range(5):
                await buyer.delegate(Delivery(), Receipt)
            assert sum(isinstance(each, Negotiation) for each in gc.get_objects()) == before
        finally:
            gc.enable()


async def test_many_jobs_at_once(url: str) -> None:
    async with town(url, **{f"c{number}": Courier(float(number)) for number in range(4)}) as (buyer, _there):
        receipts = await asyncio.gather(*(buyer.delegate(Delivery(number=n), Receipt) for n in range(64)))
        assert [receipt.number for receipt in receipts] == list(range(64))
        assert buyer.statistics().open_calls == 0


async def test_a_behavior_delegates_within_its_own_deadline_and_not_to_itself(url: str) -> None:
    class Office(Courier):
        @rpc(TargetRequest, TargetReply)
        async def tell(self, request: TargetRequest, ctx: Context) -> TargetReply:
            receipt = await ctx.delegate(Delivery(number=3), Receipt)
            assert ctx.deadline_s is not None
            return TargetReply(celsius=float(receipt.number + len(receipt.courier)))

    async with town(url, office=Office(0.0), near=Courier(2.0)) as (buyer, there):
        assert (await buyer.request(TargetRequest(), TargetReply, to="office")).celsius == 3 + len("near")
    async with town(url, office=Office(0.0), sleeper=Sleeps(2.0)) as (buyer, there):
        with pytest.raises(DeadlineExceeded):
            await buyer.request(TargetRequest(), TargetReply, to="office", timeout_s=0.2)
        await until(lambda: there.cells["sleeper"].agent.notes)  # type: ignore[attr-defined]
        assert there.cells["sleeper"].agent.notes["began"] <= 0.2  # type: ignore[attr-defined]


async def test_a_policy_answers_requests_by_name_without_a_bid(url: str) -> None:
    notes: dict[str, Any] = {}
    async with town(url, near=Courier(None, notes)) as (buyer, _there):
        assert (await buyer.request(Courier.deliver, Delivery(number=4), to="near")).number == 4
        assert notes["contract"] is None


async def test_a_thousand_bidders_on_one_node() -> None:
    couriers = {f"c{number}": Courier(1.0 + number) for number in range(1000)}
    async with town("memory://hall", **couriers) as (buyer, _there):
        deal = await buyer.negotiate(Delivery(), Receipt, award=second_price(), bid_window_s=4.0)
        (winner,) = deal.winners
        assert (winner.agent, winner.price, deal.bidders) == ("c0", 2.0, 1000)
        assert buyer.statistics().open_calls == 0


async def test_award_rules_of_ones_own(url: str) -> None:
    trust = {"near": 0.1, "far": 0.9}
    async with town(url, near=Courier(2.0), far=Courier(5.0)) as (buyer, _there):
        rule = best(lambda bid: trust[bid.bidder])
        assert (await buyer.delegate(Delivery(), Receipt, award=rule)).courier == "far"
        deal = await buyer.negotiate(Delivery(), Receipt, award=every(2))
        assert [winner.agent for winner in deal.winners] == ["near", "far"]


async def test_the_weight_is_changed_while_the_agent_runs(url: str) -> None:
    async with town(url, near=Courier(2.0), greedy=Greedy(1.5)) as (buyer, there):
        assert (await buyer.delegate(Delivery(), Receipt)).courier == "near"
        there.cells["greedy"].agent.policy("deliver").weight = 0.0
        assert there.info("greedy").policies == {"deliver": "cooperative"}
        assert (await buyer.delegate(Delivery(), Receipt)).courier == "greedy"


async def test_the_queue_is_part_of_the_cost(url: str) -> None:
    notes: dict[str, Any] = {}
    async with town(url, sleeper=Sleeps(2.0, notes), far=Courier(3.0)) as (buyer, there):
        first = asyncio.create_task(buyer.delegate(Delivery(number=1), Receipt, patience_s=60.0))
        await until(lambda: "began" in notes)
        deal = await buyer.negotiate(Delivery(number=2), Receipt, award=second_price())
        assert (deal.winners[0].agent, deal.winners[0].price) == ("far", 4.0)
        first.cancel()
        await until(lambda: "cut off" in notes)
        await until(lambda: not there.cells["sleeper"].tasks())
        again = await buyer.negotiate(Delivery(number=3), Receipt, patience_s=0.05)
        assert again.failures.keys() == {"sleeper"}, "its queue is empty again, so it bids 2 and is asked first"


# -- nobody will -------------------------------------------------------------------------------------------------------


async def test_a_job_that_nobody_has_a_policy_for_fails_at_once(url: str) -> None:
    async with town(url) as (buyer, _there):
        with pytest.raises(NoBids, match="nobody bids for this type"):
            await buyer.delegate(Delivery(), Receipt, bid_window_s=60.0, deadline_s=60.0)


async def test_each_refusal_is_told_by_its_type(url: str) -> None:
    agents = {
        "none": Courier(None),
        "nan": Courier(math.nan),
        "negative": Courier(-1.0),
        "endless": Courier(math.inf),
        "dear": Courier(9.5),
        "lost": Courier(ValueError("no map")),
        "greedy": Greedy(5.0),
    }
    async with town(url, **agents) as (buyer, there):
        with pytest.raises(NoBids) as failure:
            await buyer.delegate(Delivery(), Receipt, value=9.0, bid_window_s=4.0)
        kinds = {name: type(why) for name, why in failure.value.refusals.items()}
        invalid = dict.fromkeys(("nan", "negative", "endless"), InvalidBid)
        assert kinds == {"none": Refused, "dear": Refused, "greedy": Refused, "lost": HandlerFailed, **invalid}
        assert "nan" in str(failure.value.refusals["nan"])
        assert "more than the job's value 9" in str(failure.value.refusals["dear"])
        await until(lambda: not there.cells["lost"].tasks())


@pytest.mark.parametrize("value", [math.nan, -1.0, math.inf, pytest.param(10**5000, id="huge"), Decimal("sNaN")])
async def test_a_value_that_is_no_number_is_refused_before_anything_is_sent(value: Any) -> None:
    async with Node("memory://hall") as node:
        with pytest.raises(ConfigurationError, match="value is"):
            await node.delegate(Delivery(), Receipt, value=value)
        for wrong in (0.0, -1.0, math.nan, math.inf):
            with pytest.raises(ConfigurationError, match="bid_window_s"):
                await node.delegate(Delivery(), Receipt, bid_window_s=wrong)
            with pytest.raises(ConfigurationError, match="patience_s"):
                await node.delegate(Delivery(), Receipt, patience_s=wrong)
        with pytest.raises(ConfigurationError, match="deadline"):
            await node.delegate(Delivery(), Receipt, deadline_s=math.inf)
        rules: list[Any] = [second_price, 5, lambda bid: 1.0, agentbus.every(2)]
        for rule in rules:
            with pytest.raises(ConfigurationError, match=r"award=.*second_price\(\).*agentbus\.awards"):
                await node.delegate(Delivery(), Receipt, award=rule)
        teams: list[Any] = ["two words", "\ud800", "x" * 1_000_000, 5, b"team"]
        for team in teams:
            with pytest.raises(ConfigurationError, match="team"):
                await node.delegate(Delivery(), Receipt, team=team)
        assert node.statistics().messages_sent == 0


# -- winners that fail -------------------------------------------------------------------------------------------------


async def test_a_winner_that_fails_or_sleeps_is_replaced(url: str) -> None:
    notes: dict[str, Any] = {}
    agents = {"breaks": Breaks(1.0), "sleeps": Sleeps(2.0, notes), "far": Courier(5.0)}
    async with town(url, **agents) as (buyer, _there):
        deal = await buyer.negotiate(Delivery(number=1), Receipt, patience_s=1.0)
        assert deal.result.courier == "far"
        assert {name: type(why) for name, why in deal.failures.items()} == {
            "breaks": HandlerFailed,
            "sleeps": DeadlineExceeded,
        }
        await until(lambda: "cut off" in notes)


async def test_when_all_fail_each_ones_reason_is_told(url: str) -> None:
    async with town(url, one=Breaks(1.0), two=Breaks(2.0)) as (buyer, _there):
        with pytest.raises(AllFailed, match="flat tyre") as failure:
            await buyer.delegate(Delivery(), Receipt)
        assert list(failure.value.failures) == ["one", "two"]


async def test_when_the_winner_sleeps_and_nobody_else_is_there_the_deadline_ends_it(url: str) -> None:
    async with town(url, sleeps=Sleeps(1.0)) as (buyer, _there):
        with pytest.raises(DeadlineExceeded, match="'sleeps' had the job"):
            await buyer.delegate(Delivery(), Receipt, deadline_s=0.3, bid_window_s=0.1)
        assert buyer.statistics().open_calls == 0


async def test_a_full_mailbox_is_a_failure_like_others() -> None:
    class Narrow(Courier):
        @cooperative(Delivery, Receipt, mailbox=1)
        async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
            await asyncio.Event().wait()
            raise AssertionError

        @deliver.cost
        def cost(self, job: Delivery) -> float | None:
            return 0.0

    async with town("memory://hall", narrow=Narrow(0.0), far=Courier(5.0)) as (buyer, there):
        narrow = there.cells["narrow"]
        held = [asyncio.create_task(buyer.request(Courier.deliver, Delivery(), to="narrow"))]
        await until(lambda: narrow.tasks() and not narrow.waiting)
        held.append(asyncio.create_task(buyer.request(Courier.deliver, Delivery(), to="narrow")))
        await until(lambda: narrow.waiting)
        deal = await buyer.negotiate(Delivery(), Receipt)
        assert isinstance(deal.failures["narrow"], Busy)
        for task in held:
            task.cancel()


async def test_a_buyer_that_is_cancelled_stops_the_work_and_releases_the_rest(url: str) -> None:
    notes: dict[str, Any] = {}
    async with town(url, sleeps=Sleeps(1.0, notes), far=Courier(5.0)) as (buyer, there):
        task = asyncio.create_task(buyer.delegate(Delivery(), Receipt, deadline_s=60.0))
        await until(lambda: "began" in notes)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: "cut off" in notes)
        assert (
            there.cells["far"].agent.policy("deliver").history
            == type(there.cells["far"].agent.policy("deliver").history)()
        )
        assert (await buyer.delegate(Delivery(), Receipt, patience_s=0.05)).courier == "far"
        assert buyer.statistics().open_calls == 0


# -- what no buyer of ours would say -----------------------------------------------------------------------------------


def framed(kind: str, payload: bytes, sequence: int, deadline_ms: int = 5000) -> bytes:
    return PLAIN + encode_frame(Frame(kind, "stranger", 1, 0, sequence, 0, [payload], [deadline_ms], [], []))


async def reply_to(there: Wire, subject: str, body: bytes, sequence: int) -> Any:
    """The first answer to a request that looks like an agent's: its error, or its type and bytes."""
    inbox = f"default.in.stranger.1_{sequence}_1"
    heard = there.hear("default.in.stranger.*")
    await there.flush()
    there.transport.send(subject, body, inbox)
    await until(lambda: heard)
    frame = decode_frame(heard[0].body[2:])
    return Failure.FromString(frame.payloads[0]) if frame.type.endswith("Failure") else frame


async def test_two_awards_of_one_job_begin_it_once_and_a_repeated_one_is_no_second(url: str) -> None:
    notes: dict[str, Any] = {}
    async with town(url, near=Courier(2.0, notes)) as (_, _there), wire(url) as stranger:
        call = framed(CALL, CallForProposals(job=Delivery(number=5).SerializeToString()).SerializeToString(), 1)
        offer = await reply_to(stranger, DEFAULT.call("examples.couriers.v1.Delivery"), call, 1)
        assert Proposal.FromString(offer.payloads[0]) == Proposal(bid=2.0, weight=0.0)
        to_near = DEFAULT.agent("near", AWARD)
        award = framed(AWARD, Award(call=1, price=3.0, payment=2.0).SerializeToString(), 2)
        done = await reply_to(stranger, to_near, award, 2)
        assert Receipt.FromString(done.payloads[0]) == Receipt(number=5, courier="near")
        stranger.transport.send(to_near, award, "default.in.stranger.1_2_1")
        other = framed(AWARD, Award(call=1, price=3.0, payment=2.0).SerializeToString(), 3)
        refusal = await reply_to(stranger, to_near, other, 3)
        assert (refusal.kind, refusal.text) == ("Refused", "this job was awarded to it before")
        assert notes["done"] == [("near", 5)]


@pytest.mark.parametrize(
    ("award", "says"),
    [
        (Award(call=9, price=3.0, payment=3.0), "no open bid"),
        (Award(call=1, price=1.0, payment=1.0), "it bid 2, and would be paid 1"),
        (Award(call=1, price=math.nan, payment=2.0), "the price is nan"),
    ],
)
async def test_an_award_of_no_bid_or_below_the_bid_is_refused(award: Award, says: str) -> None:
    notes: dict[str, Any] = {}
    async with town("memory://hall", near=Courier(2.0, notes)), wire("memory://hall") as stranger:
        call = framed(CALL, CallForProposals(job=b"").SerializeToString(), 1)
        await reply_to(stranger, DEFAULT.call("examples.couriers.v1.Delivery"), call, 1)
        body = framed(AWARD, award.SerializeToString(), 2)
        assert says in (await reply_to(stranger, DEFAULT.agent("near", AWARD), body, 2)).text
        assert notes == {}


async def test_the_jobs_of_open_bids_have_a_limit_in_bytes_and_the_oldest_bids_go_first() -> None:
    notes: dict[str, Any] = {}
    large = b"\x7a\xc0\x84\x3d" + bytes(1_000_000)  # field 15, which a Delivery does not know
    count = HELD // len(large) + 2
    async with town("memory://hall", near=Courier(2.0, notes)), wire("memory://hall") as stranger:
        subject = DEFAULT.call("examples.couriers.v1.Delivery")
        for number in range(1, count + 1):
            body = framed(CALL, CallForProposals(job=large).SerializeToString(), number, 7 * 86_400_000)
            await reply_to(stranger, subject, body, number)
        for number, begins in ((1, False), (count, True)):
            award = framed(AWARD, Award(call=number, price=2.0, payment=2.0).SerializeToString(), 1000 + number)
            answer = await reply_to(stranger, DEFAULT.agent("near", AWARD), award, 1000 + number)
            assert isinstance(answer, Frame) is begins
        assert answer.type == "examples.couriers.v1.Receipt"


@pytest.mark.parametrize("team", ["two words", "x" * 100_000])
async def test_a_team_that_is_no_name_is_not_understood(team: str) -> None:
    async with town("memory://hall", near=Courier(2.0)), wire("memory://hall") as stranger:
        body = framed(CALL, CallForProposals(job=b"", team=team).SerializeToString(), 1)
        refusal = await reply_to(stranger, DEFAULT.call("examples.couriers.v1.Delivery"), body, 1)
        assert refusal.kind == "SchemaMismatch"
        assert "team" in refusal.text
        assert len(refusal.text) < 300


async def test_a_price_above_what_the_buyer_would_have_paid_teaches_nothing() -> None:
    async with town("memory://hall", near=Courier(2.0)) as (_, there), wire("memory://hall") as stranger:
        body = framed(CALL, CallForProposals(job=b"", value=5.0).SerializeToString(), 1)
        await reply_to(stranger, DEFAULT.call("examples.couriers.v1.Delivery"), body, 1)
        lie = framed(REJECTION, Rejection(call=1, price=1e300).SerializeToString(), 2)
        stranger.transport.send(DEFAULT.agent("near", REJECTION), lie, "")
        await stranger.flush()
        await turns()
        assert len(there.cells["near"].agent.policy("deliver").history) == 0


async def test_what_is_no_job_is_not_understood() -> None:
    async with town("memory://hall", near=Courier(2.0)), wire("memory://hall") as stranger:
        where = DEFAULT.call("examples.couriers.v1.Delivery")
        call = framed(CALL, CallForProposals(job=b"\xff\xff").SerializeToString(), 1)
        refusal = await reply_to(stranger, where, call, 1)
        assert (refusal.kind, "not a job of type" in refusal.text) == ("SchemaMismatch", True)
        foreign = await stranger.ask(where, CallForProposals(job=b"").SerializeToString())
        assert foreign.headers["Agentbus-Error"] == "SchemaMismatch"


async def test_a_bid_that_is_none_is_told_and_does_not_count() -> None:
    async with town("memory://hall", near=Courier(2.0)) as (buyer, _there), wire("memory://hall") as liar:

        def lie(subject: str, body: bytes, reply: str, headers: object) -> None:
            asked = decode_frame(body[2:])
            inbox = reply.rsplit("_", 2)[0]
            for source, kind, payload in (
                ("liar", "agentbus.wire.v1.Proposal", Proposal(bid=math.nan).SerializeToString()),
                ("babbler", "agentbus.wire.v1.Proposal", b"\xff\xff"),
                ("stranger", "examples.couriers.v1.Receipt", b""),
                ("not a name", "agentbus.wire.v1.Proposal", Proposal(bid=0.5).SerializeToString()),
            ):
                frame = Frame(kind, source, 1, 1, 1, 0, [payload], [], [], [asked.sequence])
                liar.transport.send(inbox, PLAIN + encode_frame(frame))

        liar.transport.subscribe(DEFAULT.call("examples.couriers.v1.Delivery"), lie)
        await liar.flush()
        deal = await buyer.negotiate(Delivery(), Receipt)
        assert deal.result.courier == "near"
        assert {name: type(why) for name, why in deal.refusals.items()} == {
            "liar": InvalidBid,
            "babbler": SchemaMismatch,
            "stranger": SchemaMismatch,
        }


# -- decisions are told ------------------------------------------------------------------------------------------------


async def test_each_decision_is_logged_and_kept() -> None:
    with capture_logs() as logs:
        async with town("memory://hall", near=Courier(2.0), none=Courier(None)) as (buyer, there):
            deal = await buyer.negotiate(Delivery(), Receipt, value=9.0)
            kept = {(entry.agent, entry.what): entry.facts for entry in there.bus.decisions.of(deal.job)}
            buyers = [entry.what for entry in buyer.bus.decisions.of(deal.job)]
            assert list(buyer.bus.decisions.of("another:1:1")) == []
    assert buyers == ["awarded", "done"]
    assert kept.keys() == {("near", "bid"), ("near", "took it"), ("none", "refused")}
    assert kept["near", "bid"] == {"behavior": "deliver", "value": 9.0, "cost": 2.0, "weight": 0.0, "bid": 2.0}
    bids = [entry for entry in logs if entry["event"] == "job bid"]
    assert [(entry["agent"], entry["cost"], entry["bid"], entry["job"]) for entry in bids] == [
        ("near", 2.0, 2.0, deal.job)
    ]
    (refused,) = [entry for entry in logs if entry["event"] == "job refused"]
    assert (refused["agent"], refused["reason"]) == ("none", "Refused: it can't do this job")
    (done,) = [entry for entry in logs if entry["event"] == "job done"]
    assert (done["winner"], done["price"], done["job"]) == ("near", 2.0, deal.job)


async def test_a_result_that_nobody_returns_is_told_before_anybody_works() -> None:
    notes: dict[str, Any] = {}
    async with town("memory://hall", near=Courier(2.0, notes), far=Courier(3.0, notes)) as (buyer, _there):
        with pytest.raises(NoBids) as failure:
            await buyer.delegate(Delivery(), Delivery)
    assert {type(why) for why in failure.value.refusals.values()} == {SchemaMismatch}
    assert "returns a examples.couriers.v1.Receipt" in str(failure.value)
    assert "done" not in notes


async def test_what_fails_says_how_to_ask_why() -> None:
    async with town("memory://hall", none=Courier(None)) as (buyer, _there):
        with pytest.raises(NoBids) as failure:
            await buyer.delegate(Delivery(), Receipt)
    (note,) = failure.value.__notes__
    assert note.startswith("to see why: agentbus why buyer:")
