"""``agentbus server``: a nats-server in the foreground, told of without its password."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from agentbus import Node
from examples.climate.v1.climate_pb2 import TargetReply, TargetRequest
from tests.cli.commands import agentbus, end, environment, line, running
from tests.cli.world import Thermostat
from tests.transports.server_world import alive, until


def password_in(told: dict[str, str]) -> str:
    """The password in the file that is told of, which others can't read."""
    path = Path(told["credentials"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return str(json.loads(path.read_text())["password"])


def assert_configured(told: dict[str, str], setting: str) -> None:
    """The configuration that is told of has the setting, and no password."""
    text = Path(told["configuration"]).read_text()
    assert setting in text
    assert password_in(told) not in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_runs_until_it_is_told_to_stop(tmp_path: Path, number: int) -> None:
    data = tmp_path / "data"
    async with running("server", "--port", "0", "--data", str(data), "--json") as process:
        told = json.loads(await line(process.stdout))
        assert (told["data"], told["host"], told["embedded_url"]) == (str(data), "127.0.0.1", f"embedded://{data}")
        secret = password_in(told)
        assert "password" not in told
        assert secret not in json.dumps(told)
        async with Node(f"embedded://{data}", agents=[Thermostat(21.0)]) as node:
            reply = await node.request(TargetRequest(), TargetReply, to="thermostat", timeout_s=5.0)
            assert reply.celsius == 21.0
            url = f"nats://agentbus:{secret}@127.0.0.1:{told['port']}"
            shown = await agentbus("ps", "--json", env=environment(AGENTBUS_URL=url))
            assert [agent["name"] for agent in shown.objects] == ["thermostat"]
        ended = await end(process, number)
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    await until(lambda: not alive(told["pid"]), "the server gone")


async def test_its_folder_is_that_of_embedded_unless_told(tmp_path: Path) -> None:
    words = ("server", "--port", "0", "--show-credentials", "--max-payload", "65536")
    async with running(*words, env=environment(AGENTBUS_HOME=str(tmp_path))) as process:
        told: dict[str, str] = {}
        while "password" not in told:
            name, _, value = (await line(process.stdout)).partition("  ")
            told[name] = value.strip()
        await end(process, signal.SIGTERM)
    assert told["data"] == str(tmp_path / "server" / "default")
    assert told["embedded url"] == "embedded://"
    assert told["url"].startswith("nats://127.0.0.1:")
    assert_configured(told, "max_payload: 65536")
    assert len(told["password"]) >= 8


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = await agentbus("server", "--port", str(port), "--data", str(tmp_path / "data"))
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("error: ServerFailed: ")
    assert f"can't listen on port {port} of 127.0.0.1 (Address already in use): stop the program" in ended.err


async def test_the_server_dying_is_told(tmp_path: Path) -> None:
    async with running("server", "--port", "0", "--data", str(tmp_path / "data"), "--json") as process:
        told = json.loads(await line(process.stdout))
        os.kill(told["pid"], signal.SIGKILL)
        said = await line(process.stderr)
        assert await process.wait() == 1
    assert json.loads(said)["error"] == "ServerFailed"


async def test_the_configuration_can_be_seen_alone(tmp_path: Path) -> None:
    words = ("server", "--config-only", "--data", str(tmp_path / "data"), "--sync-interval", "always")
    plain = await agentbus(*words)
    in_json = await agentbus(*words, "--json")
    assert plain.status == 0
    assert 'sync_interval": "always"' in plain.out
    assert in_json.objects[0]["configuration"].rstrip() == plain.out.rstrip()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("--port", "65536"), 2, "'65536' is not a port"),
        (("--max-payload", "1"), 1, "error: ConfigurationError: max_payload is 1; it must be 1 KiB to 64 MiB"),
        (("--sync-interval", "soon"), 1, "error: ConfigurationError: sync_interval is 'soon'"),
        (("--host", ""), 1, "error: ConfigurationError: "),
    ],
)
async def test_what_can_not_be_is_named(tmp_path: Path, words: tuple[str, ...], status: int, told: str) -> None:
    ended = await agentbus("server", "--data", str(tmp_path / "data"), *words)
    assert ended.status == status
    assert told in ended.err
