"""``agentbus ps``: everyone who answers `$SRV`, in a table and in JSON, with totals and rates."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
from datetime import UTC, datetime, timedelta

import pytest

from agentbus import HandlerFailed, Node
from agentbus.cli.presence import duration
from agentbus.cli.services import read_services
from agentbus.transports import open_transport
from examples.climate.v1.climate_pb2 import Reading, TargetReply, TargetRequest
from tests.cli.commands import DEADLINE_S, agentbus, end, environment, line, running
from tests.cli.world import Courier, Echo, Thermostat
from tests.nats_server import NatsServer
from tests.waiting import until


async def test_agents_are_shown_with_their_counts(server: NatsServer, realm: str) -> None:
    agents = {"hall": Thermostat(21.0), "attic": Thermostat(0)}
    async with Node(server.url, realm=realm, name="n1", agents=agents) as node:
        for _ in range(3):
            await node.request(TargetRequest(), TargetReply, to="hall", timeout_s=5.0)
        with pytest.raises(HandlerFailed):
            await node.request(TargetRequest(), TargetReply, to="attic", timeout_s=5.0)
        await until(lambda: node.agent_statistics("attic").restarts == 1)
        await until(lambda: node.agent_statistics("attic").state == "running")
        ended = await agentbus("ps", "--url", server.url, "--realm", realm, "--json")
        table = await agentbus("ps", "--url", server.url, "--realm", realm)
    assert ended.status == 0
    attic, hall = ended.objects
    assert (hall["name"], hall["node"], hall["realm"], hall["state"]) == ("hall", "n1", realm, "running")
    assert (hall["handled"], hall["failed"], hall["restarts"], hall["queued"]) == (3, 0, 0, 0)
    assert (attic["handled"], attic["failed"], attic["restarts"]) == (0, 1, 1)
    assert (hall["version"], hall["description"]) == ("1.2.3", "Keeps a room at its target.")
    assert set(hall["behaviors"]) == {"regulate", "tell_target"}
    assert hall["subjects"] == {"tell_target": f"{realm}.to.hall.examples-climate-v1-TargetRequest"}
    assert hall["rate_per_s"] is None
    assert 0 <= hall["uptime_s"] < 60
    head, *rows = table.out.splitlines()
    assert head.split() == [
        "NAME",
        "NODE",
        "REALM",
        "STATE",
        "BEHAVIORS",
        "HANDLED",
        "RATE/S",
        "FAILED",
        "RESTARTS",
        "QUEUED",
        "UPTIME",
    ]
    assert [row.split()[:-1] for row in rows] == [
        ["attic", "n1", realm, "running", "regulate,tell_target", "0", "-", "1", "1", "0"],
        ["hall", "n1", realm, "running", "regulate,tell_target", "3", "-", "0", "0", "0"],
    ]


async def test_rates_come_from_two_samples(server: NatsServer, realm: str) -> None:
    async with Node(server.url, realm=realm, agents={"hall": Thermostat(21.0)}) as node:
        words = ("ps", "--url", server.url, "--realm", realm, "--json", "--watch", "--interval", "0.1")
        async with running(*words) as process:
            assert json.loads(await line(process.stdout))["rate_per_s"] is None
            handled = 0
            while True:
                await node.request(TargetRequest(), TargetReply, to="hall", timeout_s=5.0)
                handled += 1
                sample = json.loads(await line(process.stdout))
                if sample["rate_per_s"] > 0:
                    break
            assert 0 < sample["handled"] <= handled
            ended = await end(process, signal.SIGINT)
    assert (ended.status, ended.err) == (130, "")


async def test_realms_are_seen_together_unless_one_is_named(server: NatsServer, realm: str) -> None:
    async with (
        Node(server.url, realm=realm, agents={"hall": Thermostat(21.0)}),
        Node(server.url, realm=f"{realm}b", agents={"hall": Thermostat(21.0)}),
    ):
        everywhere = await agentbus("ps", "--url", server.url, "--json")
        here = await agentbus("ps", "--url", server.url, "--json", "--realm", realm)
    assert {realm, f"{realm}b"} <= {agent["realm"] for agent in everywhere.objects}
    assert [agent["realm"] for agent in here.objects] == [realm]


async def test_services_of_other_frameworks_are_shown(server: NatsServer) -> None:
    transport = open_transport(server.url, name="foreign")
    await transport.connect()
    told = {
        "name": "billing",
        "id": "XYZ",
        "version": "2.0.0",
        "metadata": {},
        "started": "2020-01-01T00:00:00.123456789Z",
    }
    endpoint = {"name": "pay", "subject": "billing.pay", "num_requests": 7, "num_errors": 2}

    def answer(_subject: str, _body: bytes, reply: str, _headers: object) -> None:
        transport.send(reply, json.dumps({**told, "endpoints": [endpoint]}).encode())
        transport.send(reply, b"not json")
        transport.send(reply, b"[]")

    for verb in ("INFO", "STATS"):
        transport.subscribe(f"$SRV.{verb}", answer)
    await transport.flush()
    try:
        ended = await agentbus("ps", "--url", server.url, "--json")
        table = await agentbus("ps", "--url", server.url)
    finally:
        await transport.close()
    (billing,) = [service for service in ended.objects if service["name"] == "billing"]
    assert (billing["framework"], billing["handled"], billing["failed"], billing["realm"]) == ("", 5, 2, "")
    assert billing["behaviors"] == {"pay": "billing.pay"}
    assert billing["uptime_s"] > 86400
    assert "billing  -" in table.out


async def test_nobody_there_is_said(server: NatsServer, realm: str) -> None:
    ended = await agentbus("ps", "--url", server.url, "--realm", realm, "--timeout", "0.5")
    assert ended.status == 0
    assert ended.out.splitlines() == [ended.out.strip()]
    assert ended.err == f"no agent of realm '{realm}' answered within 0.5 s\n"


async def test_a_terminal_gets_a_table_that_is_renewed(server: NatsServer, realm: str) -> None:
    async with Node(server.url, realm=realm, agents={"hall": Thermostat(21.0)}):
        master, slave = pty.openpty()
        os.set_blocking(master, False)
        said = bytearray()
        loop = asyncio.get_running_loop()
        loop.add_reader(master, lambda: said.extend(os.read(master, 65536)))
        words = ("ps", "--url", server.url, "--realm", realm, "--watch", "--interval", "0.1")
        try:
            async with running(*words, stdout=slave, env=environment(TERM="xterm", COLUMNS="160")) as process:
                await until(lambda: said.count(b"hall") >= 3, within_s=DEADLINE_S)
                ended = await end(process, signal.SIGINT)
        finally:
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)
    assert (ended.status, ended.err) == (130, "")
    assert b"\x1b[" in said
    assert b"NAME" in said


async def test_a_handful_of_agents_and_messages(server: NatsServer, realm: str) -> None:
    agents = {f"echo-{number}": Echo() for number in range(50)}
    async with Node(server.url, realm=realm, agents=agents) as node:
        await node.request(Reading(room="a"), Reading, to="echo-7", timeout_s=5.0)
        ended = await agentbus("ps", "--url", server.url, "--realm", realm, "--json")
    assert {agent["name"]: agent["handled"] for agent in ended.objects} == {
        name: int(name == "echo-7") for name in agents
    }


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"[]",
        b'{"id": 7}',
        b'{"id": "a", "name": 3, "endpoints": {"x": 1}, "metadata": [], "data": "none", "started": "yesterday"}',
        b'{"id": "a", "endpoints": [1, {"num_requests": "x", "num_errors": NaN}], "data": {"queued": 1e999}}',
        b'{"id": "a", "metadata": {"behaviors": "[1]"}, "started": 12}',
        b"[" * 100_000,
    ],
    ids=range(7),
)
def test_answers_that_are_wrong_break_nothing(wrong: bytes) -> None:
    for service in read_services([wrong], [wrong]):
        assert (service.id, service.name, service.queued, service.handled) == ("a", "", 0, 0)
        assert service.uptime_s(datetime.now(UTC)) is None


def test_uptime_is_never_below_zero() -> None:
    now = datetime.now(UTC)
    ahead = json.dumps({"id": "a", "started": (now + timedelta(hours=1)).isoformat()}).encode()
    (service,) = read_services([], [ahead])
    assert service.uptime_s(now) == 0.0


@pytest.mark.parametrize(
    ("value_s", "told"), [(None, ""), (0.9, "0s"), (61.0, "1m01s"), (3660.0, "1h01m"), (90_000.0, "1d01h")]
)
def test_durations(value_s: float | None, told: str) -> None:
    assert duration(value_s) == told


async def test_policies_are_shown_as_they_are_now(server: NatsServer, realm: str) -> None:
    courier = Courier()
    async with Node(server.url, realm=realm, name="n1", agents=[courier]):
        courier.policy("deliver").weight = 0.3
        ended = await agentbus("ps", "--url", server.url, "--realm", realm, "--json")
        table = await agentbus("ps", "--url", server.url, "--realm", realm)
    (told,) = ended.objects
    assert told["policies"] == {"deliver": "hybrid 0.3"}
    assert "deliver (hybrid 0.3)" in table.out
