"""Identities that end while they are used: renewed without losing anything, or a typed error; never a silent client."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
import structlog
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

from agentbus import Agent, Node, on, rpc
from agentbus.context import Context
from agentbus.errors import ConfigurationError, Refused, Unauthorized
from agentbus.security import Credentials, Identity, KeyPair
from agentbus.security.enroller.service import Enroller
from agentbus.security.realm.issuing import Wanted
from agentbus.security.realm.pushing import push
from agentbus.security.renewing import RenewalConfig, join, renewed
from tests.transports.nats_world import until

from .world import World, raises

SHORT = RenewalConfig(at=0.5, jitter=0.05, retry_s=0.2, timeout_s=2.0)


class Worker(Agent):
    """Does durable work, hears live events, answers."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.heard: list[int] = []

    @on(Int64Value, durable="workers")
    async def work(self, job: Int64Value, ctx: Context) -> None:
        self.done.append(job.value)

    @on(StringValue)
    async def hear(self, said: StringValue, ctx: Context) -> None:
        self.heard.append(int(said.value))

    @rpc(StringValue, StringValue)
    async def answer(self, asked: StringValue, ctx: Context) -> StringValue:
        await asyncio.sleep(0.02)
        return asked


class Answerer(Agent):
    """Answers."""

    @rpc(StringValue, StringValue)
    async def answer(self, asked: StringValue, ctx: Context) -> StringValue:
        return asked


async def joined(world: World, node: str, names: tuple[str, ...], **options: int) -> Credentials:
    """Enrolled over the bus, as a newcomer is."""
    joiner = Credentials.load(world.realm.joiner)
    pair = KeyPair.create()
    secret = (world.realm.enroller / "join.key").read_text().strip()
    wanted = Wanted(key=pair.key, node=node, role="agent", names=names)
    async with Node(identity=Identity(joiner)) as asking:
        return await join(asking, joiner, pair, wanted, secret, time.time(), **options)


async def test_it_is_renewed_again_and_again_and_nothing_is_lost_or_comes_twice(world: World, tmp_path: Path) -> None:
    worker = Worker()
    async with world.enroller(valid_s=3), world.node("source") as source:
        (await joined(world, "work", ("worker",))).save(tmp_path / "id")
        identity = Identity.load(tmp_path / "id", renewal=SHORT)
        first = identity.credentials
        async with Node(identity=identity, agents={"worker": worker}) as node:
            sent = 0
            began = time.monotonic()
            while identity.renewals < 4 and time.monotonic() - began < 12.0:
                sent += 1
                await source.publish(Int64Value(value=sent), durable=True)
                await source.publish(StringValue(value=str(sent)))
                reply = await source.request(StringValue(value=str(sent)), StringValue, to="worker", timeout_s=2.0)
                assert reply.value == str(sent)
            assert identity.renewals >= 4
            await until(lambda: sent in worker.done and sent in worker.heard, "all has come")
            assert worker.done == list(range(1, sent + 1))
            assert worker.heard == list(range(1, sent + 1))
            assert node.transport.connected
            assert "link_lost" not in node.transport.statistics().errors  # type: ignore[attr-defined]
        held = Credentials.load(tmp_path / "id")
        assert held.jwt == identity.credentials.jwt != first.jwt
        assert held.enrolled.expires_s > first.enrolled.expires_s


async def test_requests_under_way_are_answered_across_a_renewal(world: World) -> None:
    worker = Worker()
    identity = world.identity("work", names=("worker",))
    async with (
        world.enroller(),
        world.node("source") as source,
        Node(identity=identity, agents={"worker": worker}) as node,
    ):
        asks = [
            asyncio.create_task(source.request(StringValue(value=str(n)), StringValue, to="worker", timeout_s=5.0))
            for n in range(40)
        ]
        await until(lambda: node.statistics().frames_received, "the first has come")
        await identity.take(world.realm.enroll(identity.credentials.pair, _again(identity), int(time.time()), 600))
        assert sorted(int(reply.value) for reply in await asyncio.gather(*asks)) == list(range(40))
        assert node.transport.statistics().errors == {}  # type: ignore[attr-defined]


def _again(identity: Identity) -> Wanted:
    held = identity.credentials.enrolled
    return Wanted(key=held.key, node=held.node, role=held.role, names=held.names)


async def test_what_ends_without_an_enroller_is_told_and_not_silent(world: World) -> None:
    identity = Identity(world.credentials("alone", valid_s=2), renewal=SHORT)
    async with Node(identity=identity) as node:
        await until(lambda: not node.transport.connected, "cut off at the end", within_s=5.0)
        await until(lambda: raises(node, Unauthorized), "typed", within_s=4.0)
        with pytest.raises(Unauthorized, match="has expired: agentbus identity enroll it again"):
            node.transport.send("plant.ev.x", b"")
        with pytest.raises(Unauthorized):
            await node.publish(StringValue(value="x"))
    assert node.transport.statistics().errors["unauthorized"] >= 1  # type: ignore[attr-defined]


async def test_durable_work_waits_for_who_has_expired_and_could_not_be_renewed(world: World, tmp_path: Path) -> None:
    """No enroller is there: each way to speak is a typed error with its remedy, it is logged, and no work is lost."""
    worker = Worker()
    async with world.enroller(), world.node("source") as source:
        pass  # the realm's streams are there, and the enroller has gone
    async with world.node("source") as source:
        await source.publish(Int64Value(value=1), durable=True)
        world.credentials("work", names=("worker",), valid_s=3).save(tmp_path / "id")
        identity = Identity.load(tmp_path / "id", renewal=SHORT)
        with structlog.testing.capture_logs() as logs:
            async with Node(identity=identity, agents={"worker": worker}) as node:
                await until(lambda: worker.done == [1], "work is done")
                await until(lambda: not node.transport.connected, "cut off at the end", within_s=6.0)
                await until(lambda: raises(node, Unauthorized), "typed", within_s=4.0)
                await source.publish(Int64Value(value=2), durable=True)
                said = StringValue(value="x")
                for speaking in (
                    node.publish(Int64Value(value=3), durable=True),
                    node.publish(said),
                    node.request(said, StringValue, to="worker"),
                    node.send(said, to="worker"),
                ):
                    with pytest.raises(Unauthorized, match=r"has expired.*: agentbus identity enroll it again"):
                        await speaking
                assert worker.done == [1]
                held = Credentials.load(tmp_path / "id")
                world.realm.enroll(held.pair, _again(identity), int(time.time()), 600).save(tmp_path / "id")
                await until(lambda: worker.done == [1, 2], "work that waited is done", within_s=8.0)
    told = [entry for entry in logs if entry["event"] == "identity not renewed"]
    assert told, "the renewals that failed"
    assert any("has expired: agentbus identity enroll it again" in str(entry) for entry in logs)


async def test_who_is_enrolled_again_by_hand_goes_on(world: World, tmp_path: Path) -> None:
    world.credentials("back", valid_s=2).save(tmp_path / "id")
    identity = Identity.load(tmp_path / "id", renewal=SHORT)
    async with Node(identity=identity) as node:
        await until(lambda: not node.transport.connected, "cut off at the end", within_s=5.0)
        held = Credentials.load(tmp_path / "id")
        world.realm.enroll(held.pair, _again(identity), int(time.time()), 600).save(tmp_path / "id")
        await until(lambda: node.transport.connected, "back", within_s=5.0)


async def test_who_is_enrolled_again_under_another_key_speaks_by_it(world: World, tmp_path: Path) -> None:
    """What connects anew signs anew, too."""
    world.credentials("back", names=("worker",), valid_s=2).save(tmp_path / "id")
    identity = Identity.load(tmp_path / "id", renewal=SHORT)
    async with world.node("source") as source, Node(identity=identity, agents={"worker": Answerer()}) as node:
        await until(lambda: not node.transport.connected, "cut off at the end", within_s=5.0)
        world.credentials("back", names=("worker",)).save(tmp_path / "id")
        await until(lambda: node.transport.connected, "back", within_s=5.0)
        reply = await source.request(StringValue(value="1"), StringValue, to="worker", timeout_s=3.0)
        assert reply.value == "1"


async def test_a_key_that_was_changed_in_the_file_is_gone_over_to(world: World, tmp_path: Path) -> None:
    """As `agentbus identity rotate` does while the node runs: its renewal does not bring the former key back."""
    async with world.enroller(valid_s=4):
        (await joined(world, "work", ("worker",))).save(tmp_path / "id")
        identity = Identity.load(tmp_path / "id", renewal=SHORT)
        former = identity.credentials
        worker = Worker()
        async with world.node("source") as source, Node(identity=identity, agents={"worker": worker}) as node:
            async with Node(identity=Identity(former)) as asking:
                (await renewed(asking, former, time.time(), fresh=KeyPair.create())).save(tmp_path / "id")
            fresh = Credentials.load(tmp_path / "id").pair
            await until(lambda: identity.renewals >= 2, "taken over, and renewed", within_s=6.0)
            assert identity.credentials.pair == fresh == Credentials.load(tmp_path / "id").pair
            assert node.transport.connected
            reply = await source.request(StringValue(value="1"), StringValue, to="worker", timeout_s=3.0)
            assert reply.value == "1"


async def test_who_is_expired_is_not_let_in(world: World) -> None:
    stale = world.identity("late", at_s=int(time.time()) - 100, valid_s=50)
    with pytest.raises(Unauthorized, match="has expired"):
        async with Node(identity=stale):
            pass


async def test_a_new_key_in_place_of_the_present_one(world: World) -> None:
    async with world.enroller():
        identity = Identity(await joined(world, "moves", ("mover",)))
        former = identity.credentials
        async with Node(identity=identity) as node:
            fresh = KeyPair.create()
            await identity.take(await renewed(node, former, time.time(), fresh=fresh))
            assert identity.credentials.pair == fresh
            assert node.transport.connected
            with pytest.raises(Refused, match="is enrolled with another key"):
                await joined(world, "moves", ("mover",))


async def test_another_key_of_a_role_is_taken_with_the_next_renewal(world: World) -> None:
    async with world.enroller(), world.node("stays") as node:
        identity = node._identity
        assert isinstance(identity, Identity)
        before = identity.credentials
        now_s = int(time.time())
        await push(world.realm, world.realm.rotate("agent", now_s), now_s)
        assert node.transport.connected, "what the former key signed is valid until it expires"
        await node.transport.flush()
        await identity.take(await renewed(node, before, time.time()))
        assert identity.credentials.enrolled.issuer != before.enrolled.issuer
        assert node.transport.connected
        now_s = int(time.time())
        await push(world.realm, world.realm.rotate("agent", now_s, keep=False), now_s)
        await until(lambda: not node.transport.connected, "cut off with the key", within_s=5.0)
        await until(lambda: raises(node, Unauthorized), "typed", within_s=5.0)


async def test_an_enroller_that_is_away_is_asked_again(world: World) -> None:
    async with world.enroller():
        held = await joined(world, "waits", ("waiter",), valid_s=6)
    identity = Identity(held, renewal=RenewalConfig(at=0.2, jitter=0.1, retry_s=0.2, timeout_s=1.0))
    async with Node(identity=identity) as node:
        await asyncio.sleep(1.5)
        assert identity.renewals == 0
        async with world.enroller():
            await until(lambda: identity.renewals, "renewed", within_s=4.0)
            assert node.transport.connected


async def test_a_folder_without_a_realm(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="agentbus realm init makes a realm"):
        Enroller(tmp_path)
