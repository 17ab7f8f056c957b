"""``agentbus call``, ``tap``, ``ps``, ``why`` as one of a realm: what is asked is signed, what is shown is verified."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from agentbus import Agent, Context, Node, rpc
from agentbus.errors import Refused
from agentbus.messages import PLAIN, Frame, encode_frame
from agentbus.security import Identity
from examples.climate.v1.climate_pb2 import Reading
from tests.cli.commands import agentbus, environment, line, running
from tests.cli.world import Courier
from tests.transports.nats_world import until

from .world import World

TYPE = "google.protobuf.StringValue"
TYPES = ("--import", "google.protobuf.wrappers_pb2")


class Greeter(Agent):
    """Says who asked; refuses nobody's name."""

    def __init__(self) -> None:
        self.senders: list[str] = []

    @rpc(StringValue, StringValue)
    async def greet(self, name: StringValue, ctx: Context) -> StringValue:
        self.senders.append(ctx.sender)
        if not name.value:
            raise Refused("no name")
        return StringValue(value=f"hello {name.value}")


@pytest.fixture
def desk(world: World, tmp_path: Path) -> str:
    """An operator's identity."""
    return kept(world, tmp_path, "desk", "operator")


def kept(world: World, folder: Path, node: str, role: str) -> str:
    world.credentials(node, role, ()).save(folder / f"{node}.id")
    return str(folder / f"{node}.id")


async def test_a_call_is_signed_and_its_answer_verified(world: World, desk: str) -> None:
    greeter = Greeter()
    async with world.node("hall", {"greeter": greeter}):
        for words in (("greeter", "StringValue", '"Ann"'), ("--any", TYPE, '"Ann"')):
            ended = await agentbus("call", "--identity", desk, *TYPES, *words)
            assert (ended.status, ended.out, ended.err) == (0, '"hello Ann"\n', "")
        assert greeter.senders == ["desk", "desk"]
        ended = await agentbus("call", "--identity", desk, *TYPES, "greeter", TYPE, '""')
        assert (ended.status, ended.err) == (1, "error: Refused: no name\n")


async def test_the_variable_says_who_to_be(world: World, desk: str) -> None:
    async with world.node("hall", {"greeter": Greeter()}):
        variables = environment(AGENTBUS_IDENTITY=desk)
        there = await agentbus("ps", "--json", env=variables)
        elsewhere = await agentbus("ps", "--realm", "other", env=variables)
    assert [entry["name"] for entry in there.objects] == ["greeter"]
    assert (elsewhere.status, "is of realm 'plant': leave --realm away" in elsewhere.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("greeter", "greet"), 2, "say --import MODULE, --descriptors FILE or --proto DIR"),  # which, anybody could say
        (("nobody", TYPE), 1, "error: NoResponders: no agent 'nobody' in realm 'plant': there is greeter"),
        (("greeter", "google.protobuf.Int64Value"), 1, "AgentNotFound: no type 'google.protobuf.Int64Value': agent"),
    ],
    ids=["a behavior's name", "no such agent", "no such type"],
)
async def test_what_keeps_a_call_from_being_made_is_told_with_its_remedy(
    world: World, desk: str, words: tuple[str, ...], status: int, told: str
) -> None:
    async with world.node("hall", {"greeter": Greeter()}):
        ended = await agentbus("call", "--identity", desk, *TYPES, *words, '"1"')
    assert (ended.status, told in ended.err) == (status, True), ended.err


async def test_what_an_agents_identity_may_not_ask_is_told(world: World, tmp_path: Path) -> None:
    hand = kept(world, tmp_path, "hand", "agent")
    async with world.node("hall", {"greeter": Greeter()}):
        for words in (("call", *TYPES, "greeter", TYPE, '"x"'), ("ps",)):
            ended = await agentbus(*words, "--identity", hand)
            assert ended.status == 1
            assert "Unauthorized: this identity may not send to '$SRV." in ended.err
            assert "that of an operator does" in ended.err


async def test_a_job_is_asked_for_with_what_the_hint_says(world: World, desk: str) -> None:
    async with world.node("n1", {"anna": Courier()}):
        async with world.node("buyer") as buyer:
            deal = await buyer.negotiate(Reading(), Reading, bid_window_s=2.0)
        newest = await agentbus("why", "--identity", desk)
        _, _, command = newest.err.partition(" by its id: agentbus ")
        pasted = await agentbus(*shlex.split(command))
    assert (pasted.status, deal.job in command, "took it" in pasted.out) == (0, True, True)


async def test_who_looks_on_sees_who_has_signed_and_who_has_not(world: World, desk: str) -> None:
    words = ("tap", "--identity", desk, *TYPES)
    async with world.node("hall", {"greeter": Greeter()}) as hall, world.node("spy", names=()) as spy:
        heard: list[bytes] = []
        spy.transport.subscribe("plant.ev.>", lambda _subject, body, *_: heard.append(body))
        await spy.transport.flush()
        async with running(*words, "--json", "--count", "6") as process, running(*words, "--count", "6") as reading:
            for each in (process, reading):
                await line(each.stderr)
            await hall.publish(StringValue(value="true"))
            await until(lambda: heard, "the honest event")
            (event,) = heard
            altered = event[:-1] + bytes([event[-1] ^ 1])
            subject = "plant.ev.google-protobuf-StringValue"
            plain = encode_frame(Frame(TYPE, "hall", 1, 1, 0, 0, [b"\n\x04lies"], [], [], []))
            for where, body in (
                (subject, event),
                (f"{subject}.x", event),
                (subject, altered),
                (subject, PLAIN + plain),
            ):
                spy.transport.send(where, body)
            spy.transport.send(subject, b"\0\2")
            seen = [json.loads(await line(process.stdout)) for _ in range(6)]
            told = [await line(reading.stdout) for _ in range(6)]
    honest, replay, moved, forged, unsigned, broken = seen
    node = hall.name
    assert honest["message"] == "true"
    key = world_key(hall)
    assert honest["signature"] == {"state": "verified", "node": node, "role": "agent", "key": key}
    for entry, why in ((replay, "is a replay"), (moved, "was not signed by it"), (forged, "has been altered")):
        assert (entry["signature"]["state"], why in entry["signature"]["why"]) == ("refused", True)
        assert entry["source"] == "hall"
    assert (unsigned["message"], unsigned["signature"]) == ("lies", {"state": "unsigned"})
    assert (broken["signature"]["state"], "sealed frame" in broken["note"]) == ("refused", True)
    marks = ["  verified:hall  ", *["  REFUSED ("] * 3, "  UNSIGNED  ", "  REFUSED ("]
    assert [mark in text for mark, text in zip(marks, told, strict=True)] == [True] * 6


def world_key(node: Node) -> str:
    identity = node._identity
    assert isinstance(identity, Identity)
    return identity.credentials.pair.public


async def test_requests_and_what_is_stored_are_seen_too(world: World, desk: str) -> None:
    async with world.enroller(), world.node("hall", {"greeter": Greeter()}) as hall:
        words = ("tap", "--identity", desk, *TYPES, "--count", "2", "--json")
        async with running(*words, "plant.to.*.*") as asked, running(*words, "plant.log.>") as stored:
            for each in (asked, stored):
                await line(each.stderr)
            for _ in range(2):
                await hall.request(StringValue(value="Ann"), StringValue, to="greeter")
                await hall.publish(StringValue(value="kept"), durable=True)
            for each in (asked, stored):
                for _ in range(2):
                    seen = json.loads(await line(each.stdout))
                    assert seen["signature"]["state"] == "verified", seen


async def test_what_a_role_may_not_see_is_told(world: World, tmp_path: Path) -> None:
    eye = kept(world, tmp_path, "eye", "observer")
    ended = await agentbus("tap", "--identity", eye, "plant.to.*.*", "--timeout", "5")
    assert (ended.status, "Unauthorized: this identity may not listen to 'plant.to.*.*'" in ended.err) == (1, True)
