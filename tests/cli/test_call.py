"""``agentbus call``: a request in JSON, with types and without; errors by their type."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentbus import Agent, Context, Node, rpc
from agentbus.transport import Headers
from agentbus.transports import open_transport
from examples.climate.v1.climate_pb2 import TargetReply, TargetRequest
from tests.cli.commands import ROOT, Ended, agentbus
from tests.cli.world import Echo, Thermostat
from tests.nats_server import NatsServer

TYPE = "examples.climate.v1.TargetRequest"
TYPES = ("--import", "examples.climate.v1.climate_pb2")


class Sleeper(Agent):
    @rpc(TargetRequest, TargetReply)
    async def sleep(self, request: TargetRequest, ctx: Context) -> TargetReply:
        await asyncio.Event().wait()
        return TargetReply()


@pytest.fixture
async def node(server: NatsServer, realm: str) -> AsyncIterator[Node]:
    agents = {
        "hall": Thermostat(21.5),
        "refuser": Thermostat(13),
        "breaker": Thermostat(0),
        "echo": Echo(),
        "slow": Sleeper(),
    }
    async with Node(server.url, realm=realm, agents=agents, drain_s=0.1) as node:
        yield node


async def call(server: NatsServer, realm: str, *words: str, stdin: str | None = None) -> Ended:
    return await agentbus("call", "--url", server.url, "--realm", realm, *words, stdin=stdin)


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize(
    "words",
    [
        ("hall", TYPE, "{}"),
        ("hall", "TargetRequest"),
        ("hall", "tell_target"),
        ("hall", "TargetRequest", "{}", *TYPES),
        ("hall", "TargetRequest", "{}", "--proto", str(ROOT / "protos")),
    ],
    ids=["full name", "short name", "behavior", "import", "proto"],
)
async def test_a_type_is_found_whatever_is_known_of_it(server: NatsServer, realm: str, words: tuple[str, ...]) -> None:
    ended = await call(server, realm, *words)
    assert (ended.status, ended.out, ended.err) == (0, '{"celsius": 21.5}\n', "")


@pytest.mark.usefixtures("node")
async def test_values_travel(server: NatsServer, realm: str) -> None:
    given = json.dumps({"room": "hall", "celsius": 1.5})
    for words, stdin in ((("echo", "Reading", given), None), (("echo", "Reading", "-"), given)):
        ended = await call(server, realm, *words, "--json", stdin=stdin)
        assert ended.objects == [{"room": "HALL", "celsius": 2.5}]


@pytest.mark.usefixtures("node")
async def test_any_agent_that_answers(server: NatsServer, realm: str) -> None:
    ended = await call(server, realm, "--any", "examples.climate.v1.Reading", '{"room": "x"}')
    assert ended.out == '{"room": "X", "celsius": 1.0}\n'
    assert (await call(server, realm, "--any", "louder", "--json")).objects == [{"celsius": 1.0}]


@pytest.mark.usefixtures("node")
async def test_a_descriptor_set_is_enough(server: NatsServer, realm: str, tmp_path: Path) -> None:
    descriptors = tmp_path / "climate.bin"
    protoc = Path(sys.executable).with_name("protoc")
    compile_words = ["-I", "protos", "-o", str(descriptors), "examples/climate/v1/climate.proto"]
    await asyncio.to_thread(subprocess.run, [protoc, *compile_words], cwd=ROOT, check=True)
    known = ("--descriptors", str(descriptors))
    assert (await call(server, realm, "hall", "TargetRequest", "{}", *known)).out == '{"celsius": 21.5}\n'
    ended = await call(server, realm, "echo", "Reading", '{"rom": "hall"}', *known)
    assert ended.status == 2
    assert 'examples.climate.v1.Reading" has no field named "rom"' in ended.err


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("refuser", "TargetRequest"), 1, "error: Refused: not on the 13th\n"),
        (("breaker", "TargetRequest"), 1, "error: HandlerFailed: ValueError: absolute zero, or \\x1b[31mso\n"),
        (("slow", "TargetRequest", "--timeout", "0.2"), 1, "error: DeadlineExceeded: no answer on "),
        (("hut", "TargetRequest"), 1, "error: NoResponders: no agent 'hut' in realm"),
        (("hut", TYPE), 1, "error: NoResponders: nobody listens on "),
        (("hall", "Reading"), 1, f"error: AgentNotFound: no type 'Reading': agent 'hall' answers {TYPE}\n"),
        (("--any", "Alarm"), 1, "error: AgentNotFound: no type 'Alarm': the agents of realm "),
        (("a b", "TargetRequest"), 1, "error: SubjectError: agent 'a b' is not allowed"),
        (("hall", "Target Request"), 1, "error: AgentNotFound: no type 'Target Request'"),
        (("hall", "TargetRequest", "{"), 2, "error: not JSON: "),
        (("hall", "TargetRequest", "[" * 100_000), 2, "error: not JSON that can be read"),
        (("hall", "TargetRequest", '{"a": 1}', *TYPES), 2, f"error: not of type {TYPE}: "),
        (("hall", "TargetRequest", "[]"), 1, "error: SchemaMismatch: "),
        (("hall",), 2, "error: 1 words: write agentbus call AGENT TYPE [JSON]"),
        (("--any", "a", "b", "c"), 2, "error: 3 words: write agentbus call --any TYPE [JSON]"),
        (("hall", "TargetRequest", "--import", "no_such"), 1, "error: AgentNotFound: no module 'no_such'"),
        (("hall", "TargetRequest", "--descriptors", "no_such"), 1, "error: AgentNotFound: no descriptor set 'no_such'"),
        (
            ("hall", "TargetRequest", "--descriptors", "LICENSE"),
            1,
            "error: ConfigurationError: 'LICENSE' is no descriptor",
        ),
        (("hall", "TargetRequest", "--proto", "tests/cli"), 1, "error: AgentNotFound: no .proto files in 'tests/cli'"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else None,
)
async def test_what_is_wrong_is_named_on_one_line(
    server: NatsServer, realm: str, words: tuple[str, ...], status: int, told: str
) -> None:
    ended = await call(server, realm, *words)
    assert (ended.status, ended.out) == (status, "")
    assert ended.err.startswith(told)
    assert ended.err.count("\n") == 1


async def test_a_realm_that_is_wrong_is_told_from_an_agent_that_is(server: NatsServer, realm: str, node: Node) -> None:
    ended = await call(server, f"{realm}b", "hall", "TargetRequest")
    assert f"no agent 'hall' in realm '{realm}b': there is nobody; one is in realm {realm}\n" in ended.err
    ended = await call(server, f"{realm}b", "--any", "TargetRequest")
    assert f"nobody is in realm '{realm}b': is --realm right?\n" in ended.err


async def test_a_service_of_another_framework_is_asked_on_its_own_subject(server: NatsServer, realm: str) -> None:
    transport = open_transport(server.url, name="foreign")
    await transport.connect()
    endpoints = [{"name": name, "subject": f"{realm}x.{name}"} for name in ("pay", "raw", "fail")]
    told = json.dumps({"name": "billing", "id": realm, "version": "1.0.0", "endpoints": endpoints}).encode()
    transport.subscribe("$SRV.INFO.billing", lambda _s, _b, reply, _h: transport.send(reply, told))

    def answer(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        assert headers
        assert headers["Content-Type"] == "application/json"
        match subject.rpartition(".")[2]:
            case "pay":
                transport.send(reply, json.dumps({"paid": json.loads(body)["amount"]}).encode())
            case "raw":
                transport.send(reply, b"\xff\x00")
            case _:
                transport.send(reply, b"", "", {"Nats-Service-Error": "no money", "Nats-Service-Error-Code": "402"})

    transport.subscribe(f"{realm}x.*", answer)
    await transport.flush()
    try:
        paid = await call(server, realm, "billing", "pay", '{"amount": 3}')
        raw = await call(server, realm, "billing", "raw")
        failed = await call(server, realm, "billing", "fail")
    finally:
        await transport.close()
    assert paid.out == '{"paid": 3}\n'
    assert raw.out == '{"bytes": "ff00"}\n'
    assert (failed.status, failed.err) == (1, "error: HandlerFailed: service error 402: no money\n")


async def test_a_wrong_password_is_named_and_none_is_shown(tmp_path: Path) -> None:
    guarded = NatsServer(tmp_path, extra="authorization { user: me, password: topsecret }", jetstream=False).start()
    try:
        wrong = await agentbus("ps", "--url", f"nats://me:wrongword@{guarded.where}")
        right = await agentbus("ps", "--url", f"nats://me:topsecret@{guarded.where}", "--timeout", "0.3")
    finally:
        guarded.stop(kill=True)
    assert wrong.status == 1
    assert wrong.err.startswith("error: Unauthorized: ")
    assert "check user and password" in wrong.err
    assert right.status == 0
    assert "wrongword" not in wrong.err
    assert "topsecret" not in right.err + right.out


@pytest.mark.parametrize("url", ["http://me:topsecret@here", "me:topsecret@here"])
async def test_an_unknown_scheme_shows_no_password(url: str) -> None:
    ended = await agentbus("ps", "--url", url)
    assert ended.status == 1
    assert ended.err.startswith("error: UnknownScheme: ")
    assert "use one of memory://, embedded://, nats://, tls://" in ended.err
    assert "topsecret" not in ended.err
