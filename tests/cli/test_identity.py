"""``agentbus realm`` and ``agentbus identity``: what they write, and how they fail. That they work on a running realm
is shown by the guide's test."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from agentbus.cli.program import main
from agentbus.security import Credentials
from agentbus.security.realm.folder import RealmFolder


@pytest.fixture
def realm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A realm's folder, made by the command."""
    folder = str(tmp_path / "realm")
    words = ["--name", "plant", "--bucket", "leases={agent}", "--bucket", "leases={agent}.>", "--job", "forecast"]
    words += ["--escrow", "till"]
    assert main(["realm", "init", folder, *words]) == 0
    capsys.readouterr()
    return folder


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def failure(capsys: pytest.CaptureFixture[str], *words: str, status: int = 1) -> str:
    assert main(words) == status
    caught = capsys.readouterr()
    assert caught.out == ""
    return caught.err


def test_a_realm_is_what_was_asked_for(realm: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["realm", "show", realm, "--json"]) == 0
    shown = told(capsys)
    assert (shown["realm"], shown["urls"], shown["jobs"]) == ("plant", ["tls://127.0.0.1:4222"], ["forecast"])
    assert shown["escrows"] == ["till"]
    assert shown["buckets"] == ["checkpoints={agent}.>", "leases={agent},{agent}.>"]
    layout = RealmFolder(realm).state.layout
    assert layout.streams["KV_plant_leases"] == (
        "$KV.plant_leases.{{tag(agent)}}",
        "$KV.plant_leases.{{tag(agent)}}.>",
    )
    assert "agentbus_plant_shard_forecast_in" in layout.streams


def test_a_realm_is_not_overwritten(realm: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = (Path(realm) / "offline" / "operator.nk").read_text()
    assert "holds a realm already" in failure(capsys, "realm", "init", realm)
    assert (Path(realm) / "offline" / "operator.nk").read_text() == before


@pytest.mark.parametrize(
    "words",
    [
        ["--cluster", "10"],
        ["--cluster", "3", "--host", "a", "--host", "b"],
        ["--name", "a.b"],
        ["--bucket", "a b"],
        ["--job", "a.b"],
        ["--host", "not a host"],
    ],
)
def test_realms_that_can_not_be(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert failure(capsys, "realm", "init", str(tmp_path / "r"), *words).startswith("error: ")
    assert not (tmp_path / "r" / "realm.json").exists()


def test_a_node_is_enrolled_for_a_job_of_the_realms(
    realm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, words = str(tmp_path / "a.id"), ["--realm-dir", realm, "--node", "a", "--agent", "w1"]
    assert main(["identity", "enroll", path, *words, "--job", "forecast", "--json"]) == 0
    assert told(capsys)["jobs"] == ["forecast"]
    assert Credentials.load(path).enrolled.jobs == ("forecast",)
    assert "no job 'nope'" in failure(capsys, "identity", "enroll", path, *words, "--job", "nope")


def test_a_key_is_made_shown_and_enrolled_by_hand(
    realm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, file = tmp_path / "key", tmp_path / "id"
    assert main(["identity", "new", str(key), "--json"]) == 0
    public = told(capsys)["key"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    words = ["--realm-dir", realm, "--node", "hall", "--agent", "door", "--agent", "gate", "--key", str(key)]
    assert main(["identity", "enroll", str(file), *words, "--json"]) == 0
    assert told(capsys)["key"] == public
    assert main(["identity", "show", str(file), "--json"]) == 0
    shown = told(capsys)
    assert (shown["key"], shown["node"], shown["role"], shown["agents"]) == (public, "hall", "agent", ["door", "gate"])
    assert Credentials.load(file).enrolled.names == ("door", "gate")
    assert "is there already" in failure(capsys, "identity", "new", str(key))


def test_revoking_by_file_and_by_key(realm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "id")
    assert main(["identity", "enroll", file, "--realm-dir", realm, "--node", "hall"]) == 0
    public = Credentials.load(file).pair.public
    capsys.readouterr()
    assert main(["identity", "revoke", file, "--realm-dir", realm, "--no-push", "--json"]) == 0
    assert told(capsys)["revoked"] == public
    assert public in RealmFolder(realm).state.revoked
    assert main(["identity", "revoke", public, "--realm-dir", realm, "--no-push"]) == 0
    capsys.readouterr()
    assert "is not the public NKEY" in failure(capsys, "identity", "revoke", "nobody", "--realm-dir", realm)


def test_rotating_changes_the_key_that_issues(realm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = RealmFolder(realm).public.roles["agent"]
    assert main(["realm", "rotate", realm, "agent", "--no-push"]) == 0
    after = RealmFolder(realm).public.roles["agent"]
    assert after[1:] == before[:1]
    assert main(["realm", "rotate", realm, "agent", "--cut", "--no-push"]) == 0
    assert len(RealmFolder(realm).public.roles["agent"]) == 1
    capsys.readouterr()
    assert "no role 'king'" in failure(capsys, "realm", "rotate", realm, "king", status=2)


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (["identity", "enroll", "x", "--node", "n"], 2, "by hand with --realm-dir, or over the bus"),
        (["identity", "enroll", "x", "--node", "n", "--joiner", "y"], 2, "--join-key"),
        (["identity", "enroll", "x", "--node", "n", "--realm-dir", "nowhere"], 1, "agentbus realm init makes a realm"),
        (["identity", "show", "nowhere"], 1, "agentbus identity new makes one"),
        (["identity", "rotate", "nowhere"], 1, "agentbus identity enroll makes one"),
        (["ps", "--identity", "nowhere"], 1, "agentbus identity enroll makes one"),
        (["realm", "push", "nowhere"], 1, "agentbus realm init makes a realm"),
        (["server", "--secure", "--show-credentials"], 2, "knows no password"),
    ],
)
def test_what_is_missing(words: list[str], status: int, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert why in failure(capsys, *words, status=status)


def test_the_servers_of_a_realm_that_is_down(realm: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = RealmFolder(realm)
    assert folder.public.urls == ("tls://127.0.0.1:4222",)
    state = json.loads((Path(realm) / "realm.json").read_text())
    state["realm"]["urls"] = ["tls://127.0.0.1:1"]
    (Path(realm) / "realm.json").write_text(json.dumps(state))
    assert "NotConnected" in failure(capsys, "realm", "push", realm)


def test_without_the_operators_keys(realm: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = (Path(realm) / "enroller" / "roles" / "agent.nk").read_text()
    (Path(realm) / "offline").rename(Path(realm) / "elsewhere")
    assert "no key in" in failure(capsys, "realm", "rotate", realm, "agent", "--no-push")
    assert (Path(realm) / "enroller" / "roles" / "agent.nk").read_text() == before
