"""Calls that wait for a person, on nodes: yes, no, silence, and everything that must not count."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

import pytest
from google.protobuf.wrappers_pb2 import BytesValue

from agentbus import Agent, Context, Node, Supervision, cooperative, lowest_bid, rpc
from agentbus.discovery import response
from agentbus.errors import (
    AgentBusError,
    Busy,
    ConfigurationError,
    DeadlineExceeded,
    DefinitionError,
    HandlerFailed,
    NoResponders,
    PayloadTooLarge,
    Refused,
    Unauthorized,
)
from agentbus.security import Enrolment, KeyPair, signed_enrolment
from agentbus.security.approvals import (
    AnswerRequest,
    ApprovalOutcome,
    Approvals,
    ApprovalsConfig,
    verified_answer,
)
from agentbus.testing import Simulation
from examples.climate.v1.climate_pb2 import Reading, TargetReply, TargetRequest

from .world import ANNA, MALLORY, Recorder, Till, hand, say, waiting

APPROVED = ApprovalOutcome.Value("APPROVAL_OUTCOME_APPROVED")
REFUSED = ApprovalOutcome.Value("APPROVAL_OUTCOME_REFUSED")
EXPIRED = ApprovalOutcome.Value("APPROVAL_OUTCOME_EXPIRED")
WITHDRAWN = ApprovalOutcome.Value("APPROVAL_OUTCOME_WITHDRAWN")
Scenario = Callable[[Simulation], Coroutine[Any, Any, None]]


def desk(**options: Any) -> Approvals:
    return Approvals([ANNA.public], **options)


def run(scenario: Scenario) -> None:
    Simulation(seed=1).run(scenario)


def test_a_call_waits_for_a_yes_and_others_pass_it_by() -> None:
    async def scenario(sim: Simulation) -> None:
        till, book = Till(), Recorder()
        shop = await sim.node("shop", agents=[till, desk(), book])
        client = await sim.node("client")
        paying = asyncio.create_task(client.request(Reading(celsius=5), TargetReply, to="till", timeout_s=60))
        await sim.sleep(20)
        assert not paying.done()
        assert shop.agent_statistics("till").queued == 1
        assert (await client.request(TargetRequest(), TargetReply, to="till")).celsius == 0
        ((where, call),) = await waiting(client)
        assert (call.approval, call.agent, call.behavior, call.sender) == ("payments", "till", "pay", "client")
        assert Reading.FromString(call.payload).celsius == 5
        assert call.remaining_ms == 40_000
        assert till.paid == []
        assert (await say(client, where, call, reason="a small sum")).error == ""
        assert (await paying).celsius == 5
        assert till.paid == [5]
        await sim.until(lambda: book.heard)
        (event,) = book.heard
        assert (event.outcome, event.by, event.reason) == (APPROVED, ANNA.public, "a small sum")
        proven = verified_answer(event.proof.signed, event.proof.key)
        assert (proven.approved, proven.about.payload_sha256) == (True, event.payload_sha256)
        assert shop.agent_statistics("till").behaviors["pay"].received == 1
        assert await waiting(client) == []

    run(scenario)


def test_a_no_comes_back_as_refused_with_the_reason() -> None:
    async def scenario(sim: Simulation) -> None:
        till, book = Till(), Recorder()
        await sim.node("shop", agents=[till, desk(), book])
        client = await sim.node("client")
        paying = asyncio.create_task(client.request(Reading(celsius=5), TargetReply, to="till", timeout_s=60))
        await sim.sleep(1)
        ((where, call),) = await waiting(client)
        assert (await say(client, where, call, approved=False, reason="never heard of them")).error == ""
        with pytest.raises(Refused, match=f"till.pay .payments.: {ANNA.public} says no: never heard of them"):
            await paying
        await sim.until(lambda: book.heard)
        assert (till.paid, book.heard[0].outcome) == ([], REFUSED)

    run(scenario)


def test_silence_ends_with_the_requesters_deadline_or_the_desks() -> None:
    async def scenario(sim: Simulation) -> None:
        till, book = Till(), Recorder()
        await sim.node("shop", agents=[till, desk(config=ApprovalsConfig(wait_s=30)), book])
        client = await sim.node("client")
        for timeout_s, ends_s in ((3.0, 3.0), (100.0, 30.0)):
            book.heard.clear()
            began = sim.now()
            with pytest.raises(DeadlineExceeded) as failure:
                await client.request(Reading(celsius=5), TargetReply, to="till", timeout_s=timeout_s)
            assert abs(sim.now() - began - ends_s) < 0.2
            assert ("was not approved" in str(failure.value)) == (ends_s == 30.0)
            await sim.until(lambda: book.heard)
            assert book.heard[0].outcome == EXPIRED
        assert till.paid == []
        assert await waiting(client) == []

    run(scenario)


def test_what_must_not_count_is_refused_by_name() -> None:
    async def scenario(sim: Simulation) -> None:
        till = Till()
        await sim.node("shop", agents=[till, desk(config=ApprovalsConfig(wait_s=30))])
        client = await sim.node("client")
        first = asyncio.create_task(client.request(Reading(celsius=1), TargetReply, to="till", timeout_s=60))
        second = asyncio.create_task(client.request(Reading(celsius=1000), TargetReply, to="till", timeout_s=60))
        await sim.sleep(1)
        (where, one), (_, other) = await waiting(client)
        # somebody else's key; a signature by another than it comes with
        assert "none of the approvers" in (await say(client, where, one, pair=MALLORY)).text
        signed = AnswerRequest(signed=bytes(64) + b"x", key=ANNA.key)
        assert (await hand(client, signed)).error == "Unauthorized"
        # a yes to one call, handed in for another, and for another payload
        moved = type(one).FromString(one.SerializeToString())
        moved.id = other.id
        told = await say(client, where, moved)
        assert (told.error, told.text) == (
            "Refused",
            f"call {other.id}: this was signed for another message_id, payload_sha256",
        )
        moved.message_id = other.message_id
        assert (await say(client, where, moved)).text.endswith("another payload_sha256")
        # a clock that is wrong
        assert "set the clock right" in (await say(client, where, one, at_us=1)).text
        assert not first.done()
        assert not second.done()
        # the good one counts, once
        assert (await say(client, where, one)).error == ""
        assert (await first).celsius == 1
        assert "was approved before" in (await say(client, where, one)).text
        assert "was approved before" in (await say(client, where, one, approved=False)).text
        with pytest.raises(DeadlineExceeded):
            await second
        assert "too late" in (await say(client, where, other)).text
        other.id = "nonsense"
        assert "no call nonsense waits here" in (await say(client, where, other)).text
        assert till.paid == [1]

    run(scenario)


def test_an_answer_is_for_one_node() -> None:
    async def scenario(sim: Simulation) -> None:
        tills = {name: Till() for name in ("north", "south")}
        for name, till in tills.items():
            await sim.node(name, agents={name: till, "approvals": desk()})
        client = await sim.node("client")
        calls = [
            asyncio.create_task(client.request(Reading(celsius=2), TargetReply, to=name, timeout_s=60))
            for name in tills
        ]
        await sim.sleep(1)
        north = next(pair for pair in await waiting(client) if pair[0].node == "north")
        assert (await say(client, *north)).error == ""
        await calls[0]
        assert (tills["north"].paid, tills["south"].paid) == ([2], [])
        north[0].node = "south"
        assert "no call" in (await say(client, *north)).text
        calls[1].cancel()

    run(scenario)


def test_a_node_without_a_desk_does_not_start() -> None:
    async def scenario(sim: Simulation) -> None:
        with pytest.raises(ConfigurationError, match=r"payments.*add agentbus.security.approvals.Approvals"):
            await sim.node("shop", agents=[Till()])
        late = await sim.node("late")
        with pytest.raises(ConfigurationError, match=r"till.*has no desk"):
            await late.add(Till())
        await late.add(desk())
        await late.add(Till())
        with pytest.raises(ConfigurationError, match="at 'approvals' already: leave 'second' out"):
            await late.add(desk(), name="second")

    run(scenario)


def test_a_desk_that_has_gone_lets_nothing_through() -> None:
    async def scenario(sim: Simulation) -> None:
        till = Till()
        shop = await sim.node("shop", agents=[desk(), till])
        client = await sim.node("client")
        waits = asyncio.create_task(client.request(Reading(celsius=5), TargetReply, to="till", timeout_s=60))
        await sim.sleep(1)
        await shop.remove("approvals")
        with pytest.raises(Busy, match="has been closed"):
            await waits
        with pytest.raises(Busy, match="is closed"):
            await client.request(Reading(celsius=5), TargetReply, to="till", timeout_s=60)
        assert till.paid == []

    run(scenario)


def test_stopping_answers_those_who_wait_and_forgets_them() -> None:
    async def scenario(sim: Simulation) -> None:
        book = Recorder()
        await sim.node("shop", agents=[Till(), desk()])
        client = await sim.node("client", agents=[book])
        waits = asyncio.create_task(client.request(Reading(celsius=5), TargetReply, to="till", timeout_s=60))
        await sim.sleep(1)
        ((where, call),) = await waiting(client)
        await sim.stop("shop")
        with pytest.raises(Busy):
            await waits
        await sim.until(lambda: book.heard)
        assert book.heard[0].outcome == WITHDRAWN
        await sim.restart("shop")
        assert await waiting(client) == []
        assert "no call" in (await say(client, where, call)).text
        again = asyncio.create_task(client.request(Reading(celsius=5), TargetReply, to="till", timeout_s=60))
        await sim.sleep(1)
        ((_, fresh),) = await waiting(client)
        assert fresh.id != call.id
        again.cancel()

    run(scenario)


def test_a_crash_leaves_no_call_undecided_for_its_requester() -> None:
    async def scenario(sim: Simulation) -> None:
        await sim.node("shop", agents=[Till(), desk()])
        client = await sim.node("client")
        waits = asyncio.create_task(client.request(Reading(celsius=5), TargetReply, to="till", timeout_s=10))
        await sim.sleep(1)
        sim.crash("shop")
        with pytest.raises(DeadlineExceeded):
            await waits
        await sim.restart("shop")
        assert await waiting(client) == []

    run(scenario)


class Shaky(Till):
    """Fails once."""

    supervision: ClassVar[Supervision] = Supervision(backoff_s=0.5)
    failures: ClassVar[list[float]] = []
    done: ClassVar[list[float]] = []

    @rpc(Reading, TargetReply, approval="payments")
    async def pay(self, request: Reading, ctx: Context) -> TargetReply:
        if not self.failures:
            self.failures.append(request.celsius)
            raise ValueError("out of ink")
        self.done.append(request.celsius)
        return TargetReply(celsius=request.celsius)


def test_calls_that_wait_outlive_a_restart_of_their_agent() -> None:
    async def scenario(sim: Simulation) -> None:
        shop = await sim.node("shop", agents={"till": Shaky(), "approvals": desk()})
        client = await sim.node("client")
        calls = [
            asyncio.create_task(client.request(Reading(celsius=n), TargetReply, to="till", timeout_s=60))
            for n in (1, 2)
        ]
        await sim.sleep(1)
        (where, one), (_, two) = await waiting(client)
        assert (await say(client, where, one)).error == ""
        with pytest.raises(HandlerFailed, match="out of ink"):
            await calls[0]
        assert (await say(client, where, two)).error == ""
        assert (await calls[1]).celsius == 2
        assert (Shaky.failures, Shaky.done) == ([1], [2])
        assert shop.agent_statistics("till").restarts == 1

    run(scenario)


def test_who_wants_no_answer_waits_as_long_as_the_desk_lets_it() -> None:
    async def scenario(sim: Simulation) -> None:
        till = Till()
        await sim.node("shop", agents=[till, desk()])
        client = await sim.node("client")
        await client.send(Reading(celsius=3), to="till")
        await sim.sleep(100)
        assert till.paid == []
        ((where, call),) = await waiting(client)
        assert call.remaining_ms == 200_000
        assert (await say(client, where, call)).error == ""
        await sim.until(lambda: till.paid == [3])

    run(scenario)


def test_a_request_that_comes_twice_is_asked_about_twice() -> None:
    async def scenario(sim: Simulation) -> None:
        till = Till()
        await sim.node("shop", agents=[till, desk()])
        client = await sim.node("client")
        sim.link(duplicate=1.0)
        paying = asyncio.create_task(client.request(Reading(celsius=3), TargetReply, to="till", timeout_s=60))
        await sim.sleep(1)
        sim.link()
        (where, one), (_, two) = await waiting(client)
        assert one.message_id == two.message_id
        assert one.id != two.id
        assert (await say(client, where, one)).error == ""
        await paying
        assert (await say(client, where, two, approved=False)).error == ""
        assert till.paid == [3]

    run(scenario)


def test_it_is_told_to_who_asks_what_an_agent_does() -> None:
    async def scenario(sim: Simulation) -> None:
        shop = await sim.node("shop", agents=[Till(), desk()])
        told = json.loads(response("INFO", shop.info("till"), shop.agent_statistics("till")))
        metadata = {endpoint["name"]: endpoint["metadata"] for endpoint in told["endpoints"]}
        assert metadata["pay"]["approval"] == "payments"
        assert "approval" not in metadata["tell_balance"]

    run(scenario)


def test_mailbox_and_desk_are_bounded() -> None:
    async def scenario(sim: Simulation) -> None:
        await sim.node("shop", agents=[Till(), desk(config=ApprovalsConfig(pending_each=3))])
        client = await sim.node("client")
        other = await sim.node("other")

        async def call(who: Node) -> None:
            await who.request(Reading(celsius=5), TargetReply, to="till", timeout_s=5)

        mine = [asyncio.create_task(call(client)) for _ in range(4)]
        await sim.sleep(1)
        with pytest.raises(Busy, match="3 calls of client wait"):
            await mine[3]
        theirs = [asyncio.create_task(call(other)) for _ in range(2)]
        await sim.sleep(1)
        with pytest.raises(Busy, match="4 calls wait already"):
            await theirs[1]
        rest = await asyncio.gather(*mine[:3], theirs[0], return_exceptions=True)
        assert all(isinstance(error, DeadlineExceeded) for error in rest)

    run(scenario)


def test_what_nobody_could_read_does_not_bother_anybody() -> None:
    async def scenario(sim: Simulation) -> None:
        await sim.node("shop", agents=[Till(), desk()])
        client = await sim.node("client")
        with pytest.raises(PayloadTooLarge, match="more than a person can approve"):
            await client.request(Reading(room="x" * 300_000), TargetReply, to="till")
        subject = client.subjects.agent("till", "examples.climate.v1.Reading")
        with pytest.raises(AgentBusError, match="can't be parsed"):
            await client.request(BytesValue(value=b"\xff\xff"), TargetReply, plain=True, subject=subject)
        assert await waiting(client) == []

    run(scenario)


def test_large_payloads_are_shown_by_their_number() -> None:
    async def scenario(sim: Simulation) -> None:
        till = Till()
        await sim.node("shop", agents=[till, desk()])
        client = await sim.node("client")
        request = Reading(room="x" * 5000, celsius=7)
        waits = asyncio.create_task(client.request(request, TargetReply, to="till", timeout_s=60))
        await sim.sleep(1)
        ((_, short),) = await waiting(client)
        assert (short.payload, short.payload_size) == (b"", request.ByteSize())
        ((where, call),) = await waiting(client, short.id)
        assert Reading.FromString(call.payload) == request
        assert (await say(client, where, call)).error == ""
        assert (await waits).celsius == 7

    run(scenario)


def test_people_of_a_realm_approve_what_their_enrolment_says() -> None:
    issuer, stranger, bert = KeyPair.create(), KeyPair.create(), KeyPair.create()
    issuers = {issuer.key: "approver", stranger.key: "worker"}

    def enrolled(now_s: float, by: KeyPair = issuer, **changes: Any) -> bytes:
        fields: dict[str, Any] = {
            "key": bert.key,
            "realm": "default",
            "node": "bert",
            "names": ("payments",),
            "role": "approver",
            "issued_s": int(now_s),
            "expires_s": int(now_s) + 3600,
            "issuer": by.key,
        }
        return signed_enrolment(Enrolment(**{**fields, **changes}), by)

    async def scenario(sim: Simulation) -> None:
        till = Till()
        await sim.node("shop", agents=[till, Approvals(issuers=issuers)])
        client = await sim.node("client")
        waits = asyncio.create_task(client.request(Reading(celsius=5), TargetReply, to="till", timeout_s=60))
        await sim.sleep(1)
        ((where, call),) = await waiting(client)
        now_s = client.bus.clock_us() / 1e6
        for enrolment, says in (
            (b"", "shows no enrolment"),
            (enrolled(now_s, names=("refunds",)), "may approve refunds, not 'payments'"),
            (enrolled(now_s, names=(), node="payments"), "may approve nothing"),
            (enrolled(now_s, role="worker", by=stranger), "enrolled as 'worker'"),
            (enrolled(now_s, by=stranger), "not by the issuer"),
            (enrolled(now_s, key=MALLORY.key), "the enrolment of another"),
            (enrolled(now_s - 7200), "expired"),
            (enrolled(now_s, realm="town"), "realm 'town'"),
        ):
            told = await say(client, where, call, pair=bert, enrolment=enrolment)
            assert (told.error, says in told.text) == ("Unauthorized", True), told.text
        assert till.paid == []
        assert (await say(client, where, call, pair=bert, enrolment=enrolled(now_s, names=("pay*",)))).error == ""
        assert (await waits).celsius == 5

    run(scenario)


class Courier(Agent):
    """Bids for jobs, and does none without a yes."""

    @cooperative(Reading, TargetReply, approval="deliveries")
    async def deliver(self, job: Reading, ctx: Context) -> TargetReply:
        return TargetReply(celsius=job.celsius)

    @deliver.cost
    def cost(self, job: Reading) -> float:
        return 1.0


def test_a_job_that_was_awarded_waits_too() -> None:
    async def scenario(sim: Simulation) -> None:
        await sim.node("street", agents=[Courier(), desk()])
        buyer = await sim.node("buyer")
        deal = asyncio.create_task(
            buyer.delegate(Reading(celsius=9), TargetReply, award=lowest_bid(), deadline_s=60, patience_s=50)
        )
        await sim.sleep(2)
        ((where, call),) = await waiting(buyer)
        assert (call.approval, call.behavior) == ("deliveries", "deliver")
        assert (await say(buyer, where, call)).error == ""
        assert (await deal).celsius == 9

    run(scenario)


def test_a_durable_record_comes_before_the_call() -> None:
    async def scenario(sim: Simulation) -> None:
        till = Till()
        await sim.node("shop", agents=[till, desk(durable=True)])
        client = await sim.node("client")
        waits = asyncio.create_task(client.request(Reading(celsius=5), TargetReply, to="till", timeout_s=60))
        await sim.sleep(1)
        ((where, call),) = await waiting(client)
        assert (await say(client, where, call)).error == ""
        assert (await waits).celsius == 5
        stream = client.streams.log
        pattern = client.subjects.durable("agentbus.wire.v1.ApprovalDecided", "payments")
        stored = await client.transport.last(stream, pattern)
        assert stored is not None
        assert call.id.encode() in stored.body

    run(scenario)


async def test_a_foreign_client_in_json_is_shown_as_what_the_handler_gets(url: str) -> None:
    till = Till()
    async with Node(url, agents=[till, desk()]) as node, Node(url) as client:
        replies: list[bytes] = []
        inbox = "default.in.foreign.1"
        node.transport.subscribe(inbox, lambda s, body, r, h: replies.append(body))
        await node.transport.flush()
        subject = node.subjects.agent("till", "examples.climate.v1.Reading")
        client.transport.send(subject, b'{"celsius": 5, "unknown": 1}', inbox, {"Content-Type": "application/json"})
        while not (found := await waiting(client)):
            pass
        ((where, call),) = found
        assert call.payload == Reading(celsius=5).SerializeToString()
        assert (await say(client, where, call)).error == ""
        async with asyncio.timeout(5):
            while not replies:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert b'"celsius": 5' in replies[0]
        assert till.paid == [5]


class Broken(Approvals):
    """A desk with a fault."""

    def ask_approval(self, *_: object) -> Any:
        raise ValueError("no ink")


def test_a_desk_that_fails_lets_nothing_through() -> None:
    async def scenario(sim: Simulation) -> None:
        till = Till()
        await sim.node("shop", agents=[till, Broken([ANNA.public])])
        client = await sim.node("client")
        with pytest.raises(HandlerFailed, match="no ink"):
            await client.request(Reading(celsius=5), TargetReply, to="till")
        assert till.paid == []

    run(scenario)


@pytest.mark.parametrize("approval", ["pay ments", "pay.ments", 7, "*"])
def test_an_approval_has_a_name(approval: Any) -> None:
    with pytest.raises(DefinitionError, match="approval"):

        @rpc(Reading, TargetReply, approval=approval)
        async def pay(self: Any, request: Reading, ctx: Context) -> TargetReply:
            return TargetReply()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "nobody could approve anything"),
        ({"issuers": {ANNA.key: "worker"}}, "nobody could approve anything"),
        ({"approvers": ["nonsense"]}, "not the public NKEY"),
        ({"approvers": ANNA.public}, "not one text"),
    ],
)
def test_a_desk_at_which_nobody_could_answer_is_refused(options: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Approvals(**options)


@pytest.mark.parametrize("knobs", [{"wait_s": 0}, {"pending": 0}, {"skew_s": float("nan")}])
def test_knobs_that_can_not_be(knobs: Any) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(knobs))):
        ApprovalsConfig(**knobs)


def test_nobody_there_is_told_at_once() -> None:
    async def scenario(sim: Simulation) -> None:
        client = await sim.node("client")
        with pytest.raises(NoResponders):
            await client.request(Reading(), TargetReply, to="till")

    run(scenario)


def test_only_who_signed_is_believed() -> None:
    with pytest.raises(Unauthorized):
        verified_answer(b"", ANNA.key)
