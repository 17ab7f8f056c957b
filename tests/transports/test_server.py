"""The shared embedded server, with real processes: shared, carried on, and never left behind."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest

from agentbus.errors import ConfigurationError, ServerFailed
from agentbus.transports.server import ServerOptions, acquire, acquire_url
from agentbus.transports.server_binary import find_server
from agentbus.transports.server_guardian import GRACE_S
from tests.transports.server_world import (
    alive,
    end_all,
    files_in,
    kill,
    listener,
    open_files,
    processes_in,
    talk,
    until,
    users,
    visible,
    works,
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home for servers; what still runs in it after the test is ended, as not each test waits for the grace time."""
    yield tmp_path
    end_all(tmp_path)


async def test_two_processes_share_one_server_and_the_last_one_stops_it(home: Path) -> None:
    async with users(home, 2) as (one, other):
        first, second = await one.address(), await other.address()
        assert first == second
        assert await works(first)
        await one.quit()
        await asyncio.sleep(GRACE_S + 0.5)  # nothing to wait for: what must not happen is that it stops
        assert await works(second)
        await other.quit()
        await until(lambda: not alive(first.server_pid) and not alive(first.guardian_pid), "server and guardian gone")


async def test_nothing_is_left_when_all_users_are_killed(home: Path) -> None:
    async with users(home, 3) as processes:
        address = (await asyncio.gather(*(user.address() for user in processes)))[0]
        for user in processes:
            kill(user.pid)
        await until(lambda: not alive(address.server_pid) and not alive(address.guardian_pid), "both gone")
    folder = home / "server" / "default"
    assert not (folder / "address.json").exists()


async def test_nothing_is_left_when_users_and_guardian_are_killed(home: Path) -> None:
    async with users(home, 1) as (user,):
        address = await user.address()
        kill(user.pid)
        kill(address.guardian_pid)
        await until(lambda: not alive(address.server_pid), "server gone with its guardian")


async def test_goes_on_when_the_one_that_started_it_is_killed(home: Path) -> None:
    async with users(home, 2) as (starter, other):
        before = await starter.address()
        await other.address()
        os.kill(starter.pid, signal.SIGKILL)
        await starter.kill()
        began = time.monotonic()
        after = await other.address("ensure")
        assert await works(after)
        assert time.monotonic() - began < 5
        assert after == before


async def test_a_killed_server_is_back_at_its_port_with_its_data(home: Path) -> None:
    async with await acquire(home=home) as server:
        before = server.address
        client = await nats.connect(before.url, user=before.user, password=before.password, allow_reconnect=False)
        jetstream = client.jetstream()
        await jetstream.add_stream(name="kept", subjects=["kept.>"])
        for number in range(20):
            await jetstream.publish("kept.it", str(number).encode())
        kill(before.server_pid)
        began = time.monotonic()
        await until(lambda: client.is_closed, "the client has seen it")
        after = await server.ensure(timeout_s=5)
        assert time.monotonic() - began < 5
        assert (after.port, after.guardian_pid) == (before.port, before.guardian_pid)
        assert after.server_pid != before.server_pid
        again = await nats.connect(after.url, user=after.user, password=after.password, allow_reconnect=False)
        info = await again.jetstream().stream_info("kept")
        assert info.state.messages == 20
        await again.close()


async def test_a_password_ends_with_its_server(home: Path) -> None:
    async with await acquire(home=home) as server:
        before = server.address
        kill(before.server_pid)
        await until(lambda: not alive(before.server_pid), "gone")
        after = await server.ensure()
        assert after.port == before.port
        said = await talk(after.port, {"user": before.user, "pass": before.password})
        assert said.startswith("-ERR 'Authorization Violation'")


async def test_a_killed_guardian_takes_the_server_with_it_and_ensure_brings_both_back(home: Path) -> None:
    async with await acquire(home=home) as server:
        before = server.address
        kill(before.guardian_pid)
        await until(lambda: not alive(before.server_pid), "the server is gone")
        began = time.monotonic()
        after = await server.ensure(timeout_s=5)
        assert time.monotonic() - began < 5
        assert after.guardian_pid != before.guardian_pid
        assert after.port == before.port
        assert await works(after)


async def test_a_port_taken_meanwhile_is_given_up(home: Path) -> None:
    async with await acquire(home=home) as server:
        before = server.address
        os.kill(before.guardian_pid, signal.SIGSTOP)  # so that it does not start the server again before we listen
        kill(before.server_pid)
        with await listener(before.port):
            os.kill(before.guardian_pid, signal.SIGCONT)
            await until(lambda: not (server.folder / "address.json").exists(), "the old address is withdrawn")
            after = await server.ensure()
            assert after.port != before.port
            assert await works(after)


async def test_sixteen_processes_at_one_instant_get_one_server(home: Path) -> None:
    async with users(home, 16) as processes:
        addresses = await asyncio.gather(*(user.address() for user in processes))
        assert len({(address.server_pid, address.port) for address in addresses}) == 1
        assert sorted(processes_in(home)) == sorted([addresses[0].server_pid, addresses[0].guardian_pid])


async def test_a_user_that_comes_as_the_last_one_goes_gets_a_lasting_server(home: Path) -> None:
    """Comes at many instants round the one at which the guardian stops its server."""
    for step in range(6):
        (await acquire(home=home)).release()
        await asyncio.sleep(GRACE_S - 0.1 + 0.08 * step)  # an instant to hit, not an event to wait for
        async with await acquire(home=home) as server:
            assert await works(server.address)
            pid = server.address.server_pid
            await asyncio.sleep(0.3)  # as long as a stop would take
            assert alive(pid)


async def test_data_persists_between_sessions_of_one_name_and_not_between_names(home: Path) -> None:
    async with await acquire("first", home=home) as server:
        guardian = server.address.guardian_pid
        client = await nats.connect(
            server.address.url, user=server.address.user, password=server.address.password, allow_reconnect=False
        )
        await client.jetstream().add_stream(name="kept", subjects=["kept"])
        await client.jetstream().publish("kept", b"1")
        await client.close()
    await until(lambda: not alive(guardian), "stopped")
    for name, expected in (("first", ["kept"]), ("second", [])):
        async with await acquire(name, home=home) as server:
            client = await nats.connect(
                server.address.url, user=server.address.user, password=server.address.password, allow_reconnect=False
            )
            assert [stream.config.name for stream in await client.jetstream().streams_info()] == expected
            await client.close()


async def test_stopping_takes_less_than_three_seconds(home: Path) -> None:
    server = await acquire(home=home)
    server.release()
    await until(lambda: not processes_in(home), "server and guardian gone", within_s=3)


@pytest.mark.parametrize(
    "login", [{}, {"user": "agentbus", "pass": "wrong"}, {"user": "agentbus"}, {"user": "", "pass": ""}]
)
async def test_nobody_else_logs_in(home: Path, login: dict[str, str]) -> None:
    async with await acquire(home=home) as server:
        assert (await talk(server.address.port, login)).startswith("-ERR 'Authorization Violation'")


async def test_it_listens_on_the_loopback_only_and_has_no_monitoring(home: Path) -> None:
    async with await acquire(home=home) as server:
        sockets = {f"socket:[{line.split()[9]}]": line.split() for line in _tcp_table()}
        mine = open_files(server.address.server_pid)
        listening = [line[1] for inode, line in sockets.items() if inode in mine and line[3] == "0A"]
        assert listening == [f"0100007F:{server.address.port:04X}"]


def _tcp_table() -> list[str]:
    return [line for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]


async def test_secrets_are_in_private_files_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEBODYS_TOKEN", "do-not-pass-on")
    async with await acquire(home=home) as server:
        address, folder = server.address, server.folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert address.password not in repr(address)
        for file in files_in(folder):
            holds = address.password.encode() in file.read_bytes()
            assert holds == (file.name in ("run.conf", "address.json")), file
            if file.parent == folder:
                assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        for pid in (address.server_pid, address.guardian_pid):
            seen = visible(pid)
            assert address.password.encode() not in seen
            assert b"do-not-pass-on" not in seen


async def test_the_users_lock_is_inherited_by_nobody(home: Path) -> None:
    async with await acquire(home=home) as server:
        address = server.address
        wanted = {"server": set(), "guardian": {"guardian.lock", "users.lock"}}
        for what, pid in (("server", address.server_pid), ("guardian", address.guardian_pid)):
            names = {target.rpartition("/")[2] for target in open_files(pid)}
            assert {"guardian.lock", "users.lock"} & names == wanted[what]
        child = await asyncio.create_subprocess_exec("sleep", "30", close_fds=False)  # outlives the release
        try:
            server.release()
            await until(lambda: not alive(address.server_pid), "stopped, though the child lives")
        finally:
            child.kill()
            await child.wait()


async def test_a_forked_child_has_no_share(home: Path) -> None:
    async with users(home, 1) as (user,):
        address = await user.address()
        answers = [await user.order("fork"), await user.next_answer()]
        child = next(answer["child"] for answer in answers if "child" in answer)
        try:
            told = next(answer for answer in answers if "has_share" in answer)
            assert told["has_share"] is False
            assert "fork" in told["error"]
            assert (await user.address("ensure")) == address
            kill(user.pid)
            await until(lambda: not alive(address.server_pid), "gone, though the forked child lives")
            assert alive(child)
        finally:
            kill(child)


async def test_a_removed_folder_is_made_again(home: Path) -> None:
    async with await acquire(home=home) as server:
        before = server.address
        shutil.rmtree(server.folder)
        await until(lambda: not alive(before.guardian_pid), "the old guardian sees it")
        after = await server.ensure()
        assert after.server_pid != before.server_pid
        assert await works(after)


async def test_stale_files_of_before_do_no_harm(home: Path) -> None:
    folder = home / "server" / "default"
    folder.mkdir(parents=True, mode=0o700)
    bystander = await asyncio.create_subprocess_exec("sleep", "30")
    stale = {"host": "127.0.0.1", "port": 1, "user": "x", "password": "y", "server_name": "z"}
    stale |= {"server_pid": bystander.pid, "guardian_pid": bystander.pid, "machine": "old"}
    (folder / "address.json").write_text(json.dumps(stale))
    (folder / "server.lock").write_text(str(bystander.pid))
    (folder / "failure.txt").write_text("an old failure")
    (folder / "run.conf").write_text("}{")
    try:
        async with await acquire(home=home) as server:
            assert await works(server.address)
        assert bystander.returncode is None
    finally:
        bystander.kill()
        await bystander.wait()


async def test_a_server_that_outlived_its_guardian_is_replaced(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on systems whose kernel does not kill it with its parent: here because its parent is a wrapper in between."""
    wrapper = home / "nats-server"
    wrapper.write_text(f'#!/bin/sh\n"{find_server()}" "$@" &\nwait\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("AGENTBUS_NATS_SERVER", str(wrapper))
    async with await acquire(home=home) as server:
        before = server.address
        kill(before.guardian_pid)
        await until(lambda: not alive(before.server_pid), "the wrapper is gone")
        assert await works(before)  # the orphan
        after = await server.ensure()
        assert after.server_name != before.server_name
        assert await works(after)
        await until(lambda: len(processes_in(home)) == 3, "guardian, wrapper and one server")


async def test_many_shares_in_one_process(home: Path) -> None:
    first, second = await acquire(home=home), await acquire(home=home)
    assert first.address == second.address
    first.release()
    first.release()
    await asyncio.sleep(GRACE_S + 0.5)  # what must not happen is that it stops
    assert await works(await second.ensure())
    with pytest.raises(ServerFailed, match="released"):
        await first.ensure()
    second.release()


async def test_urls(home: Path, tmp_path: Path) -> None:
    by_url = await acquire_url("embedded://one", home=home)
    by_name = await acquire("one", home=home)
    by_path = await acquire_url(f"embedded://{tmp_path}/a%20folder%20with%20%22quotes%22%20and%20%C3%BC")
    assert by_url.address == by_name.address
    assert by_path.folder == tmp_path / 'a folder with "quotes" and ü'
    assert (by_path.folder / "jetstream").is_dir()
    for share in (by_url, by_name, by_path):
        share.release()


async def test_options_of_a_running_server_are_kept_and_contradiction_is_told(home: Path) -> None:
    options = ServerOptions(max_payload=1 << 21, sync_interval="always")
    async with await acquire(home=home, options=options) as first, await acquire(home=home) as second:
        with pytest.raises(ConfigurationError, match="other options"):
            await acquire(home=home, options=ServerOptions())
        kill(first.address.guardian_pid)
        await until(lambda: not alive(first.address.server_pid), "gone")
        address = await second.ensure()  # asked for nothing, but knows what ran
        client = await nats.connect(address.url, user=address.user, password=address.password)
        assert client.max_payload == 1 << 21
        await client.close()
        assert await first.ensure() == address


def _stands_still(process: int) -> bool:
    """Whether each thread is stopped: a stop reaches them one after the other."""
    states = [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{process}/task").glob("*/stat")]
    return bool(states) and set(states) == {"T"}


async def test_a_hung_server_is_told_of_in_time(home: Path) -> None:
    async with await acquire(home=home) as server:
        os.kill(server.address.server_pid, signal.SIGSTOP)
        await until(lambda: _stands_still(server.address.server_pid), "it stands still")
        with pytest.raises(
            ServerFailed, match=r"within 0\.3 s: process \d+ at nats://127\.0\.0\.1:\d+ does not answer"
        ):
            await server.ensure(timeout_s=0.3)
        os.kill(server.address.server_pid, signal.SIGCONT)
        assert await works(await server.ensure())


async def test_another_machines_server_is_told_of(home: Path) -> None:
    async with await acquire(home=home) as server:
        path = server.folder / "address.json"
        written = path.read_text()
        path.write_text(json.dumps(json.loads(written) | {"machine": "elsewhere", "port": 1}))
        with pytest.raises(ServerFailed, match=r"in use by machine 'elsewhere'.* set AGENTBUS_HOME"):
            await server.ensure(timeout_s=0.2)
