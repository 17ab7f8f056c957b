"""The server in the foreground: where it is told to be, with a password always, gone with its program."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentbus.errors import ConfigurationError, ServerFailed
from agentbus.transports.server import acquire
from agentbus.transports.server_config import ServerOptions, server_folder
from agentbus.transports.server_foreground import Credentials, serve
from tests.transports.server_world import alive, end_all, kill, talk, until, works


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield server_folder(home=tmp_path)
    end_all(tmp_path)


async def test_it_runs_where_it_is_told_and_goes_with_the_context(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with serve(folder, port=port, options=ServerOptions(max_payload=1 << 16)) as server:
        assert (server.address.host, server.address.port) == ("127.0.0.1", port)
        assert await works(server.address)
        assert (await talk(port, {})).startswith("-ERR")
        assert "max_payload: 65536" in server.config.read_text()
        assert server.log.is_file()
        pids = (server.address.server_pid, server.address.guardian_pid)
    assert not any(map(alive, pids))
    assert not (folder / "address.json").exists()


async def test_credentials_are_made_once_and_kept_private(folder: Path) -> None:
    async with serve(folder, port=0) as server:
        first = server.address
        path = folder / "credentials.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert json.loads(path.read_text())["password"] == first.password
    async with serve(folder, port=0) as server:
        assert (server.address.user, server.address.password) == (first.user, first.password)


async def test_beyond_the_loopback_a_password_is_wanted_too(folder: Path) -> None:
    login = Credentials(user="me", password='a "quoted" pässword')
    async with serve(folder, host="0.0.0.0", port=0, credentials=login) as server:
        assert server.address.host == "127.0.0.1"
        assert await works(server.address)
        assert (await talk(server.address.port, {})).startswith("-ERR")
    assert "pässword" not in repr(login)


@pytest.mark.parametrize(
    ("user", "password"), [("", "long enough"), ("me", "short"), ("me", ""), ("m\n", "long enough")]
)
def test_credentials_that_protect_nothing_are_refused(user: str, password: str) -> None:
    with pytest.raises(ConfigurationError):
        Credentials(user=user, password=password)


async def test_a_port_in_use_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServerFailed, match=rf"port {port} of 127\.0\.0\.1 \(Address already in use\): stop the"):
            async with serve(folder, port=port):
                pass


async def test_an_address_that_is_not_ours_is_named(folder: Path) -> None:
    with pytest.raises(ServerFailed, match=r"can't listen on port 4999 of 192\.0\.2\.1 .*choose another host"):
        async with serve(folder, host="192.0.2.1", port=4999):
            pass
    with pytest.raises(ConfigurationError, match="65536"):
        async with serve(folder, port=65536):
            pass


async def test_a_folder_in_use_is_named(folder: Path) -> None:
    async with await acquire(folder=folder):
        with pytest.raises(ServerFailed, match=r"runs in .* already: end the programs that use it"):
            async with serve(folder, port=0):
                pass


async def test_shared_users_find_it_and_carry_on_without_it(folder: Path) -> None:
    async with serve(folder, port=0) as server:
        share = await acquire(folder=folder)
        assert share.address == server.address
    after = await share.ensure()
    assert after.password != server.address.password
    assert await works(after)
    share.release()


async def test_wait_tells_when_the_server_ends(folder: Path) -> None:
    async with serve(folder, port=0) as server:
        waiting = asyncio.create_task(server.wait())
        kill(server.address.server_pid)
        async with asyncio.timeout(5):
            with pytest.raises(ServerFailed, match=r"ended by itself"):
                await waiting


async def test_waiting_can_be_cancelled(folder: Path) -> None:
    async with serve(folder, port=0) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await server.wait()
        assert await works(server.address)


PROGRAM = """
import asyncio, signal, sys
from pathlib import Path
from agentbus.transports.server_foreground import serve

async def main():
    async with serve(Path(sys.argv[1]), port=0) as server:
        print(server.address.server_pid, server.address.guardian_pid, flush=True)
        await server.wait()

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
async def test_it_goes_with_its_program(folder: Path, number: int) -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert program.stdout
        pids = [int(pid) for pid in (await program.stdout.readline()).split()]
        assert len(pids) == 2
        os.kill(program.pid, number)
        async with asyncio.timeout(8):
            await program.wait()
        await until(lambda: not any(map(alive, pids)), "server and guardian gone")
    finally:
        if program.returncode is None:
            program.kill()
        await program.communicate()
