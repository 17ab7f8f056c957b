"""What rooms decide and do, in a log: found by ``agentbus audit show`` and proved by ``agentbus audit prove``."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from agentbus import Agent, Context, Node, Refused, on
from agentbus.cli.program import main
from agentbus.faults import FAILED, Fault
from agentbus.healing import Healer
from agentbus.healing.codec import HealingAction
from agentbus.ledger import InBucket, Kind, Ledger, verify
from agentbus.ledger.copying import places
from agentbus.ledger.disk import Disk
from agentbus.ledger.store import CHECKPOINT
from agentbus.market import EscrowClient, EscrowLedger
from agentbus.market.agreements import Acceptance, Approval, Demand, Escrowed, Offer, Ruling, Usage
from agentbus.market.codec import encode
from agentbus.market.escrow.codec import EscrowReply
from agentbus.security.approvals import AnswerRequest, ApprovalDecided, ApprovalOutcome, Approvals, verified_answer
from agentbus.testing import Simulation
from agentbus.wire.v1 import market_pb2
from examples.climate.v1.climate_pb2 import Reading, TargetReply
from tests.cli.world import Courier
from tests.healing.fleet import Fleet
from tests.ledger.logs import LOG, LOG_KEY
from tests.security.approvals.world import ANNA, Till, say, waiting

WIRE = "agentbus.wire.v1."
Shown = dict[str, Any]
Scenario = Callable[[Simulation], Coroutine[Any, Any, None]]


def ledger(sim: Simulation, name: str = "log") -> Ledger:
    """One with the rules that there are unless others are given."""
    return Ledger(InBucket(name), LOG, witnesses={}, clock=sim.now)


async def copied(log: Ledger, node: Node, folder: Path, name: str = "log") -> None:
    """A log's files, in a folder. (`download` waits for a disk in a thread, which virtual time does not know.)"""
    await log.log.seal()
    assert log.log.checkpoint is not None
    store = InBucket(name)
    await store.open(node.transport, "default")
    disk, paths = Disk(folder, sync=False), [place.path for place in places(log.log.checkpoint.size)]
    for path in [*paths, CHECKPOINT]:
        content = await store.read(path)
        assert content is not None
        disk.write([(path, content)])


def shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[Shown]:
    """What ``agentbus audit show`` shows of a log that ``verify`` finds whole; each record is proved."""
    assert verify(folder, [LOG_KEY]).findings == ()
    assert main(["audit", "show", str(folder), "-n", "1000", "--json"]) == 0
    found: list[Shown] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found
    for each in found:
        assert main(["audit", "prove", str(folder), str(each["index"]), "--key", str(LOG_KEY)]) == 0
    assert capsys.readouterr().out.count("the proof holds") == len(found)
    return found


def of_type(found: list[Shown], kind: Kind, name: str) -> list[Shown]:
    return [each for each in found if (each["kind"], each["type"]) == (kind, WIRE + name)]


def test_what_an_escrow_ledger_did_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(sim: Simulation) -> None:
        log = ledger(sim)
        node = await sim.node("bank-1", agents={"ledger": log, "escrow": EscrowLedger(issuer="bank", clock=sim.now)})
        await sim.sleep(0.5)
        bank, anna, bert, judge = [EscrowClient(await sim.node(name)) for name in ("bank", "anna", "bert", "judge")]
        await anna.open("open-anna", "anna")
        await bert.open("open-bert", "bert")
        await bank.transfer("fund", "bank", "anna", 100)
        await anna.hold("job", "anna", "bert", 40, for_s=60, arbiter="judge")
        await anna.settle("paid", "job", 30)
        await anna.hold("other", "anna", "bert", 40, for_s=60, arbiter="judge")
        await bert.dispute("contested", "other")
        await judge.resolve("ruled", "other", 10)
        with pytest.raises(Refused):
            await bert.transfer("theft", "anna", "bert", 1)
        await sim.sleep(1.0)
        await copied(log, node, tmp_path / "log")

    Simulation(seed=1).run(scenario)
    replies = [
        EscrowReply.FromString(b64decode(each["payload"]))
        for each in of_type(shown(tmp_path / "log", capsys), Kind.SENT, "EscrowReply")
    ]
    receipts = {reply.receipt.request.transaction: reply.receipt for reply in replies if reply.HasField("receipt")}
    assert set(receipts) == {"open-anna", "open-bert", "fund", "job", "paid", "other", "contested", "ruled"}
    moved = {entry.account: entry.amount for entry in receipts["paid"].entries}
    assert moved == {"hold:job": -40, "anna": 10, "bert": 30}
    assert (receipts["ruled"].by, receipts["ruled"].request.resolve.amount) == ("judge", 10)
    assert [reply.refusal.party for reply in replies if reply.HasField("refusal")], "what was refused is on record"


class Provider(Agent):
    """Hears of demands, and offers."""

    @on(market_pb2.Demand)
    async def offer(self, demand: market_pb2.Demand, ctx: Context) -> None:
        await ctx.publish(encode(Offer(demand=demand.id, provider=ctx.me, account="p", price=3)))


def test_what_was_agreed_on_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demand = Demand(
        id="d",
        buyer="anna",
        account="anna",
        work="paint",
        units=9,
        price=4,
        made_s=1.0,
        offers_until_s=2.0,
        work_until_s=3.0,
        settle_until_s=4.0,
        arbiter="judge",
    )
    rest = [
        Acceptance(demand="d", provider="bert"),
        Escrowed(demand="d", hold="h"),
        Usage(demand="d", provider="bert", units=7, evidence=b"a photograph"),
        Approval(demand="d"),
        Ruling(demand="d", units=5),
    ]

    async def scenario(sim: Simulation) -> None:
        log = ledger(sim)
        works = await sim.node("works", agents={"ledger": log, "bert": Provider()}, middleware=[log.records()])
        anna = await sim.node("anna", agents={"log-of-anna": (own := ledger(sim, "own"))})
        for value in [demand, *rest]:
            await anna.publish(encode(value))
        await sim.sleep(1.0)
        await copied(log, works, tmp_path / "log")
        await copied(own, anna, tmp_path / "own", "own")

    Simulation(seed=1).run(scenario)
    found = shown(tmp_path / "log", capsys)
    (heard,) = of_type(found, Kind.RECEIVED, "Demand")
    assert (heard["agent"], heard["peer"]) == ("bert", "anna")
    assert market_pb2.Demand.FromString(b64decode(heard["payload"])).work == "paint"
    (offered,) = of_type(found, Kind.SENT, "Offer")
    assert market_pb2.Offer.FromString(b64decode(offered["payload"])).price == 3
    said = shown(tmp_path / "own", capsys)
    for value in [demand, *rest]:
        (each,) = of_type(said, Kind.SENT, type(value).__name__)
        assert b64decode(each["payload"]) == encode(value).SerializeToString(deterministic=True)


def test_an_approval_is_logged_asked_answered_and_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(sim: Simulation) -> None:
        log = ledger(sim)
        agents = {"ledger": log, "till": Till(), "desk": Approvals([ANNA.public])}
        node = await sim.node("shop", agents=agents, middleware=[log.records()])
        client = await sim.node("client")
        for approved, reason in ((True, "a small sum"), (False, "twice is too much")):
            paying = asyncio.create_task(client.request(Reading(celsius=5), TargetReply, to="till", timeout_s=60))
            await sim.sleep(5)
            ((where, call),) = await waiting(client)
            assert (await say(client, where, call, approved=approved, reason=reason)).error == ""
            if approved:
                await paying
            else:
                with pytest.raises(Refused):
                    await paying
        await sim.sleep(1.0)
        await copied(log, node, tmp_path / "log")

    Simulation(seed=1).run(scenario)
    found = shown(tmp_path / "log", capsys)
    yes, no = [
        ApprovalDecided.FromString(b64decode(each["payload"])) for each in of_type(found, Kind.SENT, "ApprovalDecided")
    ]
    assert (yes.outcome, yes.reason) == (ApprovalOutcome.Value("APPROVAL_OUTCOME_APPROVED"), "a small sum")
    assert (no.outcome, no.reason) == (ApprovalOutcome.Value("APPROVAL_OUTCOME_REFUSED"), "twice is too much")
    proven = verified_answer(yes.proof.signed, yes.proof.key)
    assert (proven.approved, proven.about.message_id) == (True, yes.message_id)
    answers = [
        AnswerRequest.FromString(b64decode(e["payload"])) for e in of_type(found, Kind.RECEIVED, "AnswerRequest")
    ]
    assert [each.signed for each in answers] == [yes.proof.signed, no.proof.signed]
    for decided, steps in ((yes, ["approval asked", "approved"]), (no, ["approval asked", "not approved"])):
        noted = [json.loads(b64decode(each["payload"])) for each in found if each["subject"] == decided.message_id]
        assert [entry["what"] for entry in noted] == steps
        assert noted[0]["facts"] == {"approval": "payments", "behavior": "pay"}
    used = [each["message_id"] for each in found if (each["kind"], each["agent"]) == ("done", "till")]
    assert used == [yes.message_id], "what was not approved was not done"
    order = [each["index"] for each in found if yes.message_id in (each["message_id"], each["subject"])]
    assert order == sorted(order)


class Logged(Fleet):
    """A fleet whose nodes keep logs."""

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self.logs: dict[str, Ledger] = {}

    async def add(self, name: str, **options: Any) -> Node:
        healer = Healer(config=self.config, **options)
        self.logs[name] = ledger(self.sim, f"log-{name}")
        node = await self.sim.node(name, agents={"healer": healer, "ledger": self.logs[name]}, peers=self.roll)
        self.nodes[name], self.healers[name] = node, healer
        self.roll.nodes[name] = node.epoch
        return node


def test_verdicts_and_what_healing_did_are_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(sim: Simulation) -> None:
        fleet = Logged(sim)
        await fleet.start(5)
        fault = fleet.fault(FAILED, "n2", agent="")
        sim.crash("n2")
        del fleet.roll.nodes["n2"], fleet.logs["n2"]
        await fleet.all_hear(fault)
        await sim.sleep(5.0)
        for name, log in fleet.logs.items():
            await copied(log, fleet.nodes[name], tmp_path / name, f"log-{name}")

    Simulation(seed=5).run(scenario)
    actions: set[str] = set()
    for folder in tmp_path.iterdir():
        found = shown(folder, capsys)
        (verdict,) = of_type(found, Kind.DECIDED, "Fault")
        assert Fault.FromString(b64decode(verdict["payload"])).node == "n2"
        for each in of_type(found, Kind.DECIDED, "HealingAction"):
            action = HealingAction.FromString(b64decode(each["payload"]))
            assert action.node == "n2"
            actions.add(action.action)
    assert "rehost" in actions, "one of them has had it hosted elsewhere"


def test_why_a_job_went_to_whom_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs: list[str] = []

    async def scenario(sim: Simulation) -> None:
        log = ledger(sim)
        node = await sim.node("n", agents={"ledger": log, "anna": Courier(), "bert": Courier()})
        jobs.append((await node.negotiate(Reading(), Reading, value=3.0, bid_window_s=1.0)).job)
        await sim.sleep(1.0)
        await copied(log, node, tmp_path / "log")

    Simulation(seed=2).run(scenario)
    found = shown(tmp_path / "log", capsys)
    told = [json.loads(b64decode(each["payload"])) for each in found if each["subject"] == jobs[0]]
    assert {entry["agent"] for entry in told} == {"n", "anna", "bert"}
    assert {"bid", "awarded", "done"} <= {entry["what"] for entry in told}
