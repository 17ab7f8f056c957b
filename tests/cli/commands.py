"""What the tests of the command stand on: the real command in a process of its own, and a house of agents."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 15.0
OWN = (
    "AGENTBUS_URL",
    "AGENTBUS_IDENTITY",
    "AGENTBUS_HOME",
    "COLUMNS",
    "FORCE_COLOR",
    "NO_COLOR",
    "PYTHONUNBUFFERED",
    "TERM",
)
"""Variables that the one who runs the tests may have, and that the command minds."""

HOUSE = '''
from agentbus import Agent, Context, Refused, Supervision, on, on_start, on_stop, rpc
from examples.climate.v1.climate_pb2 import Reading, TargetReply, TargetRequest


class Thermostat(Agent):
    """Keeps a room at its target."""

    def __init__(self, target: float, *, room: str = "hall") -> None:
        if target == "cold":
            raise ValueError("cold is no number")
        self.target, self.room = target, room

    @on_start
    async def greet(self, ctx: Context) -> None:
        ctx.log.info("up", target=self.target, room=self.room)

    @on(Reading)
    async def regulate(self, reading: Reading, ctx: Context) -> None: ...

    @rpc(TargetRequest, TargetReply)
    async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        if self.target == 13:
            raise Refused("not on the 13th")
        if self.target == 0:
            raise ValueError("absolute zero,\\nor so")
        return TargetReply(celsius=self.target)

    @on_stop
    async def leave(self, ctx: Context) -> None:
        ctx.log.info("down")


class Doomed(Agent):
    supervision = Supervision(max_restarts=0)

    @on_start
    async def fall(self, ctx: Context) -> None:
        raise RuntimeError("no ground")


ready = Thermostat(19.0)
number = 7
'''


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Its output, a JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**more: str) -> dict[str, str]:
    """A process's: no broker, no home of this user's, the examples can be imported."""
    kept = {key: value for key, value in os.environ.items() if key not in OWN}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


async def start(*words: str, cwd: Path = ROOT, **options: Any) -> asyncio.subprocess.Process:
    """Starts Python with these words."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # of a job in a shell's background; children inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    pipe = asyncio.subprocess.PIPE
    given = {"stdin": asyncio.subprocess.DEVNULL, "stdout": pipe, "stderr": pipe, "env": environment(), **options}
    return await asyncio.create_subprocess_exec(sys.executable, *words, cwd=cwd, **given)


async def finish(process: asyncio.subprocess.Process, stdin: str | None = None) -> Ended:
    """Waits until it has ended."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            out, err = await process.communicate(None if stdin is None else stdin.encode())
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return Ended(process.returncode, (out or b"").decode(), (err or b"").decode())


async def agentbus(*words: str, cwd: Path = ROOT, stdin: str | None = None, **options: Any) -> Ended:
    """Runs the command to its end."""
    if stdin is not None:
        options["stdin"] = asyncio.subprocess.PIPE
    return await finish(await start("-m", "agentbus", *words, cwd=cwd, **options), stdin)


def running(*words: str, cwd: Path = ROOT, **options: Any) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """The command while it runs; killed at the end if it still does."""
    return python("-m", "agentbus", *words, cwd=cwd, **options)


@asynccontextmanager
async def python(*words: str, cwd: Path = ROOT, **options: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python program while it runs; killed at the end if it still does."""
    process = await start(*words, cwd=cwd, **options)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def line(stream: asyncio.StreamReader | None) -> str:
    """The next line of a running command."""
    assert stream is not None
    async with asyncio.timeout(DEADLINE_S):
        return (await stream.readline()).decode()


async def line_with(stream: asyncio.StreamReader | None, text: str) -> str:
    """The next line that holds `text`."""
    while text not in (found := await line(stream)):
        assert found, f"the output ended without {text!r}"
    return found


async def end(process: asyncio.subprocess.Process, number: int) -> Ended:
    """Sends it a signal and waits until it has ended."""
    process.send_signal(number)
    return await finish(process)
