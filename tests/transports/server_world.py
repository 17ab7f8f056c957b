"""What the tests of the embedded server stand on: processes that use one, raw logins, and waiting for a condition."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agentbus.transports.server import ServerAddress

SCRIPT = Path(__file__).with_name("server_user.py")


async def until(condition: Callable[[], object], what: str, *, within_s: float = 5.0) -> float:
    """Polls until the condition holds; returns how long that took. Fails after `within_s`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


async def talk(port: int, login: dict[str, str], *, host: str = "127.0.0.1") -> str:
    """Connects, logs in, sends PING; returns what the server said last."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            assert (await reader.readline()).startswith(b"INFO ")
            writer.write(b"CONNECT " + json.dumps({"verbose": False, **login}).encode() + b"\r\nPING\r\n")
            return (await reader.readline()).decode().strip()
        finally:
            writer.close()


async def works(address: ServerAddress) -> bool:
    """Whether one can log in to the server."""
    return await talk(address.port, {"user": address.user, "pass": address.password}) == "PONG"


class User:
    """A process that runs `server_user.py`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, home: Path) -> User:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, SCRIPT, home, stdin=pipe, stdout=pipe)
        user = cls(process)
        assert (await user.next_answer())["pid"] == process.pid
        return user

    async def order(self, what: str) -> dict[str, Any]:
        self.say(what)
        return await self.next_answer()

    def say(self, what: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(what.encode() + b"\n")

    async def next_answer(self) -> dict[str, Any]:
        assert self._process.stdout
        async with asyncio.timeout(15):
            line = await self._process.stdout.readline()
        assert line, "the user's process ended"
        return json.loads(line)

    async def address(self, order: str = "acquire") -> ServerAddress:
        return ServerAddress(**await self.order(order))

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        async with asyncio.timeout(5):
            await self._process.communicate()

    async def quit(self) -> None:
        self.say("quit")
        async with asyncio.timeout(5):
            assert await self._process.wait() == 0


@asynccontextmanager
async def users(home: Path, count: int) -> AsyncIterator[list[User]]:
    """That many processes, killed at the end."""
    started = await asyncio.gather(*(User.start(home) for _ in range(count)))
    try:
        yield list(started)
    finally:
        await asyncio.gather(*(user.kill() for user in started))


def processes_in(folder: Path) -> list[int]:
    """The guardians and servers that run in the folder."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            ours = b"nats-server\0" in arguments or b"server_guardian.py\0" in arguments
            if ours and str(folder).encode() in arguments and alive(int(entry.name)):
                found.append(int(entry.name))
    return found


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def end_all(folder: Path) -> None:
    """Kills the guardians and servers that run in the folder, and sees them gone."""
    deadline = time.monotonic() + 5
    while left := processes_in(folder):
        assert time.monotonic() < deadline, f"can't be killed: {left}"
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                kill(pid)
        time.sleep(0.01)


async def listener(port: int) -> socket.socket:
    """Listens on a port as soon as it is free; that is a little later than its server looks dead."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            assert time.monotonic() < deadline, f"port {port} is still in use"
            await asyncio.sleep(0.01)


def open_files(pid: int) -> set[str]:
    """What the process has open, by where its descriptors point."""
    found: set[str] = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed between the listing and the look
            found.add(os.readlink(entry))
    return found


def visible(pid: int) -> bytes:
    """A process's arguments and environment."""
    return Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()


def files_in(folder: Path) -> list[Path]:
    """All files below the folder."""
    return [path for path in folder.rglob("*") if path.is_file()]
