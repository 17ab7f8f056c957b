"""What may befall an enroller: a server that stands still, books that are full."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agentbus import Node
from agentbus.errors import ConfigurationError, Refused
from agentbus.security import Identity
from agentbus.security.electorate import Member
from agentbus.security.electorate.codec import MAX_SEATS
from agentbus.security.enroller import publishing
from agentbus.security.enroller.service import Enroller
from agentbus.security.realm.books import open_books
from agentbus.security.realm.demands import Demands
from agentbus.security.realm.folder import ENROLLER
from agentbus.security.realm.pushing import push
from agentbus.security.renewing import renewed
from tests.transports.nats_world import until

from .test_electorates import by_key, come, voters, vouched
from .world import World, Worlds


async def test_an_enroller_knows_its_own_set_that_a_server_stored_late(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server stands still while several sets are tried; then it stores the first of them. That is nobody else's."""
    monkeypatch.setattr(publishing, "STORE_S", 0.2)
    member = world.identity("member")
    async with Node(identity=member), world.enroller() as enroller:
        await until(lambda: voters(member) == {"member"}, "itself")
        server = world._processes[1]
        server.send_signal(signal.SIGSTOP)
        try:
            for number in range(3):
                world.identity(f"n{number}")
                await asyncio.sleep(0.6)
        finally:
            server.send_signal(signal.SIGCONT)
        await until(lambda: len(voters(member)) == 4, "all that came meanwhile", within_s=8.0)
        assert enroller._publisher.issues
    assert member.electorate.forks == []


async def test_full_books_take_nobody_by_hand_and_go_on(world: World) -> None:
    now_s = time.time()
    crowd = [
        Member(key=number.to_bytes(32, "big"), node=f"n{number}", role="agent", until_s=now_s + 600)
        for number in range(MAX_SEATS)
    ]
    with open_books(world.realm.enroller) as books:
        room = MAX_SEATS - len(books.members)
        books.members = (*books.members, *crowd[:room])
    with pytest.raises(ConfigurationError, match="4096 identities are enrolled: revoke one"):
        world.credentials("late")


@asynccontextmanager
async def from_its_file(world: World) -> AsyncIterator[Identity]:
    """An enroller as `agentbus run --identity` runs it."""
    identity = Identity.load(world.realm.enroller / ENROLLER)
    async with Node(identity=identity, agents={"enroller": Enroller(world.realm.enroller)}):
        yield identity


async def rotated(world: World, role: str, *, keep: bool = True) -> None:
    now_s = int(time.time())
    await push(world.realm, world.realm.rotate(role, now_s, keep=keep), now_s)


async def test_an_enroller_goes_on_with_whom_it_has_enrolled_under_a_new_key(world: World) -> None:
    """It knows a role's new key as soon as the realm does: who was enrolled under it is renewed again."""
    member = world.identity("member")
    async with from_its_file(world) as enroller, Node(identity=member) as node:
        await until(lambda: voters(member) == {"member"}, "itself")
        await rotated(world, "agent")
        await until(lambda: enroller.credentials.realm == world.realm.public, "known", within_s=6.0)
        for _ in range(2):
            await member.take(await renewed(node, member.credentials, time.time()))
        assert member.credentials.enrolled.issuer == world.realm.signing("agent").key


async def test_an_enroller_outlives_what_has_signed_it(world: World) -> None:
    """Its enrolment is of a year. Two rotations of its role give the key up that signed it, and members go on."""
    member = world.identity("member")
    async with from_its_file(world) as enroller, Node(identity=member) as node:
        await until(lambda: voters(member) == {"member"}, "itself")
        for number in range(3):
            await rotated(world, "enroller")
            await until(lambda: enroller.credentials.realm == world.realm.public, "known", within_s=6.0)
            await until(lambda: connected(enroller), "connected", within_s=6.0)
            await member.take(await renewed(node, member.credentials, time.time()))
            world.identity(f"n{number}")
            await until(lambda number=number: f"n{number}" in voters(member), "a set", within_s=6.0)  # type: ignore[misc]


async def test_what_cuts_the_joiner_and_the_enroller_off_gives_them_others(world: World) -> None:
    async with from_its_file(world) as enroller:
        for role in ("enroller", "joiner"):
            await rotated(world, role, keep=False)
        await until(lambda: enroller.credentials.realm == world.realm.public, "known", within_s=6.0)
        await until(lambda: connected(enroller), "connected", within_s=6.0)
        held = await come(world, "late", by_key(world))
        assert held.enrolled.node == "late"


def connected(identity: Identity) -> bool:
    return identity._transport is not None and identity._transport.connected


async def test_a_revoked_members_word_counts_for_nothing_at_once(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also at an enroller that issues no sets."""
    world = worlds(admission=Demands(admit=("quorum:1",)))
    member = world.credentials("member")

    async def replaced(*_: object) -> None: ...

    monkeypatch.setattr(publishing.Publisher, "find", replaced)
    async with world.enroller() as enroller:
        world.realm.revoke(member.pair.public, int(time.time()))
        with pytest.raises(Refused, match="0 members have signed"):
            await come(world, "late", vouched(member))
        assert not enroller._publisher.issues


async def test_another_join_key_counts_at_once(world: World) -> None:
    """A key that too many know is replaced by writing another into its file."""
    async with world.enroller():
        former = by_key(world)
        await come(world, "first", former)
        (world.realm.enroller / "join.key").write_text("another\n")
        with pytest.raises(Refused, match="not this realm's join key"):
            await come(world, "second", former)
        await come(world, "second", by_key(world))
