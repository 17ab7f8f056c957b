"""An embedded nats-server in the foreground: for as long as a program that was started for it runs.

It stands in a folder as a shared server does, so that programs of this user that connect to ``embedded://`` with that
folder's name use it, too. But it listens where it is told, its password stays the same, and it ends with its program,
also after ``kill -9``. It always wants a password, whatever it listens on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentbus.errors import ConfigurationError, ServerFailed
from agentbus.transports.server_address import ServerAddress, answers, read_address
from agentbus.transports.server_binary import find_server
from agentbus.transports.server_config import ServerOptions, render, server_folder
from agentbus.transports.server_guardian import CONFIG, GUARDIAN_LOCK, LOG, write_private
from agentbus.transports.server_lock import FileLock, make_private, try_lock
from agentbus.transports.server_start import failure_stamp, failure_text, late_text, spawn

if TYPE_CHECKING:
    from agentbus.transports.server_guardian import Plan

CREDENTIALS = "credentials.json"
_POLL_S = 0.01
_STOP_S = 6.0
_SHORTEST_PASSWORD = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How to log in to a foreground server. The password must have 8 characters or more.

    Raises:
        ConfigurationError: no user, or a password that is too short or can't be written down.
    """

    user: str
    password: str

    def __post_init__(self) -> None:
        if not self.user or not (self.user + self.password).isprintable():
            raise ConfigurationError("a server's user and password must be printable, and the user not empty")
        if len(self.password) < _SHORTEST_PASSWORD or self.password.startswith("$2"):
            raise ConfigurationError(
                f"a server's password must have {_SHORTEST_PASSWORD} characters or more and not begin with '$2'"
            )

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"


class ForegroundServer:
    """A running foreground server.

    Attributes:
        address: where it is, and how to log in.
        folder: its data and all else.
        config: the configuration that was generated for it.
        log: where it logs.
    """

    def __init__(self, folder: Path, address: ServerAddress, ended: asyncio.Future[None]) -> None:
        self.address = address
        self.folder = folder
        self.config = folder / CONFIG
        self.log = folder / LOG
        self._ended = ended

    async def wait(self) -> None:
        """Waits, for ever if need be, until the server ends by itself, and raises `ServerFailed` then."""
        await asyncio.shield(self._ended)
        raise ServerFailed(failure_text(self.folder))


@asynccontextmanager
async def serve(
    folder: Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 4222,
    options: ServerOptions | None = None,
    credentials: Credentials | None = None,
    timeout_s: float = 10.0,
) -> AsyncGenerator[ForegroundServer]:
    """Runs a server for as long as the context is open.

    Args:
        folder: its folder. None: that of ``embedded://``.
        host: the address to listen on. Beyond this machine the password goes over the network in the clear.
        port: 0 for any free one.
        options: None for the defaults.
        credentials: None: those in the folder, made (and stored, mode 0600) if there are none.
        timeout_s: seconds until it must be up.

    Raises:
        ServerFailed: the port is in use, the folder is, or the server does not come up; the text names the remedy.
        ConfigurationError: a value that can't be.
    """
    if not 0 <= port < 1 << 16 or not host:
        raise ConfigurationError(f"can't listen on port {port} of {host!r}: a port is 0 to 65535, a host not empty")
    where = await asyncio.to_thread(make_private, folder or server_folder())
    login = credentials or stored_credentials(where)
    lock = try_lock(where / GUARDIAN_LOCK, shared=False)
    if lock is None:
        raise ServerFailed(
            f"a server runs in {where} already: end the programs that use it, or give another data folder"
        )
    stamp = failure_stamp(where)
    config = render(options or ServerOptions(), where)
    child = await asyncio.to_thread(_start, where, lock, config, host, port, login)
    ended = _watch(child)
    try:
        address = await _up(where, stamp, ended, timeout_s)
        yield ForegroundServer(where, address, ended)
    finally:
        await _stop(child, ended)


def stored_credentials(folder: Path) -> Credentials:
    """The credentials in the folder, made if there are none. Raises `ServerFailed` when they can't be read."""
    path = folder / CREDENTIALS
    try:
        stored = json.loads(path.read_text("utf-8"))
        return Credentials(user=str(stored["user"]), password=str(stored["password"]))
    except FileNotFoundError:
        made = Credentials(user="agentbus", password=secrets.token_hex(24))
        write_private(str(path), json.dumps({"user": made.user, "password": made.password}))
        return made
    except (ValueError, KeyError, TypeError, ConfigurationError) as error:
        raise ServerFailed(f"{path} holds no user and password: delete it to have new ones made") from error


def _start(
    folder: Path, lock: FileLock, config: str, host: str, port: int, login: Credentials
) -> subprocess.Popen[bytes]:
    try:
        binary = str(find_server())
        write_private(str(folder / CONFIG), config)
        plan: Plan = {
            "binary": binary,
            "foreground": True,
            "host": host,
            "port": port,
            "user": login.user,
            "password": login.password,
        }
        return spawn(folder, lock, plan, stdout=subprocess.PIPE)
    finally:
        lock.forget()


def _watch(child: subprocess.Popen[bytes]) -> asyncio.Future[None]:
    """Done when the guardian ends: it never writes to its standard output, so readable means closed."""
    assert child.stdout is not None
    loop, fd = asyncio.get_running_loop(), child.stdout.fileno()
    ended: asyncio.Future[None] = loop.create_future()

    def closed() -> None:
        loop.remove_reader(fd)
        ended.set_result(None)

    loop.add_reader(fd, closed)
    return ended


async def _up(
    folder: Path, stamp: tuple[int, int] | None, ended: asyncio.Future[None], timeout_s: float
) -> ServerAddress:
    address: ServerAddress | None = None
    try:
        async with asyncio.timeout(timeout_s):
            while not ended.done():
                address = read_address(folder)
                if address is not None and await answers(address):
                    return address
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise ServerFailed(late_text(folder, address, timeout_s)) from None
    if failure_stamp(folder) == stamp:
        raise ServerFailed(f"the server in {folder} was stopped before it was up")
    raise ServerFailed(failure_text(folder))


async def _stop(child: subprocess.Popen[bytes], ended: asyncio.Future[None]) -> None:
    """Closes the guardian's standard input, which tells it to stop its server and end."""
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        child.stdin.close()
    try:
        async with asyncio.timeout(_STOP_S):
            await asyncio.shield(ended)
    except TimeoutError:
        child.kill()
    finally:
        if not ended.done():
            asyncio.get_running_loop().remove_reader(child.stdout.fileno())
            ended.cancel()
        child.stdout.close()
        await asyncio.to_thread(child.wait)
