"""What was stored outlives the keys by which its senders were enrolled, but for keys that were cut off."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import Int64Value

from agentbus import Agent, Context, Node, on
from agentbus.security import Credentials, KeyPair, Kind, verified_enrolment
from agentbus.security.realm.folder import ENROLLER, FORMER_S, RealmFolder, create
from agentbus.security.realm.issuing import Wanted
from agentbus.security.realm.permissions import Layout
from agentbus.security.realm.pushing import push
from tests.transports.nats_world import until

from .world import World


class Worker(Agent):
    """Does durable work."""

    def __init__(self) -> None:
        self.done: list[int] = []

    @on(Int64Value, durable="workers")
    async def work(self, job: Int64Value, ctx: Context) -> None:
        self.done.append(job.value)


async def rotated(world: World, *, keep: bool = True) -> None:
    now_s = int(time.time())
    await push(world.realm, world.realm.rotate("agent", now_s, keep=keep), now_s)


@pytest.mark.parametrize("cut", [False, True])
async def test_an_event_that_was_stored_before_two_rotations(world: World, cut: bool) -> None:
    worker = Worker()
    async with world.enroller():
        async with world.node("source") as source:
            await source.publish(Int64Value(value=1), durable=True)
        await rotated(world)
        await rotated(world, keep=not cut)
        async with world.node("work", {"worker": worker}) as node, world.node("source") as source:
            await source.publish(Int64Value(value=2), durable=True)
            await until(lambda: 2 in worker.done, "what the present key's sender stored")
            assert worker.done == ([2] if cut else [1, 2])
            async with Node(identity=world.identity("desk", "operator")) as desk:
                letter = await desk.transport.last("agentbus_plant_dead", "plant.dead.>")
            assert (letter is not None) is cut
            assert node.transport.connected


def test_former_keys_are_few_and_forgotten(world: World) -> None:
    realm, now_s = world.realm, int(time.time())
    for _ in range(3):
        realm.rotate("agent", now_s)
    realm.rotate("observer", now_s)
    assert [former.role for former in realm.public.former] == ["agent", "agent"]
    assert not {former.key for former in realm.public.former} & set(realm.public.roles["agent"])
    assert RealmFolder(realm.folder).public == realm.public
    realm.rotate("observer", now_s + FORMER_S + 2)
    assert [former.role for former in realm.public.former] == ["observer"]
    realm.rotate("observer", now_s + FORMER_S + 2, keep=False)
    assert realm.public.former == ()


@pytest.mark.parametrize("role", ["agent", "enroller", "joiner"])
def test_a_rotation_that_was_killed_halfway_is_done_again(tmp_path: Path, role: str) -> None:
    """The new key was kept, and nothing says so yet: nobody is enrolled in that role until it is rotated again."""
    now_s = int(time.time())
    realm = create(tmp_path / "realm", Layout(realm="plant"), now_s=now_s)
    former = realm.public.roles[role][0]
    path = realm.enroller / "roles" / f"{role}.nk"
    path.unlink()
    KeyPair.create(Kind.ACCOUNT).save(path)
    realm.rotate(role, now_s)
    assert realm.public.roles[role] == (realm.signing(role).public, former)
    pair = KeyPair.create()
    realm.enroll(pair, Wanted(key=pair.key, node="new", role=role), now_s, 600)
    for own in (realm.joiner, realm.enroller / ENROLLER):
        held = Credentials.load(own)
        verified_enrolment(held.enrolment, realm.public.issuers, "plant", now_s)
        assert held.realm == realm.public
