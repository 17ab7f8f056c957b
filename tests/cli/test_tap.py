"""``agentbus tap``: messages as they travel, decoded as far as their types are known."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator

import pytest

from agentbus import Node
from agentbus.cli.decoding import open_body, type_in
from agentbus.cli.known_types import KnownTypes, load_types
from agentbus.messages import PLAIN, Frame, encode_frame
from examples.climate.v1.climate_pb2 import Alarm, Reading
from tests.cli.commands import ROOT, agentbus, end, finish, line, running
from tests.cli.world import Echo
from tests.nats_server import NatsServer

TYPES = ("--import", "examples.climate.v1.climate_pb2")
READING = "examples-climate-v1-Reading"


@pytest.fixture
async def node(server: NatsServer, realm: str) -> AsyncIterator[Node]:
    async with Node(server.url, realm=realm, name="n1", agents={"echo": Echo()}) as node:
        yield node


def words(server: NatsServer, realm: str, *more: str) -> tuple[str, ...]:
    return ("tap", "--url", server.url, "--realm", realm, *more)


async def test_coalesced_messages_are_shown_one_by_one(server: NatsServer, realm: str, node: Node) -> None:
    async with running(*words(server, realm, "--json", "--count", "20", *TYPES)) as process:
        assert await line(process.stderr) == f"listening to {realm}.ev.>\n"
        for number in range(20):
            await node.publish(Reading(room="hall", celsius=number), topic="north")
        seen = [json.loads(await line(process.stdout)) for _ in range(20)]
        assert await process.wait() == 0
    assert [entry["message"].get("celsius", 0.0) for entry in seen] == list(range(20))
    first = seen[0]
    assert first["subject"] == f"{realm}.ev.{READING}.north"
    assert (first["type"], first["source"]) == ("examples.climate.v1.Reading", "n1")
    assert len({entry["id"] for entry in seen}) == 20


async def test_a_type_that_is_not_known_is_shown_by_its_fields(server: NatsServer, realm: str, node: Node) -> None:
    async with running(*words(server, realm, "--count", "1")) as process:
        await line(process.stderr)
        await node.publish(Reading(room="hall", celsius=1.5))
        told = await line(process.stdout)
    assert told.endswith("  n1  (type examples.climate.v1.Reading is not known here; 15 bytes) 1:'hall' 2:1.5\n")


async def test_types_are_chosen_by_name(server: NatsServer, realm: str, node: Node) -> None:
    more = ("--type", "Alarm", "--count", "2", "--json", "--proto", str(ROOT / "protos"))
    async with running(*words(server, realm, *more)) as process:
        await line(process.stderr)
        for room in ("a", "b"):
            await node.publish(Reading(room=room))
            await node.publish(Alarm(room=room))
        seen = [json.loads(await line(process.stdout)) for _ in range(2)]
    assert [entry["message"] for entry in seen] == [{"room": "a"}, {"room": "b"}]


async def test_requests_and_replies_can_be_watched(server: NatsServer, realm: str, node: Node) -> None:
    async with running(*words(server, realm, f"{realm}.>", "--count", "2", "--json", *TYPES)) as process:
        await line(process.stderr)
        await node.request(Reading(room="x"), Reading, to="echo", timeout_s=5.0)
        asked, answered = [json.loads(await line(process.stdout)) for _ in range(2)]
    assert (asked["subject"], asked["message"]) == (f"{realm}.to.echo.{READING}", {"room": "x"})
    assert (answered["source"], answered["message"]) == ("echo", {"room": "X", "celsius": 1.0})
    assert asked["reply"].startswith(answered["subject"])


async def test_ctrl_c_ends_it_quietly(server: NatsServer, realm: str) -> None:
    async with running(*words(server, realm)) as process:
        await line(process.stderr)
        ended = await end(process, signal.SIGINT)
    assert (ended.status, ended.out, ended.err) == (130, "", "")


async def test_a_reader_that_goes_ends_it_quietly(server: NatsServer, realm: str, node: Node) -> None:
    unread, written = os.pipe()
    async with running(*words(server, realm), stdout=written) as process:
        os.close(written)
        await line(process.stderr)
        os.close(unread)
        await node.publish(Reading(room="hall"))
        ended = await finish(process)
    assert (ended.status, ended.err) == (141, "")


@pytest.mark.parametrize(
    ("more", "status", "told"),
    [
        (("a b",), 1, "error: SubjectError: subject 'a b': token 'a b' holds a blank"),
        (("a..b",), 1, "error: SubjectError: subject 'a..b' has an empty token"),
        ((">.a",), 1, "error: SubjectError: subject '>.a': '>' may only come last"),
        (("--count", "1", "--timeout", "0.1"), 1, "error: DeadlineExceeded: fewer than 1 messages on "),
        (("--timeout", "0.1"), 0, ""),
    ],
    ids=range(5),
)
async def test_how_it_ends(server: NatsServer, realm: str, more: tuple[str, ...], status: int, told: str) -> None:
    ended = await agentbus(*words(server, realm, *more))
    assert (ended.status, ended.out) == (status, "")
    notes = [text for text in ended.err.splitlines() if not text.startswith("listening")]
    assert len(notes) == bool(told)
    assert "".join(notes).startswith(told)


# -- decoding ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def known() -> KnownTypes:
    return load_types(["examples.climate.v1.climate_pb2"], [], [])


def frame(kind: str, *payloads: bytes) -> bytes:
    return PLAIN + encode_frame(Frame(kind, "n1", 1, 0, 5, 0, list(payloads), [], [], []))


def test_what_is_no_frame_is_said(known: KnownTypes) -> None:
    for body, told in ((b"\x00\x02xyz", "a sealed frame"), (b"\x00\x07", "a frame of an unknown version")):
        (seen,) = open_body("a.b", body, "", None, known)
        assert (seen.note, seen.body) == (told, body)
    (seen,) = open_body("a.b", PLAIN + b"\xff", "", None, known)
    assert "can't be parsed" in seen.note
    assert seen.as_json()["hex"] == "0001ff"


def test_bytes_that_are_not_of_their_type_are_said(known: KnownTypes) -> None:
    good, bad = open_body("a.b", frame("examples.climate.v1.Reading", b"", b"\xff"), "", None, known)
    assert (good.message, good.id) == ({}, "n1:1:5")
    assert bad.note.startswith("not of type examples.climate.v1.Reading")
    assert bad.id == "n1:1:6"
    assert bad.as_text().endswith("1 bytes) ff")


@pytest.mark.parametrize(
    ("subject", "body", "headers", "message"),
    [
        (f"r.ev.{READING}", Reading(room="x").SerializeToString(), None, {"room": "x"}),
        (f"r.to.hall.{READING}", b'{"room": "y"}', {"content-type": "application/json; charset=utf-8"}, {"room": "y"}),
        ("other.thing", b'{"a": [1, NaN]}', None, {"a": [1, "NaN"]}),
        ("other.thing", b"hello", None, "hello"),
        ("other.thing", b"", None, ""),
    ],
)
def test_foreign_messages_are_read(
    subject: str, body: bytes, headers: dict[str, str] | None, message: object, known: KnownTypes
) -> None:
    (seen,) = open_body(subject, body, "", headers, known)
    assert (seen.note, seen.message, seen.source) == ("", message, "")
    json.dumps(seen.as_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        ("r.ev.a-b-C.x.y", "a.b.C"),
        ("r.log.a-b-C", "a.b.C"),
        ("r.to.hall.a-C", "a.C"),
        ("r.any.a-C", "a.C"),
        ("r.in.node.7", ""),
        ("$SRV.PING", ""),
        ("r.to.hall", ""),
        ("r", ""),
    ],
)
def test_the_type_that_a_subject_says(subject: str, told: str) -> None:
    assert type_in(subject) == told
