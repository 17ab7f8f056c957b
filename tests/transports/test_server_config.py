"""Names, folders and the generated configuration of embedded servers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from agentbus.errors import ConfigurationError, ServerFailed, UnknownScheme
from agentbus.transports.server_binary import find_server
from agentbus.transports.server_config import ServerOptions, embedded_folder, render, server_folder, state_home
from agentbus.transports.server_lock import make_private, try_lock


def test_state_home(tmp_path: Path) -> None:
    assert state_home({"AGENTBUS_HOME": str(tmp_path), "XDG_STATE_HOME": "/state"}) == tmp_path
    assert state_home({"XDG_STATE_HOME": "/state"}) == Path("/state/agentbus")
    assert state_home({"XDG_STATE_HOME": "relative"}) == Path.home() / ".local/state/agentbus"
    assert state_home({"AGENTBUS_HOME": ""}) == Path.home() / ".local/state/agentbus"


def test_embedded_urls(tmp_path: Path) -> None:
    assert embedded_folder("embedded://", home=tmp_path) == server_folder(home=tmp_path) == tmp_path / "server/default"
    assert embedded_folder("embedded:", home=tmp_path) == tmp_path / "server/default"
    assert embedded_folder("embedded://city", home=tmp_path) == tmp_path / "server/city"
    assert embedded_folder("embedded:///srv/a%20b", home=tmp_path) == Path("/srv/a b")


@pytest.mark.parametrize(
    "url", ["embedded://a.b", "embedded://..", "embedded://a/b", "embedded://x?y", "embedded://u:p@h", "embedded://-x"]
)
def test_what_names_no_server(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        embedded_folder(url, home=tmp_path)


def test_other_schemes() -> None:
    with pytest.raises(UnknownScheme, match="embedded://"):
        embedded_folder("nats://127.0.0.1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_payload": 1},
        {"max_payload": (64 << 20) + 1},
        {"sync_interval": "sometimes"},
        {"sync_interval": "0s"},
        {"monitor_port": 0},
        {"max_store_bytes": 0},
        {"max_memory_bytes": -1},
        {"log_bytes": 1},
    ],
)
def test_options_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        ServerOptions(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["plain", "with 'single' and \"double\" quotes", "back\\slash", "ünï $HOME {x} # no"])
def test_nats_server_takes_the_configuration(tmp_path: Path, name: str) -> None:
    folder = make_private(tmp_path / name)
    options = ServerOptions(
        max_payload=1 << 22,
        sync_interval="always",
        max_memory_bytes=1 << 20,
        max_store_bytes=1 << 24,
        monitor_port=8222,
        log_bytes=1 << 16,
    )
    (folder / "server.conf").write_text(render(options, folder), "utf-8")
    login = {"user": "u", "password": 'p"\\ü', "timeout": 5}
    run = {"host": "127.0.0.1", "port": 4222, "server_name": "n", "authorization": login}
    (folder / "run.conf").write_text(json.dumps(run, ensure_ascii=False), "utf-8")
    checked = subprocess.run(
        [find_server(), "-c", folder / "server.conf", "-t"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_the_configuration_follows_from_options_and_folder() -> None:
    assert render(ServerOptions(), Path("/a")) == render(ServerOptions(), Path("/a"))
    assert "sync_interval" not in render(ServerOptions(), Path("/a"))
    assert "http" not in render(ServerOptions(), Path("/a"))
    assert "http" in render(ServerOptions(monitor_port=8222), Path("/a"))


def test_locks(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    first, second = try_lock(path, shared=True), try_lock(path, shared=True)
    assert first is not None
    assert second is not None
    assert try_lock(path, shared=False) is None
    first.release()
    assert not first.held
    with pytest.raises(ServerFailed, match="released"):
        _ = first.fd
    assert second.held
    path.unlink()
    assert not second.held
    second.release()
    with pytest.raises(ServerFailed, match="can't open"):
        try_lock(tmp_path / "nowhere" / "a.lock", shared=True)


def test_a_folder_of_unprintable_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="can't spell"):
        make_private(tmp_path / "new\nline")
