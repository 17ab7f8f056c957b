"""``agentbus run``: hosts until it is told to stop, drains, and says what is wrong with its words."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from agentbus import Node
from examples.climate.v1.climate_pb2 import TargetReply, TargetRequest
from tests.cli.commands import agentbus, end, line, line_with, python, running
from tests.nats_server import NatsServer

MEMORY = ("--url", "memory://")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_runs_until_it_is_told_to_stop_and_drains(house: Path, number: int) -> None:
    words = (
        "run",
        "house:Thermostat",
        "--set",
        "target=21.5",
        *MEMORY,
        "--node-name",
        "n1",
        "--realm",
        "city",
        "--json",
    )
    async with running(*words, cwd=house) as process:
        assert json.loads(await line(process.stdout)) == {"node": "n1", "realm": "city", "agents": ["thermostat"]}
        ended = await end(process, number)
    logged = [json.loads(text) for text in ended.err.splitlines()]
    assert ended.status == 0
    assert ended.out == ""
    said = {entry["event"]: entry for entry in logged}
    assert (said["up"]["target"], said["up"]["agent"], said["up"]["node"]) == (21.5, "thermostat", "n1")
    assert "down" in said


async def test_agents_are_reached_by_the_names_they_are_given(house: Path, server: NatsServer, realm: str) -> None:
    words = ("run", "house:Thermostat", "east=house:Thermostat", "house:Thermostat", "house:ready")
    names = ("--name", "north", "--name", "south", "--set", "target=1.5", "--set", "east.target=2.5")
    where = ("--url", server.url, "--realm", realm)
    async with running(*words, *names, *where, "--json", cwd=house) as process:
        assert json.loads(await line(process.stdout))["agents"] == ["north", "east", "south", "thermostat"]
        async with Node(server.url, realm=realm) as node:
            for name, target in (("north", 1.5), ("east", 2.5), ("south", 1.5), ("thermostat", 19.0)):
                reply = await node.request(TargetRequest(), TargetReply, to=name, timeout_s=5.0)
                assert reply.celsius == target
        assert (await end(process, signal.SIGTERM)).status == 0


async def test_values_that_are_no_json_are_texts(house: Path) -> None:
    sets = ("--set", "target=21", "--set", "room=attic")
    async with running("run", "house:Thermostat", *sets, *MEMORY, cwd=house) as process:
        up = json.loads(await line_with(process.stderr, '"up"'))
        assert (up["target"], up["room"]) == (21, "attic")
        assert (await end(process, signal.SIGTERM)).status == 0


async def test_an_agent_given_up_is_status_1_with_the_reason(house: Path) -> None:
    ended = await agentbus("run", "house:Doomed", *MEMORY, "--log-level", "critical", cwd=house)
    assert ended.status == 1
    assert ended.err == "error: AgentStopped: agent 'doomed' could not start: RuntimeError: no ground\n"


async def test_told_to_stop_while_it_starts_it_stops(house: Path) -> None:
    (house / "slow.py").write_text(
        "import asyncio\nfrom agentbus import Agent, Context, on_start, on_stop\n"
        "class Slow(Agent):\n    @on_start\n    async def wait(self, ctx: Context) -> None:\n"
        "        ctx.log.info('waiting')\n        await asyncio.sleep(3600)\n"
    )
    async with running("run", "slow:Slow", *MEMORY, cwd=house) as process:
        await line_with(process.stderr, '"waiting"')
        ended = await end(process, signal.SIGTERM)
    assert ended.status == 0
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["house"], 2, "'house' names no agent: write house:AGENT, as in examples.climate:Thermostat"),
        (["house.py:Thermostat"], 1, "'house.py' is a file: write the module's name, 'house'"),
        (["hut:Thermostat"], 1, "no module 'hut': it is neither installed nor in this folder; is the name right?"),
        (["house.hut:A"], 1, "no module 'house.hut': it is neither"),
        (["a-b:C"], 1, "'a-b' is not a module's name: write it with dots"),
        (["house:Heater"], 1, "module 'house' has no 'Heater'; its agents: Doomed, Thermostat, ready"),
        (
            ["house:number"],
            1,
            "house:number is of type int, not an agent: name a subclass of agentbus.Agent or an instance",
        ),
        (["house:Reading"], 1, "house:Reading is the class Reading, not an agent: name a subclass of agentbus.Agent"),
        (["house:Agent"], 1, "house:Agent is the class Agent, not an agent"),
        (["broken:A"], 1, "module 'broken' does not import: ZeroDivisionError: division by zero"),
        (["needy:A"], 1, "module 'needy' needs a module 'no_such_thing' that is not installed"),
        (["house:Thermostat"], 2, "Thermostat needs target: give --set target=VALUE"),
        (["house:Thermostat", "--set", "target"], 2, "--set target: write KEY=VALUE or NAME.KEY=VALUE"),
        (["house:ready", "--set", "x=1"], 2, "--set x=1: no agent here takes 'x' (thermostat takes target, room)"),
        (["house:ready", "--set", "thermostat.x=1"], 2, "agent 'thermostat' is made already: name its class instead"),
        (["house:Doomed", "--set", "doomed.x=1"], 2, "--set doomed.x=1: Doomed takes none"),
        (["house:ready", "--set", "hut.x=1"], 2, "--set hut.x=1: no agent 'hut' here, but thermostat"),
        (
            ["house:Thermostat", "--set", "target=cold"],
            1,
            "ConfigurationError: Thermostat(target='cold') raised ValueError",
        ),
        (["house:ready", "house:ready"], 1, "two agents are called 'thermostat': write NAME=MODULE:AGENT"),
        (["a=house:ready", "b=house:ready"], 1, "AgentExists: this instance of Thermostat is hosted already"),
        (["a=house:ready", "--name", "b"], 2, "1 --name for 0 agents without a name: give one for each, in order"),
        (["house:ready", "--name", "a b"], 1, "SubjectError: agent 'a b' is not allowed: use letters"),
        (["house:ready", "--realm", "a.b"], 1, "SubjectError: realm 'a.b' is not allowed"),
        (["house:ready", "--url", "http://x"], 1, "UnknownScheme: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
async def test_what_is_wrong_is_named_on_one_line(house: Path, words: list[str], status: int, told: str) -> None:
    (house / "broken.py").write_text("1 / 0\n")
    (house / "needy.py").write_text("import no_such_thing\n")
    ended = await agentbus("run", *MEMORY, *words, "--log-level", "critical", cwd=house)
    assert (ended.status, ended.out) == (status, "")
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    assert told in ended.err


async def test_no_server_is_named_with_the_remedy(house: Path) -> None:
    ended = await agentbus("call", "hall", "a.B", "--url", "nats://127.0.0.1:1")
    assert ended.status == 1
    assert ended.err.startswith("error: NotConnected: ")
    assert "127.0.0.1:1 can't be reached" in ended.err
    assert "start a nats-server there" in ended.err


async def test_debug_shows_where_it_comes_from(house: Path) -> None:
    ended = await agentbus("run", *MEMORY, "broken:A", "--debug", cwd=house)
    assert ended.status == 1
    assert "Traceback (most recent call last)" in ended.err
    assert ended.err.endswith("is the name right?\n")


async def test_errors_are_json_when_all_is(house: Path) -> None:
    ended = await agentbus("run", *MEMORY, "hut:A", "--json", cwd=house)
    told = json.loads(ended.err)
    assert (told["error"], told["retryable"]) == ("AgentNotFound", False)
    assert "no module 'hut'" in told["text"]


async def test_a_program_that_calls_run_logs_as_the_command_does(house: Path) -> None:
    (house / "program.py").write_text(
        "from agentbus import run\nfrom house import ready\nrun(ready, url='memory://')\n"
    )
    async with python("program.py", cwd=house) as process:
        up = json.loads(await line_with(process.stderr, '"up"'))
        assert (up["agent"], up["level"], up["logger"]) == ("thermostat", "info", "agentbus")
