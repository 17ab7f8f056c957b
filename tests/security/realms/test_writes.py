"""What is written by one alone: a job's streams and leases, a ledger's accounts, what was seen of durable events. The
honest do their work in a realm of identities; who was not enrolled for it is denied, and the server logs it."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from google.protobuf.wrappers_pb2 import Int64Value

from agentbus import Agent, Node, on
from agentbus.context import Context
from agentbus.errors import AgentStopped, ConfigurationError, Unauthorized
from agentbus.market import EscrowClient, EscrowLedger, audit
from agentbus.sharding import Journal, Outcome, collect
from agentbus.storage import Bucket
from agentbus.transport import Transport
from tests.sharding.world import CONFIG, JOB, Chain, batches, plain_loop
from tests.waiting import until

from .world import World, Worlds


async def may(transport: Transport, subject: str) -> bool:
    """Whether the server takes what is sent there."""
    before = denials(transport)
    transport.send(subject, b"x")
    await transport.flush()
    return denials(transport) == before


def denials(transport: Transport) -> int:
    return transport.statistics().errors.get("permission", 0)  # type: ignore[attr-defined]


# -- jobs --------------------------------------------------------------------------------------------------------------


async def test_each_job_and_agent_of_a_node_counts_and_one_that_it_has_not_got_stands_for_nothing(
    worlds: Worlds,
) -> None:
    world = worlds(jobs=("a", "b", "c"))
    async with (
        world.enroller(),
        world.node("hall", names=("x", "y"), jobs=("a", "b")) as hall,
        world.node("yard", names=("x",)) as yard,
        world.node("void", names=()) as void,
    ):
        for job, agent in itertools.product("abc", "xyz"):
            works = job in "ab"
            assert await may(hall.transport, f"plant.shard.{job}.ok.0.{agent}") == (works and agent in "xy")
            assert await may(hall.transport, f"plant.shard.{job}.out.0") == works
            assert await may(hall.transport, f"$KV.plant_shard-{job}-leases.shard.0") == works
        for node in (yard, void):
            assert await may(node.transport, "plant.ev.x"), "what has no template stays"
            for job in "abc":
                assert not await may(node.transport, f"plant.shard.{job}.in.0")
                assert not await may(node.transport, f"plant.shard.{job}.ok.0.x")
            with pytest.raises(Unauthorized):
                await node.transport.last("agentbus_plant_shard_a_in", ">", timeout_s=2.0)
        assert await may(yard.transport, "plant.to.x.y")
    assert "Publish Violation" in world.log


def test_a_job_that_the_realm_has_not_got_is_nobodys(worlds: Worlds) -> None:
    with pytest.raises(ConfigurationError, match="no job 'chian'"):
        worlds(jobs=("chain",)).identity("hall", jobs=("chian",))


async def test_two_nodes_do_a_job_and_a_third_can_not_touch_it(worlds: Worlds) -> None:
    world = worlds(jobs=(JOB.name,))
    inputs = batches(120)
    async with (
        world.enroller(),
        world.node("feeder", names=(), jobs=(JOB.name,)) as feeder,
        world.node("two", {"w2": Chain(JOB, config=CONFIG)}, names=("w2",), jobs=(JOB.name,)),
        world.node("spy", names=("spy", "w3")) as spy,
    ):
        journal = Journal(feeder.transport, "plant", JOB)

        async def fed(first: int, last: int) -> Outcome:
            """What came out when inputs have been fed, and done."""
            for number in range(first, last):
                shard, body = inputs[number]
                await journal.put(shard, body, message_id=f"{number}")
            async with asyncio.timeout(15.0):
                while True:
                    found = await collect(feeder.transport, JOB, realm="plant", liars=0)
                    if sum(len(shard.results) for shard in found.shards) == last:
                        return found
                    await asyncio.sleep(0.05)

        async with world.node("one", {"w1": Chain(JOB, config=CONFIG)}, names=("w1",), jobs=(JOB.name,)):
            await fed(0, 60)
        found = await fed(60, 120)  # by who is left
        expected: dict[int, list[bytes]] = {}
        for (shard, _), result in zip(inputs, plain_loop(inputs), strict=True):
            expected.setdefault(shard, []).append(result)
        assert {shard.shard: [result for _, result in shard.results] for shard in found.shards} == expected

        before = world.log.count("Publish Violation")
        subjects = [f"plant.shard.chain.{what}" for what in ("in.0", "out.0", "ok.0.spy", "ok.0.w1")]
        subjects += [f"$KV.plant_shard-chain-leases.shard.{shard}" for shard in range(JOB.shards)]
        subjects += [f"$JS.ACK.agentbus_plant_shard_chain_in.x.1.1.{number}.1.1" for number in range(2)]
        for subject in subjects:
            assert not await may(spy.transport, subject), subject
        assert world.log.count("Publish Violation") == before + len(subjects)
        with pytest.raises(Unauthorized):
            await Journal(spy.transport, "plant", JOB).last(0)


async def test_who_is_not_enrolled_for_a_job_is_told_so_when_it_starts(worlds: Worlds) -> None:
    world = worlds(jobs=(JOB.name,))
    async with world.enroller():
        with pytest.raises(AgentStopped, match="Unauthorized"):
            async with world.node("one", {"w1": Chain(JOB, config=CONFIG)}, names=("w1",)):
                pass


# -- the escrow ledger -------------------------------------------------------------------------------------------------


def hosting(world: World, number: int) -> Node:
    """A node that may write the ledger: it is enrolled for the ledger's name, too."""
    name = f"ledger-{number}"
    return world.node(f"host-{number}", {name: EscrowLedger(issuer="bank")}, names=(name, "escrow"))


async def test_money_moves_in_a_realm_and_only_who_hosts_the_ledger_writes_it(worlds: Worlds) -> None:
    world = worlds(escrows=("escrow",))
    async with (
        world.enroller(),
        hosting(world, 2),
        world.node("bank", names=()) as bank,
        world.node("alice", names=()) as alice,
        world.node("spy", names=("spy",)) as spy,
    ):
        mine = EscrowClient(alice)
        async with hosting(world, 1):
            await mine.open("alice-opens", "alice")
            await EscrowClient(spy).open("spy-opens", "spy")
            await EscrowClient(bank).transfer("in", "bank", "alice", 100)
            receipt = await mine.transfer("a1", "alice", "spy", 10)
        assert await mine.transfer("a1", "alice", "spy", 10) == receipt, "whoever writes now"
        await mine.transfer("a2", "alice", "spy", 5)

        bucket = await Bucket.open(spy.transport, "escrow-escrow", realm="plant")
        keys = ("account.spy", "account.alice", "tx.mine", "hold.mine", "writer", "lease", "spy.mine")
        before = world.log.count("Publish Violation")
        for key in keys:
            with pytest.raises(Unauthorized, match="may not send to"):
                await bucket.put(key, b"forged")
        assert world.log.count("Publish Violation") == before + len(keys)
        assert await bucket.get("account.alice") is not None, "everybody looks"
        assert (await mine.balance("alice"), await mine.balance("spy")) == (85, 15)
        books = await audit(spy.transport, realm="plant")
        assert books.sound, books.problems
        assert len(books.transactions) == 5


async def test_who_hosts_a_ledger_and_may_not_write_it_is_told_so(worlds: Worlds) -> None:
    world = worlds(escrows=("escrow",))
    async with (
        world.enroller(),
        world.node("host", {"ledger": EscrowLedger(issuer="bank")}, names=("ledger",)) as host,
    ):
        await until(lambda: denials(host.transport) > 0)
    assert "$KV.plant_escrow-escrow.lease" in world.log


# -- what was seen of durable events -----------------------------------------------------------------------------------


class Worker(Agent):
    """Does durable work; keeps what it has done."""

    def __init__(self, done: list[tuple[str, int]]) -> None:
        self.done = done

    @on(Int64Value, durable="workers")
    async def work(self, job: Int64Value, ctx: Context) -> None:
        self.done.append((ctx.me, job.value))


async def test_a_group_of_two_nodes_keeps_what_it_has_seen_each_under_its_name(world: World) -> None:
    done: list[tuple[str, int]] = []
    async with (
        world.enroller(),
        world.node("source", names=()) as source,
        world.node("two", {"w2": Worker(done)}, names=("w2",)) as two,
        world.node("spy", names=("spy",)) as spy,
    ):
        async with world.node("one", {"w1": Worker(done)}, names=("w1",)):
            for number in range(40):
                await source.publish(Int64Value(value=number), durable=True)
            await until(lambda: len(done) == 40)
        assert sorted(number for _, number in done) == list(range(40))
        seen = await spy.transport.subjects("agentbus_plant_seen", "plant.seen.>")
        assert {subject.split(".")[2] for subject in seen} == {
            name.replace("w1", "one").replace("w2", "two") for name, _ in done
        }

        subjects = [*seen, "plant.seen.one.a.b", "plant.seen.spy-2.a.b", "plant.seen.a"]
        before = world.log.count("Publish Violation")
        for subject in subjects:
            assert not await may(spy.transport, subject)
        assert world.log.count("Publish Violation") == before + len(subjects)
        assert await may(spy.transport, "plant.seen.spy.a.b")

        copied = await two.transport.last("agentbus_plant_log", "plant.log.>")
        assert copied is not None
        await spy.transport.store(copied.subject, copied.body, message_id="copy")
        await source.publish(Int64Value(value=40), durable=True)
        await until(lambda: len(done) >= 41)
        assert done[40:] == [("w2", 40)], "the copy was not done again"
