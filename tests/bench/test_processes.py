"""Children of a benchmark: they say why they failed, end at their deadline, and do not outlive their parent."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from bench.broker import nats_server
from bench.child import PARENT_GONE
from bench.processes import ROOT, ChildFailed, child

ROLES = "tests.bench.roles"


async def test_parent_and_child_talk_and_what_the_child_prints_does_not_disturb() -> None:
    async with child(f"{ROLES}:greet", {"name": "Ada"}) as greeter:
        assert (await greeter.expect("ready"))["name"] == "Ada"
        greeter.tell(number=20)
        assert (await greeter.expect("done"))["number"] == 21
        assert await greeter.ended() == 0


async def test_a_child_that_fails_is_quoted() -> None:
    async with child(f"{ROLES}:fail", {}) as broken:
        with pytest.raises(ChildFailed, match=r"ended with status 1.*(?s:.)*the reason"):
            await broken.expect("done")


async def test_a_child_ends_at_its_deadline() -> None:
    async with child(f"{ROLES}:hang", {}, deadline_s=1.0) as hanging:
        await hanging.expect("ready")
        with pytest.raises(ChildFailed, match=r"deadline|status 1"):
            await hanging.expect("done")
        assert await hanging.ended() == 1


def test_a_child_ends_when_its_parent_has_gone() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bench.child", f"{ROLES}:hang", "{}", "15"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        assert json.loads(process.stdout.readline())["word"] == "ready"
        process.stdin.close()  # what the end of a parent does
        assert process.wait(10) == PARENT_GONE


async def test_the_server_ends_with_the_run() -> None:
    async with nats_server() as url:
        port = int(url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
    with pytest.raises(OSError, match=r"Connect call failed|refused"):
        await asyncio.open_connection("127.0.0.1", port)


def test_the_server_ends_when_the_run_is_killed() -> None:
    code = (
        "import asyncio\nfrom bench.broker import nats_server\n"
        "async def main():\n    async with nats_server() as url:\n"
        "        print(url, flush=True)\n        await asyncio.sleep(15)\nasyncio.run(main())"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
    assert run.stdout is not None
    with run.stdout:
        port = int(run.stdout.readline().strip().rpartition(b":")[2])
        run.kill()
        run.wait(5)
    assert _gone(port), f"a nats-server still listens on {port}"


def _gone(port: int) -> bool:
    import socket

    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        with suppress(ConnectionResetError), socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return True
        time.sleep(0.02)
    return False
