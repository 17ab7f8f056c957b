"""An enrolled node that tries everything: it sees nothing of what it may not see, and changes nothing; each denial is
told to it, counted by it, and logged by the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

from agentbus import Agent, Node, on, rpc
from agentbus.context import Context
from agentbus.errors import Refused, Unauthorized
from agentbus.storage import Bucket
from agentbus.transport import Headers
from agentbus.transports.nats import NatsTransport
from tests.transports.nats_world import until

from .test_renewal import joined
from .world import World

SECRET = b"marker-of-what-is-secret"
TEXT = SECRET.decode()
LOG, DEAD, LEASES, LEDGER = "agentbus_plant_log", "agentbus_plant_dead", "KV_plant_leases", "KV_plant_ledger"
SEEN = "agentbus_plant_seen"
EPOCHS = "agentbus_plant_epochs"
JOB = ("agentbus_plant_shard_press_in", "agentbus_plant_shard_press_out", "KV_plant_shard-press-leases")
ESCROW = "KV_plant_escrow-bank"
STREAMS = (LOG, DEAD, SEEN, EPOCHS, LEASES, LEDGER, "KV_plant_checkpoints", ESCROW, *JOB)


class Keeper(Agent):
    """Answers, and hears, what is secret."""

    @rpc(StringValue, StringValue)
    async def tell(self, asked: StringValue, ctx: Context) -> StringValue:
        return StringValue(value=TEXT)

    @on(Int64Value, durable="keepers")
    async def work(self, job: Int64Value, ctx: Context) -> None: ...


class Teller(Agent):
    """Answers, and needs no stream."""

    @rpc(StringValue, StringValue)
    async def tell(self, asked: StringValue, ctx: Context) -> StringValue:
        return asked


class Spy:
    """Hears all it can."""

    def __init__(self, transport: NatsTransport) -> None:
        self.transport = transport
        self.heard: list[tuple[str, bytes]] = []
        self.answers: dict[str, tuple[bytes, Headers | None]] = {}
        self._asked = 0

    def __call__(self, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        self.heard.append((subject, body))

    @property
    def stolen(self) -> int:
        """Bytes."""
        return sum(len(body) for _, body in self.heard if SECRET in body)

    async def listen(self, subject: str) -> bool:
        """Whether it may."""
        self.transport.subscribe(subject, self)
        try:
            await self.transport.flush()
        except Unauthorized:
            return False
        return True

    async def ask(self, subject: str, body: bytes | dict[str, object] = b"") -> str:
        """``denied``, or what came back, or that nothing did."""
        self._asked += 1
        reply = f"{self.transport.inbox}.spy{self._asked}"
        answers: list[tuple[bytes, Headers | None]] = []

        def receive(_subject: str, body: bytes, _reply: str, headers: Headers | None) -> None:
            answers.append((body, headers))
            self.heard.append((subject, body))

        subscription = self.transport.subscribe(reply, receive)
        self.transport.send(subject, json.dumps(body).encode() if isinstance(body, dict) else body, reply)
        await self.transport.flush()
        await until(lambda: answers, f"what became of {subject}", within_s=2.0)
        subscription.unsubscribe()
        told, headers = answers[0]
        if headers is not None and headers.get("Agentbus-Error") == "Unauthorized":
            return "denied"
        return told.decode("utf-8", "replace") or f"status {headers}"

    async def denied(self, subject: str, body: bytes = b"x") -> bool:
        """Whether sending there, without asking for an answer, is refused."""
        before = self.transport.statistics().errors.get("permission", 0)
        self.transport.send(subject, body)
        await self.transport.flush()
        return self.transport.statistics().errors.get("permission", 0) == before + 1


@asynccontextmanager
async def spied(world: World, role: str) -> AsyncIterator[tuple[Spy, Node, Node]]:
    """A spy of that role, and two honest nodes with secrets in their streams."""
    async with (
        world.enroller(),
        world.node("vault", {"keeper": Keeper()}, names=("keeper",)) as vault,
        world.node("guest") as guest,
    ):
        leases = await Bucket.open(vault.transport, "leases", realm="plant")
        await leases.put("keeper.door", SECRET)
        await vault.publish(Int64Value(value=7), durable=True)
        await vault.transport.store("plant.log.note", SECRET, message_id="1")
        await vault.transport.store("plant.dead.note", SECRET, message_id="2")
        jobs = ("mill",) if role == "agent" else ()
        transport = world.identity("spy", role, ("spy",), jobs=jobs).connection()
        await transport.connect()
        try:
            yield Spy(transport), vault, guest
        finally:
            await transport.close()


def realm_of_spies(worlds: object) -> World:
    return worlds(  # type: ignore[operator]
        buckets={"checkpoints": ("{agent}.>",), "leases": ("{agent}.>",), "ledger": ()},
        jobs=("press", "mill"),
        escrows=("bank",),
    )


NOBODY = (
    ">", "plant.>", "*.*.>", "plant.in.>", "plant.in.vault.>", "plant.in.*.*", "plant.to.>", "plant.to.keeper.*",
    "plant.log.>", "plant.dead.>", "$KV.>", "$JS.>", "$JS.API.>", "$JS.ACK.>", "$JS.EVENT.>", "$SYS.>", "_INBOX.>",
    "$O.>",
)  # fmt: skip
ASKED = ("plant.any.*", "plant.all.*", "plant.call.*")
FORBIDDEN_TO_HEAR = {"agent": NOBODY, "observer": NOBODY + ASKED, "joiner": (*NOBODY, *ASKED, "plant.ev.>")}
SPIES = sorted(FORBIDDEN_TO_HEAR)


@pytest.mark.parametrize("role", SPIES)
async def test_it_hears_nothing_of_what_it_may_not(worlds: object, role: str) -> None:
    world = realm_of_spies(worlds)
    async with spied(world, role) as (spy, _, guest):
        for subject in FORBIDDEN_TO_HEAR[role]:
            assert not await spy.listen(subject), f"{role} listens to {subject}"
        for _ in range(10):
            reply = await guest.request(StringValue(value=TEXT), StringValue, to="keeper")
            assert reply.value == TEXT
        await spy.transport.flush()
        assert spy.stolen == 0
        assert spy.transport.statistics().errors["permission"] == len(FORBIDDEN_TO_HEAR[role])
    assert world.log.count("Subscription Violation") == len(FORBIDDEN_TO_HEAR[role])


def attempts(stream: str, inbox: str) -> dict[str, tuple[str, dict[str, object]]]:
    """Ways to read a stream, or to change it."""
    push: dict[str, object] = {"deliver_subject": f"{inbox}.push", "ack_policy": "none", "deliver_policy": "all"}
    pull: dict[str, object] = {"ack_policy": "explicit", "durable_name": "spy", "name": "spy"}
    named: dict[str, object] = {**push, "name": "spy"}
    name = "spied"
    copy: dict[str, object] = {"name": stream}
    return {
        "info": (f"STREAM.INFO.{stream}", {"subjects_filter": ">"}),
        "message": (f"STREAM.MSG.GET.{stream}", {"last_by_subj": ">"}),
        "direct get": (f"DIRECT.GET.{stream}", {"last_by_subj": ">"}),
        "direct last": (f"DIRECT.GET.{stream}.>".replace(".>", ".plant.log.note"), {}),
        "push consumer": (f"CONSUMER.CREATE.{stream}", {"stream_name": stream, "config": push}),
        "named push consumer": (f"CONSUMER.CREATE.{stream}.spy", {"stream_name": stream, "config": named}),
        "pull consumer": (f"CONSUMER.DURABLE.CREATE.{stream}.spy", {"stream_name": stream, "config": pull}),
        "filtered consumer": (
            f"CONSUMER.CREATE.{stream}.spy.plant.log.note",
            {"stream_name": stream, "config": {**named, "filter_subject": "plant.log.note"}},
        ),
        "next": (f"CONSUMER.MSG.NEXT.{stream}.keepers--google-protobuf-Int64Value", {"batch": 1}),
        "consumers": (f"CONSUMER.NAMES.{stream}", {}),
        "source": (f"STREAM.CREATE.{name}", {"name": name, "sources": [copy], "allow_direct": True}),
        "mirror": (f"STREAM.CREATE.{name}", {"name": name, "mirror": copy, "mirror_direct": True}),
        "republish": (
            f"STREAM.UPDATE.{stream}",
            {"name": stream, "republish": {"src": ">", "dest": "plant.ev.leak.>"}},
        ),
        "purge": (f"STREAM.PURGE.{stream}", {}),
        "delete": (f"STREAM.DELETE.{stream}", {}),
        "delete message": (f"STREAM.MSG.DELETE.{stream}", {"seq": 1}),
        "delete consumer": (f"CONSUMER.DELETE.{stream}.keepers--google-protobuf-Int64Value", {}),
        "pause consumer": (f"CONSUMER.PAUSE.{stream}.keepers--google-protobuf-Int64Value", {}),
        "snapshot": (f"STREAM.SNAPSHOT.{stream}", {"deliver_subject": f"{inbox}.push"}),
        "restore": (f"STREAM.RESTORE.{stream}", {}),
        "step down": (f"STREAM.LEADER.STEPDOWN.{stream}", {}),
        "names": ("STREAM.NAMES", {}),
        "list": ("STREAM.LIST", {}),
        "account": ("INFO", {}),
    }  # fmt: skip


ALLOWED = {
    "observer": {stream: frozenset[str]() for stream in STREAMS},
    "joiner": {stream: frozenset[str]() for stream in STREAMS},
    "agent": {
        **dict.fromkeys((DEAD, *JOB), frozenset[str]()),
        SEEN: frozenset({"info", "message"}),
        **{
            stream: frozenset({"info", "message", "named push consumer", "next"})
            for stream in (LOG, EPOCHS, LEASES, LEDGER, ESCROW, "KV_plant_checkpoints")
        },
    },
}
"""What the roles may do, and no more."""


@pytest.mark.parametrize("role", SPIES)
async def test_it_gets_at_no_stream_in_another_way(worlds: object, role: str) -> None:
    world = realm_of_spies(worlds)
    async with spied(world, role) as (spy, vault, _):
        spy.transport.subscribe(f"{spy.transport.inbox}.push", spy)
        refused = 0
        for stream in STREAMS:
            for way, (call, request) in attempts(stream, spy.transport.inbox).items():
                if way in ALLOWED[role][stream]:
                    continue
                assert await spy.ask(f"$JS.API.{call}", request) == "denied", f"{role}: {way} of {stream}"
                refused += 1
        assert spy.stolen == 0
        assert spy.transport.statistics().errors["permission"] == refused
        leases = await Bucket.open(vault.transport, "leases", realm="plant")
        assert (await leases.get("keeper.door")).value == SECRET  # type: ignore[union-attr]
    assert world.log.count("Publish Violation") == refused


@pytest.mark.parametrize("role", SPIES)
async def test_it_writes_nowhere_that_is_not_its_own(worlds: object, role: str) -> None:
    world = realm_of_spies(worlds)
    async with spied(world, role) as (spy, vault, _):
        subjects = [
            "plant.in.vault.own.x.r.1", "plant.in.guest.own.x.c1", f"{vault.transport.inbox}.r.1",  # type: ignore[attr-defined]
            "$KV.plant_leases.keeper.door", "$KV.plant_ledger.tip", "$KV.plant_checkpoints.keeper.0",
            "$JS.ACK.agentbus_plant_dead.x.1.1.1.1.1", "$SYS.REQ.SERVER.PING", "_INBOX.anybody", "other.ev.x",
            "plant.new.x", "$KV.plant_escrow-bank.account.spy", "$KV.plant_escrow-bank.lease",
            "$KV.plant_escrow-spy.x", "plant.seen.vault.keepers.x", "plant.seen.x",
            *(f"plant.shard.press.{what}" for what in ("in.0", "out.0", "ok.0.spy", "ok.0.keeper")),
            "$KV.plant_shard-press-leases.shard.0", *(f"$JS.ACK.{stream}.x.1.1.1.1.1" for stream in JOB),
        ]  # fmt: skip
        if role != "agent":
            subjects += [
                "plant.ev.x",
                "plant.to.keeper.x",
                "plant.log.x",
                "plant.dead.x",
                "plant.call.x",
                "plant.any.x",
            ]
        if role == "agent":
            subjects.remove("$KV.plant_escrow-spy.x")  # of a ledger of its own name, if there were one
        for subject in subjects:
            assert await spy.denied(subject), f"{role} sends to {subject}"
        assert world.log.count("Publish Violation") == len(subjects)
        bucket = await Bucket.open(spy.transport, "leases", realm="plant")
        with pytest.raises(Unauthorized, match="may not send to"):
            await bucket.put("keeper.door", b"mine")
        with pytest.raises(Unauthorized, match="may not send to"):
            await spy.transport.purge(LEASES, ">", timeout_s=1.0)
        leases = await Bucket.open(vault.transport, "leases", realm="plant")
        assert (await leases.get("keeper.door")).value == SECRET  # type: ignore[union-attr]


async def test_an_agent_writes_its_own_keys(worlds: object) -> None:
    world = realm_of_spies(worlds)
    async with spied(world, "agent") as (spy, _, _guest):
        leases = await Bucket.open(spy.transport, "leases", realm="plant")
        assert await leases.put("spy.door", b"mine") > 0


async def test_a_request_that_is_not_allowed_ends_at_once_as_what_it_is(world: World) -> None:
    async with world.enroller(), world.node("vault", {"keeper": Keeper()}), world.node("eye", role="observer") as eye:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(Unauthorized, match=r"may not send to 'plant\.to\.keeper"):
            await eye.request(StringValue(value="?"), StringValue, to="keeper", timeout_s=5.0)
        assert loop.time() - began < 2.0


async def test_a_node_that_hosts_what_it_may_not_says_so_at_its_start(world: World) -> None:
    with pytest.raises(Unauthorized, match=r"may not (listen to 'plant\.to\.teller|speak as 'teller')"):
        async with world.node("vault", {"teller": Teller()}, names=("another",)):
            pass


async def test_what_a_consumer_delivers_into_an_inbox_answers_nothing(worlds: object) -> None:
    """The broker lets whoever makes a consumer name where it delivers; the message still says where it was stored."""
    world = realm_of_spies(worlds)
    async with spied(world, "agent") as (spy, _, guest):
        into = f"plant.in.guest.{guest.epoch:x}"
        config = {"name": "into", "deliver_subject": into, "ack_policy": "none", "deliver_policy": "all"}
        told = await spy.ask(f"$JS.API.CONSUMER.CREATE.{LOG}.into", {"stream_name": LOG, "config": config})
        assert "error" not in json.loads(told)
        for _ in range(20):
            assert (await guest.request(StringValue(value="?"), StringValue, to="keeper")).value == TEXT


async def test_an_agent_does_not_hear_who_asks_to_be_enrolled(world: World) -> None:
    """Nor can it pass for an enroller."""
    async with world.enroller():
        transport = world.identity("spy").connection()
        await transport.connect()
        spy = Spy(transport)
        assert await spy.listen("plant.any.*")
        assert not await spy.listen("plant.any.agentbus-wire-v1-EnrolmentRequest")
        await joined(world, "new", ("newcomer",))
        await transport.flush()
        assert spy.heard == []
        await transport.close()


async def test_the_name_of_who_was_enrolled_by_hand_is_not_given_away(world: World) -> None:
    async with world.enroller():
        world.credentials("desk", "operator")
        with pytest.raises(Refused, match="enrolled with another key"):
            await joined(world, "desk", ("newcomer",))


async def test_names_keep_their_case(world: World) -> None:
    agents = {"Teller_A-1": Teller(), "teller": Teller()}
    async with (
        world.enroller(),
        world.node("Vault_1", agents, names=("Teller_A-1", "teller")),
        world.node("guest") as guest,
    ):
        for name in agents:
            assert (await guest.request(StringValue(value=name), StringValue, to=name)).value == name


async def test_two_agents_of_one_node_both_answer_who_asks_all(world: World) -> None:
    agents = {"a": Teller(), "b": Teller()}
    async with world.enroller(), world.node("vault", agents, names=("a", "b")), world.node("guest") as guest:
        replies = await guest.gather(StringValue(value="?"), StringValue, at_most=2, timeout_s=2.0)
        assert sorted(reply.sender for reply in replies) == ["a", "b"]
