"""The agents: ledgers that stand by and take over, clients that ask until they know. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from agentbus import Agent, Context, rpc
from agentbus.errors import AgentBusError, AgentStopped, DeadlineExceeded, EscrowRefused, Refused, SchemaMismatch
from agentbus.market import EscrowClient, EscrowConfig, EscrowLedger, Reason, audit
from agentbus.market.escrow import Audit, HoldState
from agentbus.market.escrow.codec import EscrowAnswer, EscrowQuery, EscrowReply, EscrowRequest
from agentbus.membership import Membership, local
from agentbus.storage import Bucket
from agentbus.testing import Simulation

ISSUER = "bank"


async def hosts(sim: Simulation, *names: str, membership: bool = False, ledger: str = "escrow") -> None:
    """Nodes that host the ledger, the first of them its writer."""
    for name in names:
        agents: dict[str, Agent] = {f"{ledger}-{name}": EscrowLedger(ledger, issuer=ISSUER, clock=sim.now)}
        if membership:
            agents["membership"] = Membership(local())
        await sim.node(name, agents=agents)
        await sim.sleep(0.5)


async def people(sim: Simulation, *names: str, each: int = 100) -> list[EscrowClient]:
    """Nodes with accounts of their own names, and money in them."""
    bank = EscrowClient(await sim.node(ISSUER))
    clients = [EscrowClient(await sim.node(name)) for name in names]
    for name, client in zip(names, clients, strict=True):
        await client.open(f"open-{name}", name)
        await bank.transfer(f"fund-{name}", ISSUER, name, each)
    return clients


async def audited(sim: Simulation, node: str = "auditor") -> Audit:
    found = await audit((await sim.node(node)).transport)
    assert found.sound, found.problems
    return found


async def settled(calls: Sequence[asyncio.Task[object]]) -> list[object]:
    return await asyncio.gather(*calls, return_exceptions=True)


def test_pay_hold_settle() -> None:
    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one")
        alice, bob = await people(sim, "alice", "bob")
        await alice.transfer("rent", "alice", "bob", 30)
        await alice.hold("job", "alice", "bob", 50, for_s=60, arbiter="judge")
        assert (await alice.balance("alice"), await alice.balance("bob")) == (20, 130)
        with pytest.raises(EscrowRefused, match="only its payee can give it back") as early:
            await alice.refund("back", "job")
        assert early.value.reason is Reason.NOT_EXPIRED
        await alice.settle("pay-job", "job", 45)
        with pytest.raises(EscrowRefused) as twice:
            await alice.settle("pay-job-again", "job", 5)
        assert twice.value.reason is Reason.ENDED
        held = await bob.held("job")
        assert held is not None
        assert (held.state, held.paid) == (HoldState.SETTLED, 45)
        assert (await bob.balance("alice"), await bob.balance("bob")) == (25, 175)
        receipt = await bob.receipt("pay-job")
        assert receipt is not None
        assert (receipt.by, sum(entry.amount for entry in receipt.entries)) == ("alice", 0)
        assert (await bob.receipt("none"), await bob.held("none"), await bob.account("none")) == (None, None, None)
        assert await bob.balance("none") == 0
        assert (await audited(sim)).issued == 200

    Simulation(1).run(scenario)


def test_a_dispute_is_decided_by_the_arbiter_though_the_payer_is_gone() -> None:
    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one", "two")
        alice, bob = await people(sim, "alice", "bob")
        judge = EscrowClient(await sim.node("judge"))
        await alice.hold("job", "alice", "bob", 60, for_s=30.0, arbiter="judge")
        sim.crash("alice")
        await sim.sleep(29.0)
        await bob.dispute("not-paid", "job")
        sim.crash("one")
        await sim.sleep(29.0)  # it would have expired
        again = EscrowClient(await sim.restart("alice"))  # type: ignore[arg-type]
        with pytest.raises(EscrowRefused) as frozen:
            await again.refund("back", "job")
        assert frozen.value.reason is Reason.FROZEN
        receipt = await judge.resolve("verdict", "job", 45)
        assert (receipt.by, receipt == await judge.resolve("verdict", "job", 45)) == ("judge", True)
        assert (await bob.balance("alice"), await bob.balance("bob")) == (55, 145)
        await audited(sim)

    Simulation(14).run(scenario)


def test_whose_money_it_is() -> None:
    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one")
        alice, bob = await people(sim, "alice", "bob")
        for client, reason, call in (
            (bob, Reason.NOT_YOURS, lambda c: c.transfer("x", "alice", "bob", 1)),
            (bob, Reason.NOT_YOURS, lambda c: c.transfer("x", ISSUER, "bob", 1)),
            (alice, Reason.TO_ONESELF, lambda c: c.transfer("x", "alice", "alice", 1)),
            (alice, Reason.OVERDRAFT, lambda c: c.transfer("x", "alice", "bob", 101)),
            (alice, Reason.NO_SUCH_ACCOUNT, lambda c: c.transfer("x", "alice", "carol", 1)),
            (alice, Reason.NOT_AN_AMOUNT, lambda c: c.transfer("x", "alice", "bob", float("nan"))),
            (alice, Reason.NOT_AN_AMOUNT, lambda c: c.transfer("x", "alice", "bob", 1.5)),
            (alice, Reason.NEGATIVE, lambda c: c.transfer("x", "alice", "bob", -1)),
            (alice, Reason.TOO_LARGE, lambda c: c.transfer("x", "alice", "bob", 2**64)),
        ):
            with pytest.raises(EscrowRefused) as refused:
                await call(client)
            assert refused.value.reason is reason
            assert isinstance(refused.value, Refused)
        assert (await bob.balance("alice"), await bob.balance("bob")) == (100, 100)

    Simulation(2).run(scenario)


@pytest.mark.parametrize("change", ["none", "crash", "stop", "restart"])
def test_the_same_transfer_after_ten_minutes_and_another_writer(change: str) -> None:
    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one", "two")
        alice, _ = await people(sim, "alice", "bob")
        receipt = await alice.transfer("t", "alice", "bob", 30)
        if change == "crash":
            sim.crash("one")
        elif change == "stop":
            await sim.stop("one")
        elif change == "restart":
            sim.crash("one")
            await sim.restart("one")
        await sim.sleep(600.0)
        assert await alice.transfer("t", "alice", "bob", 30) == receipt
        with pytest.raises(EscrowRefused) as other:
            await alice.transfer("t", "alice", "bob", 31)
        assert other.value.reason is Reason.ID_REUSED
        assert await alice.balance("bob") == 130
        await audited(sim)

    Simulation(3).run(scenario)


def test_who_stands_by_takes_over_within_half_a_second() -> None:
    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one", "two", "three")
        alice, _ = await people(sim, "alice", "bob")
        for number, name in enumerate(("one", "two", "three")):
            assert (await alice.transfer(f"before-{number}", "alice", "bob", 1)).transaction == f"before-{number}"
            sim.crash(name)
            if name == "three":
                break
            crashed = sim.now()
            await alice.transfer(f"after-{number}", "alice", "bob", 1)
            assert sim.now() - crashed < 1.0
        with pytest.raises(DeadlineExceeded, match="ask again, with the same id"):
            await alice.transfer("nobody", "alice", "bob", 1)
        await sim.restart("two")
        await alice.transfer("nobody", "alice", "bob", 1)
        assert await alice.balance("bob") == 106
        await audited(sim)

    Simulation(4).run(scenario)


@pytest.mark.parametrize(("membership", "within_s"), [(True, 2.5), (False, 5.0)])
@pytest.mark.parametrize("fault", ["freeze", "partition"])
def test_a_writer_that_hangs_is_replaced_and_does_no_harm_when_it_is_back(
    fault: str, membership: bool, within_s: float
) -> None:
    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one", "two", "three", membership=membership)
        alice, bob = await people(sim, "alice", "bob")
        await sim.sleep(5.0)
        await alice.transfer("before", "alice", "bob", 1)
        calls = [asyncio.ensure_future(alice.transfer(f"t{number}", "alice", "bob", 1)) for number in range(20)]
        if fault == "freeze":
            sim.freeze("one")
        else:
            sim.partition({"one"})
        began = sim.now()
        for call in calls:
            await call
        assert sim.now() - began < within_s
        await bob.transfer("there", "bob", "alice", 50)
        if fault == "freeze":
            sim.thaw("one")
        else:
            sim.heal()
        for number in range(20):  # what the deposed one had begun is stored by nobody twice
            await alice.transfer(f"t{number}", "alice", "bob", 1)
            await sim.sleep(0.05)
        assert (await bob.balance("alice"), await bob.balance("bob")) == (129, 71)
        await audited(sim)

    Simulation(5).run(scenario)


def test_the_broker_dies_and_comes_back() -> None:
    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one", "two")
        alice, bob = await people(sim, "alice", "bob", each=1_000)
        calls = [asyncio.ensure_future(alice.transfer(f"a{number}", "alice", "bob", 1)) for number in range(200)]
        calls += [asyncio.ensure_future(bob.transfer(f"b{number}", "bob", "alice", 2)) for number in range(200)]
        sim.crash("broker")
        await sim.sleep(3.0)
        await sim.restart("broker")
        for call in calls:
            await call
        assert (await bob.balance("alice"), await bob.balance("bob")) == (1_200, 800)
        assert len((await audited(sim)).transactions) == 404

    Simulation(6).run(scenario)


def test_a_thousand_at_once_from_one_account_with_money_for_half_of_them() -> None:
    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one")
        alice, _ = await people(sim, "alice", "bob", each=500)
        calls = [asyncio.ensure_future(alice.transfer(f"t{number}", "alice", "bob", 1)) for number in range(1_000)]
        outcomes = await settled(calls)
        refused = [outcome for outcome in outcomes if isinstance(outcome, EscrowRefused)]
        assert len(refused) == 500
        assert {error.reason for error in refused} == {Reason.OVERDRAFT}
        assert (await alice.balance("alice"), await alice.balance("bob")) == (0, 1_000)
        await audited(sim)

    Simulation(7).run(scenario)


def test_a_payer_that_dies_has_its_money_back_when_it_is_there_again() -> None:
    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one", "two")
        alice, bob = await people(sim, "alice", "bob")
        await alice.hold("job", "alice", "bob", 60, for_s=30.0)
        sim.crash("alice")
        await sim.sleep(100.0)
        assert await bob.balance("alice") == 40
        assert (await bob.held("job")).balance == 60  # type: ignore[union-attr]
        again = EscrowClient(await sim.restart("alice"))  # type: ignore[arg-type]
        await again.refund("back", "job")
        assert await again.balance("alice") == 100
        await audited(sim)

    Simulation(8).run(scenario)


@pytest.mark.parametrize("seed", range(6))
def test_lossy_links_and_writers_that_die(seed: int) -> None:
    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one", "two", "three")
        names = ("a", "b", "c", "d")
        clients = await people(sim, *names)
        sim.link(delay_s=(0.0, 0.02), loss=0.05, duplicate=0.02, reorder=0.05)

        async def pay(index: int) -> None:
            for number in range(40):
                payee = names[(index + 1 + number % 3) % 4]
                await clients[index].transfer(f"{names[index]}-{number}", names[index], payee, 1 + number % 2)

        async def disturb() -> None:
            for name in ("one", "two", "three", "one"):
                await sim.sleep(sim.rng.uniform(0.2, 1.5))
                sim.crash(name)
                await sim.sleep(sim.rng.uniform(0.0, 0.5))
                await sim.restart(name)

        await asyncio.gather(disturb(), *(pay(index) for index in range(4)))
        sim.link()
        found = await audited(sim)
        assert len(found.transactions) == 8 + 160
        assert sum(account.balance for account in found.accounts.values()) == 0

    Simulation(seed).run(scenario)


def test_what_comes_over_the_wire_is_not_trusted() -> None:
    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one", "two")
        await people(sim, "alice", "bob")
        node = await sim.node("mallory")

        async def ask(request: EscrowRequest, to: str = "escrow-one") -> EscrowReply:
            return await node.request(request, EscrowReply, to=to)

        for amount, reason in ((-5, Reason.NEGATIVE), (0, Reason.TOO_LITTLE), (5, Reason.NOT_YOURS)):
            request = EscrowRequest(ledger="escrow", transaction="x")
            request.transfer.payer, request.transfer.payee, request.transfer.amount = "alice", "bob", amount
            assert (await ask(request)).refusal.reason == reason
            again = (await ask(request, to="escrow-two")).again
            assert (again.writer, again.why) == ("escrow-one", "escrow-two stands by")
        with pytest.raises(SchemaMismatch, match="a command that this ledger does not know"):
            await ask(EscrowRequest(ledger="escrow", transaction="x"))
        with pytest.raises(Refused, match="this is ledger 'escrow', not 'gold'"):
            await ask(EscrowRequest(ledger="gold", transaction="x"))
        with pytest.raises(Refused, match="say which"):
            await node.request(EscrowQuery(ledger="escrow"), EscrowAnswer, to="escrow-one")
        issuer = await node.request(EscrowQuery(ledger="escrow", account=ISSUER), EscrowAnswer, to="escrow-two")
        assert issuer.account.balance == -200
        await audited(sim)

    Simulation(13).run(scenario)


def test_two_ledgers_in_one_realm() -> None:
    async def scenario(sim: Simulation) -> None:
        for ledger in ("gold", "silver"):
            await sim.node(ledger, agents={ledger: EscrowLedger(ledger, issuer=ISSUER, clock=sim.now)})
        bank = await sim.node(ISSUER)
        for ledger, amount in (("gold", 1), ("silver", 20)):
            client = EscrowClient(bank, ledger)
            await client.open("open", "vault")
            await client.transfer("fund", ISSUER, "vault", amount)
        assert await EscrowClient(bank, "gold").balance("vault") == 1
        assert await EscrowClient(bank, "silver").balance("vault") == 20
        with pytest.raises(DeadlineExceeded, match=r"ledger 'bronze': .*: is an EscrowLedger of that name hosted"):
            await EscrowClient(bank, "bronze", timeout_s=1.0).balance("vault")

    Simulation(9).run(scenario)


def test_a_ledger_has_one_issuer() -> None:
    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one")
        await people(sim, "alice")
        with pytest.raises(AgentStopped, match="begun with issuer='bank'"):
            await sim.node("two", agents={"two": EscrowLedger(issuer="mint", clock=sim.now)})

    Simulation(10).run(scenario)


def test_garbage_in_the_stream_is_refused_by_name_and_found_by_the_auditor() -> None:
    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one")
        alice, bob = await people(sim, "alice", "bob")
        bucket = await Bucket.open(
            (await sim.node("vandal")).transport, "escrow-escrow", realm="default", max_bytes=EscrowConfig().max_bytes
        )
        await bucket.put("account.bob", b"\xff\xff")
        await bucket.put("tx.t", b"\xff\xff")
        for transaction in ("u", "t"):
            with pytest.raises(EscrowRefused) as refused:
                await alice.transfer(transaction, "alice", "bob", 1)
            assert refused.value.reason is Reason.DAMAGED
        assert await bob.account("bob") is None
        found = await audit((await sim.node("auditor")).transport)
        assert not found.sound
        assert {problem.partition(":")[0] for problem in found.problems} >= {"account.bob", "tx.t"}

    Simulation(11).run(scenario)


def test_an_agent_pays_from_its_handlers() -> None:
    class Shop(Agent):
        @rpc(StringValue, StringValue)
        async def sell(self, request: StringValue, ctx: Context) -> StringValue:
            receipt = await EscrowClient(ctx).transfer(request.value, "shop", "alice", 3)
            return StringValue(value=receipt.by)

    async def scenario(sim: Simulation) -> None:
        await hosts(sim, "one")
        (alice,) = await people(sim, "alice")
        node = await sim.node("high-street", agents=[Shop()])
        with pytest.raises(AgentBusError, match="there is no account 'shop'"):
            await node.request(StringValue(value="x"), StringValue, to="shop")
        assert await alice.balance("alice") == 100

    Simulation(12).run(scenario)


@pytest.mark.parametrize("wrong", [{"batch": 4}, {"batch": 1_001}, {"waiting": 0}, {"remember": 0}, {"commit_s": 0.0}])
def test_knobs_that_cannot_work(wrong: dict[str, float]) -> None:
    with pytest.raises(AgentBusError):
        EscrowConfig(**wrong)  # type: ignore[arg-type]
