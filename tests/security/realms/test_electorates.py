"""Who has a vote: from the enroller's books, by the stream, to each member; on a real server."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from agentbus import Node
from agentbus.detection import Detection, Finding, quorum_of
from agentbus.errors import Refused, StorageFailed, Unauthorized
from agentbus.membership import Membership, local
from agentbus.peers import PeerId
from agentbus.security import Credentials, Identity, KeyPair, Kind
from agentbus.security.admission import vouch
from agentbus.security.electorate import EpochSet, signed_epoch_set
from agentbus.security.electorate.following import epochs_stream, epochs_subject
from agentbus.security.enroller.codec import encode_application
from agentbus.security.enroller.publishing import Publisher
from agentbus.security.realm.books import BOOKS, open_books, read_books
from agentbus.security.realm.demands import Demands
from agentbus.security.realm.folder import ENROLLER, signing_key
from agentbus.security.realm.issuing import Wanted
from agentbus.security.realm.tokens import make_token, read_token
from agentbus.security.renewing import Showing, join, renewed
from tests.transports.nats_world import until

from ..test_votes import KIND, Ear, Says
from .world import World, Worlds

STREAM, SUBJECT = epochs_stream("plant"), epochs_subject("plant")


def vouched(*members: Credentials, valid_s: float = 60.0) -> Callable[[Wanted], Showing]:
    """What members' words for an application are."""

    def showing(wanted: Wanted) -> Showing:
        body = encode_application(wanted, "plant")
        return Showing(vouchers=tuple(vouch(each.pair, body, time.time() + valid_s) for each in members))

    return showing


async def come(
    world: World, node: str, showing: Callable[[Wanted], Showing], *, valid_s: int = 0, role: str = "agent"
) -> Credentials:
    """Enrolled over the bus, as a newcomer is."""
    joiner = Credentials.load(world.realm.joiner)
    pair = KeyPair.create()
    wanted = Wanted(key=pair.key, node=node, role=role, names=(f"{node}-d", f"{node}-m") if role == "agent" else ())
    async with Node(identity=Identity(joiner)) as asking:
        return await join(asking, joiner, pair, wanted, showing(wanted), time.time(), valid_s=valid_s)


def by_key(world: World) -> Callable[[Wanted], Showing]:
    secret = (world.realm.enroller / "join.key").read_text().strip()
    return lambda wanted: Showing(join_key=secret)


def voters(identity: Identity) -> set[str]:
    epoch = identity.electorate.epoch
    return {seat.node for seat in epoch.seats if seat.votes} if epoch else set()


async def test_a_member_knows_who_votes_whoever_comes_and_goes(world: World) -> None:
    first = world.identity("first")
    assert voters(first) == set()
    async with Node(identity=first):  # no enroller yet, and no stream
        async with world.enroller():
            await until(lambda: voters(first) == {"first"}, "enrolled by hand")
            held = await come(world, "second", by_key(world))
            second = Identity(held)
            assert voters(second) == {"first", "second"}, "the set comes with the grant"
            await until(lambda: voters(first) == {"first", "second"}, "and to all")
            await come(world, "eye", by_key(world), role="observer")
            await come(world, "brief", by_key(world), valid_s=2)
            await until(lambda: "brief" in voters(first), "there")
            await until(lambda: "brief" not in voters(first), "expired", within_s=5.0)
            seat = first.electorate.seat_of("eye")
            assert seat is not None
            assert not seat.votes
            world.realm.revoke(held.pair.public, int(time.time()))
            await until(lambda: voters(first) == {"first"}, "revoked")
            assert first.electorate.seat_of("second") is None
        late = world.identity("late")
        async with Node(identity=late):  # the enroller is away
            await until(lambda: voters(late) == {"first"}, "what was published before it came")
    assert first.electorate.forks == []


async def test_a_member_has_the_newest_after_a_renewal_and_a_lost_link(world: World) -> None:
    member = world.identity("member")
    async with world.enroller(), Node(identity=member) as node:
        await until(lambda: voters(member) == {"member"}, "itself")
        await member.take(await renewed(node, member.credentials, time.time()))
        await come(world, "next", by_key(world))
        await until(lambda: voters(member) == {"member", "next"}, "over the new link")
        world.stop_one(1)
        await until(lambda: not node.transport.connected, "lost")
        world.start(1)
        await until(lambda: node.transport.connected, "back", within_s=10.0)
        world.identity("by-hand")
        await until(lambda: "by-hand" in voters(member), "over the link after that", within_s=10.0)


async def test_a_probation_ends_on_all_members_alike(worlds: Worlds) -> None:
    world = worlds(admission=Demands(probation_s=2.0))
    members = [world.identity(name) for name in ("a", "b")]
    async with world.enroller(), Node(identity=members[0]), Node(identity=members[1]):
        held = await come(world, "new", by_key(world))
        key = held.pair.key
        assert not Identity(held).electorate.votes("new", key)
        await until(lambda: all(each.electorate.seat_of("new") for each in members), "seated")
        assert not any(each.electorate.votes("new", key) for each in members)
        await until(lambda: all(each.electorate.votes("new", key) for each in members), "it votes", within_s=6.0)
        assert members[0].electorate.signed == members[1].electorate.signed


async def test_an_enroller_that_dies_before_it_has_published_goes_on_with_the_same_set(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = world.identity("member")
    async with Node(identity=member) as node:
        async with world.enroller():
            await until(lambda: voters(member) == {"member"}, "itself")
        with monkeypatch.context() as patched:

            async def not_reached(*_: object) -> None: ...

            patched.setattr(Publisher, "publish", not_reached)  # killed between its books and the stream
            async with world.enroller() as enroller:
                await until(lambda: enroller._publisher.issues, "it would issue")
                lost = await come(world, "lost", by_key(world))
        written = read_books(world.realm.enroller).signed
        stored = await node.transport.last(STREAM, SUBJECT)
        assert stored is not None
        assert stored.body == member.electorate.signed != written
        assert Identity(lost).electorate.signed == stored.body, "nobody is shown what is not published"
        async with world.enroller():
            await until(lambda: member.electorate.signed == written, "published now")
        assert voters(member) == {"member", "lost"}
        assert member.electorate.forks == []


@pytest.mark.timeout(90)
async def test_an_enroller_that_is_killed_at_any_time_forks_nothing(world: World) -> None:
    """As a process of its own, killed with SIGKILL while it issues."""
    member = world.identity("member")
    kind = "enroller=agentbus.security.enroller.service:Enroller"
    folder = world.realm.enroller
    words = ["run", "--identity", str(folder / ENROLLER), kind, "--set", f"folder={folder}"]
    async with Node(identity=member):
        for life in range(2):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "agentbus", *words, stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            try:
                world.identity(f"first-{life}")
                await until(lambda life=life: f"first-{life}" in voters(member), "it issues", within_s=30.0)  # type: ignore[misc]
                for number in range(10):
                    world.identity(f"n-{life}-{number}")
                    await asyncio.sleep(0.05)
            finally:
                process.kill()
                await process.wait()
        async with world.enroller():
            wanted = {each.node for each in read_books(folder).members if each.role == "agent"}
            assert len(wanted) == 23
            await until(lambda: voters(member) == wanted, "all of them", within_s=10.0)
            assert member.electorate.signed == read_books(folder).signed
    assert member.electorate.forks == []


async def test_older_books_go_on_from_the_realms_set_and_fork_nothing(world: World) -> None:
    member, backup = world.identity("member"), world.realm.folder / "backup"
    async with Node(identity=member):
        async with world.enroller():
            await until(lambda: voters(member) == {"member"}, "itself")
            shutil.copy(world.realm.enroller / BOOKS, backup)
            await come(world, "second", by_key(world))
            await until(lambda: voters(member) == {"member", "second"}, "two")
        shutil.copy(backup, world.realm.enroller / BOOKS)
        async with world.enroller():
            await come(world, "third", by_key(world))
            await until(lambda: voters(member) == {"member", "second", "third"}, "three")
            with pytest.raises(Refused, match="enrolled with another key"):
                await come(world, "second", by_key(world))
    assert member.electorate.forks == []


async def test_of_two_enrollers_one_issues_sets(world: World) -> None:
    member, copy = world.identity("member"), world.realm.folder / "copy"
    async with Node(identity=member), world.enroller() as first:
        await until(lambda: voters(member) == {"member"}, "itself")
        shutil.copytree(world.realm.enroller, copy)
        original, world.realm.folder = world.realm.enroller, copy.parent
        second = Node(identity=Identity(Credentials.load(original / ENROLLER)), agents={"enroller": type(first)(copy)})
        async with second:
            with open_books(copy) as books:
                books.members = tuple(each for each in books.members if each.node != "member")
            await until(lambda: voters(member) == set(), "by the second")
            world.identity("by-hand")  # in the first one's books
            await until(lambda: not first._publisher.issues, "the first has seen it")
            await asyncio.sleep(0.6)
            assert first._publisher.issues is False
            assert voters(member) == set()
    assert member.electorate.forks == []


async def test_what_is_no_set_in_its_place_stops_nothing(world: World) -> None:
    """Only the enroller may write there; an enroller used to end for good at what it found instead of a set."""
    member = world.identity("member")
    async with Node(identity=member), world.enroller():
        await until(lambda: voters(member) == {"member"}, "itself")
        other = Identity(Credentials.load(world.realm.enroller / ENROLLER))
        async with Node(identity=other) as spoiler:
            await spoiler.transport.store(SUBJECT, b"{}", message_id="1")
            await come(world, "second", by_key(world))
            await until(lambda: voters(member) == {"member", "second"}, "the next set")
            kept = member.electorate.signed
            await spoiler.transport.store(SUBJECT, b"{}", message_id="2")
            while (now := await spoiler.transport.last(STREAM, SUBJECT)) is None or now.body != kept:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert member.electorate.forks == []


async def test_a_fork_is_kept_as_evidence_and_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    member = world.identity("member")
    async with Node(identity=member):
        async with world.enroller():
            await until(lambda: voters(member) == {"member"}, "itself")
        epoch = member.electorate.epoch
        assert epoch is not None
        issuer = signing_key(world.realm.enroller, "enroller")
        forged = signed_epoch_set(replace(epoch, seats=()), issuer)
        liar = Identity(Credentials.load(world.realm.enroller / ENROLLER))
        async with Node(identity=liar) as node:
            await node.transport.store(SUBJECT, b"rubbish", message_id="1")
            await node.transport.store(SUBJECT, forged, message_id="2")
        await until(lambda: member.electorate.forks, "seen")
        assert member.electorate.forks[0] == (member.electorate.signed, forged)
        assert voters(member) == {"member"}
    assert "two epoch sets that exclude each other" in "".join(capsys.readouterr())


@pytest.mark.parametrize("by", ["agent", "another role", "stranger"])
async def test_nobody_else_signs_a_set(world: World, by: str) -> None:
    member = world.identity("member")
    async with world.enroller(), Node(identity=member) as node:
        await until(lambda: voters(member) == {"member"}, "itself")
        signer = {
            "agent": KeyPair(b"\1" * 32),
            "another role": world.realm.signing("agent"),
            "stranger": KeyPair.create(Kind.ACCOUNT),
        }[by]
        forged = EpochSet(realm="plant", number=10_000, issued_s=1, issuer=signer.key)
        with pytest.raises(Unauthorized):
            member.electorate.take(signed_epoch_set(forged, signer))
        with pytest.raises((Unauthorized, StorageFailed)):
            await node.transport.store(SUBJECT, signed_epoch_set(forged, signer), message_id="1", timeout_s=1.0)
        assert voters(member) == {"member"}


@pytest.mark.parametrize("keep", [True, False], ids=["and the former", "and not the former"])
async def test_another_key_of_the_enroller_goes_on_with_the_sets(world: World, keep: bool) -> None:
    member = world.identity("member")
    async with world.enroller(), Node(identity=member) as node:
        await until(lambda: voters(member) == {"member"}, "itself")
        world.realm.rotate("enroller", int(time.time()), keep=keep)
        await asyncio.sleep(0.5)
        assert voters(member) == {"member"}, "signed by a key that it does not know yet"
        await member.take(await renewed(node, member.credentials, time.time()))
        world.identity("next")
        await until(lambda: voters(member) == {"member", "next"}, "it does now")
    assert member.electorate.forks == []


# -- newcomers ---------------------------------------------------------------------------------------------------------


async def test_a_quorum_a_puzzle_and_a_token_let_newcomers_in(worlds: Worlds) -> None:
    world = worlds(admission=Demands(admit=("quorum:2", "puzzle:8")))
    desk, eye, hall = (
        world.credentials(name, role, names)
        for name, role, names in (("desk", "operator", ()), ("eye", "observer", ()), ("hall", "agent", ("x",)))
    )
    puzzles: list[int] = []

    async with world.enroller():
        with pytest.raises(Refused, match="1 member has signed for it, and it takes 2"):
            await come(world, "new", vouched(desk, eye))
        with pytest.raises(Refused, match="1 member has signed"):
            await come(world, "new", vouched(desk, desk))
        joiner, pair = Credentials.load(world.realm.joiner), KeyPair.create()
        wanted = Wanted(key=pair.key, node="new", role="agent", names=("door",))
        async with Node(identity=Identity(joiner)) as asking:
            held = await join(
                asking, joiner, pair, wanted, vouched(desk, hall)(wanted), time.time(),
                on_puzzle=lambda puzzle: puzzles.append(puzzle.bits),
            )  # fmt: skip
            soft = replace(vouched(desk, hall)(wanted), max_bits=7)
            with pytest.raises(Refused, match="a puzzle of 8 bits: no more than 7"):
                await join(asking, joiner, pair, wanted, soft, time.time())
        assert puzzles == [8]
        seat = Identity(held).electorate.seat_of("new")
        assert seat is not None
        assert (seat.sponsor, seat.votes) == (desk.pair.key, True)
        path = world.realm.folder / "gate.token"
        make_token(world.realm, path, node="gate", role="agent", names=("gate-d", "gate-m"), until_s=time.time() + 60)
        token, says = read_token(path)
        assert token.public not in (world.realm.enroller / BOOKS).read_text()
        assert json.loads(path.read_text())["token"] not in (world.realm.enroller / BOOKS).read_text()
        assert (says.node, says.names) == ("gate", ("gate-d", "gate-m"))
        await come(world, "gate", lambda wanted: Showing(token=token))
    async with world.enroller():  # it was used up before it was started again
        with pytest.raises(Refused, match="has been used"):
            await come(world, "gate-2", lambda wanted: Showing(token=token))


async def test_a_quota_outlives_its_enroller(worlds: Worlds) -> None:
    world = worlds(admission=Demands(admit=("quorum:1",), quota="2/3600"))
    desk = world.credentials("desk", "operator", ())
    async with world.enroller():
        await come(world, "one", vouched(desk))
        await come(world, "two", vouched(desk))
    async with world.enroller():
        with pytest.raises(Refused, match="its sponsor has had 2 enrolled within 3600 s"):
            await come(world, "three", vouched(desk))


class Everybody:
    """Believes every name."""

    def votes(self, node: str, key: bytes | None = None) -> bool:
        return True


async def test_of_a_crowd_beyond_its_sponsors_quota_no_vote_counts(worlds: Worlds) -> None:
    """Four identities for each honest one, enrolled over the bus by one member that has used up its quota, all vote to
    convict an honest node's agent. By the realm's epoch sets none of their votes counts; by names they convict."""
    world = worlds(admission=Demands(admit=("quorum:1",), quota="1/3600:no-vote"))
    sponsor = world.credentials("sponsor", names=())
    honest, crowd = ["h-0", "h-1"], [f"s-{number}" for number in range(8)]
    verdicts: list[Any] = []
    async with world.enroller():
        await come(world, "spent", vouched(sponsor))  # the sponsor's quota
        held = {name: world.credentials(name, names=(f"{name}-d", f"{name}-m", f"{name}-e")) for name in honest}
        held |= {name: await come(world, name, vouched(sponsor)) for name in crowd}
        nodes: dict[str, Node] = {}
        detections: dict[str, Detection] = {}
        for name, credentials in held.items():
            finding = Finding.DENIED if name in honest else Finding.CONFIRMED
            detections[name] = detection = Detection(
                replace(quorum_of(1), watch=None),
                reproducers={KIND: Says(finding)},
                electorate=Everybody() if name == "h-1" else None,
            )
            agents: dict[str, Any] = {f"{name}-m": Membership(local()), f"{name}-d": detection}
            if name in honest:
                agents[f"{name}-e"] = Ear(verdicts)
            nodes[name] = Node(identity=Identity(credentials), agents=agents)
        try:
            for node in nodes.values():
                await node.start()
            electorate = nodes["h-0"].electorate
            assert electorate is not None
            await until(lambda: all(electorate.votes(name) for name in (*honest, "sponsor", "spent")), "the set")
            everybody = set(nodes)
            for node in nodes.values():
                await until(
                    lambda node=node: {peer.node for peer in node.peers.alive()} == everybody,  # type: ignore[misc]
                    "all know all",
                    within_s=10.0,
                )
            victim = PeerId("h-0-e", nodes["h-0"].epoch)
            for name in crowd:
                await detections[name].accuse(KIND, victim, "h-0", "invented")
            await until(lambda: detections["h-1"].convicted(victim), "by names they convict", within_s=8.0)
            counted = [name for name in crowd if electorate.votes(name, held[name].pair.key)]
            assert counted == []
            assert detections["h-0"].verdicts() == []
            assert not detections["h-0"].convicted(victim)
        finally:
            for node in nodes.values():
                await node.stop()


async def test_a_key_votes_as_its_own_node_only(world: World) -> None:
    one, two = world.identity("one"), world.identity("two")
    async with world.enroller(), Node(identity=one):
        await until(lambda: voters(one) == {"one", "two"}, "both")
        keys = one.credentials.pair.key, two.credentials.pair.key
        assert one.electorate.votes("one", keys[0])
        assert not one.electorate.votes("two", keys[0])
        assert one.electorate.count([keys[0]] * 5) == 1
