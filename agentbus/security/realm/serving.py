"""A realm's nats-server in the foreground: for as long as a program that was started for it runs."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from ...errors import NotConnected, ServerFailed
from ...transports.nats import Endpoint, NatsTransport
from ...transports.server_binary import find_server
from ..trust import trusting
from .folder import RealmFolder

OUTPUT = "server.out"
_TAIL = 2000
_STOP_S = 5.0
_LAST_WORDS_S = 1.0


class RealmServer:
    """A running server of a realm.

    Attributes:
        folder: its own: configuration, data, output.
        pid: its process.
    """

    def __init__(self, folder: Path, process: Process) -> None:
        self.folder = folder
        self.pid = process.pid
        self._process = process

    async def wait(self) -> None:
        """Waits, for ever if need be, until the server ends by itself, and raises `ServerFailed` then."""
        await self._process.wait()
        raise ServerFailed(_ended(self.folder))


@asynccontextmanager
async def serve_realm(realm: RealmFolder, *, now_s: int, timeout_s: float = 10.0) -> AsyncGenerator[RealmServer]:
    """Runs the realm's first server for as long as the context is open; it ends also when this process is killed.

    Raises:
        ServerFailed: it does not come up; the text holds the end of what it said.
    """
    folder = realm.server()
    binary = await asyncio.to_thread(find_server)
    with (folder / OUTPUT).open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            binary, "-c", "server.conf", cwd=folder, stdout=output, stderr=output, preexec_fn=_die_with_parent
        )
    try:
        await _until_up(realm, process, now_s, timeout_s)
        yield RealmServer(folder, process)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(_STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _until_up(realm: RealmFolder, process: Process, now_s: int, timeout_s: float) -> None:
    """Returns when the server lets the operator in."""
    pair, user = realm.system_user(now_s)
    public = realm.public
    url = public.urls[0]

    async def endpoint() -> Endpoint:
        return Endpoint(url=url, jwt=user, sign=pair.sign, tls=trusting(public), tls_first=public.tls_first)

    transport = NatsTransport(url, name="probe", tls=trusting(public), resolve=endpoint)
    connecting = asyncio.ensure_future(transport.connect(timeout_s=timeout_s))
    ending = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait((connecting, ending), return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            raise ServerFailed(_ended(realm.server()))
        await connecting
    except NotConnected as error:
        await asyncio.wait(
            (ending,), timeout=_LAST_WORDS_S
        )  # another server on its port may have answered in its place
        if ending.done():
            raise ServerFailed(_ended(realm.server())) from None
        raise ServerFailed(f"the server in {realm.server()} is not up after {timeout_s:g} s: {error}") from None
    finally:
        connecting.cancel()
        ending.cancel()
        await asyncio.wait((connecting, ending))
        await transport.close()


def _ended(folder: Path) -> str:
    text = (folder / OUTPUT).read_text("utf-8", "replace")[-_TAIL:].strip()
    return f"the server in {folder} has ended; it said at last:\n{text}"


def _die_with_parent() -> None:
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, int(signal.SIGKILL), 0, 0, 0)
