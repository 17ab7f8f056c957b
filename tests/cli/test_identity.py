"""``agentbus realm`` and ``agentbus identity``: what they write, and how they fail. That they work on a running realm
is shown by the guide's test."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from agentbus.cli.program import main
from agentbus.errors import ConfigurationError
from agentbus.security import Credentials
from agentbus.security.admission import Admitted, Application, Quorum
from agentbus.security.realm.demands import Demands, read_demands
from agentbus.security.realm.folder import RealmFolder
from agentbus.security.realm.tokens import read_application, read_voucher


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Commands say how this process logs: other tests are not to find it so."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


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
    assert "nor an enrolled node" in failure(capsys, "identity", "revoke", "nobody", "--realm-dir", realm)


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
        (["identity", "enroll", "x", "--node", "n", "--joiner", "y"], 1, "nothing to read in y"),
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


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--admit", "friendship"], "use join-key, quorum:K or puzzle:BITS"),
        (["--admit", "quorum:0"], "admits nobody"),
        (["--admit", "quorum:1", "--admit", "quorum:2"], "name each form once"),
        (["--admit", "puzzle:25"], "24 bits at most"),
        (["--quota", "many"], "is no quota"),
        (["--quota", "1/0"], "is no quota"),
        (["--quota", "1/60:no-vote!"], "is no quota"),
    ],
)
def test_demands_that_can_not_be(
    tmp_path: Path, words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert why in failure(capsys, "realm", "init", str(tmp_path / "r"), *words)
    assert not (tmp_path / "r").exists()


def test_what_an_enroller_demands_is_a_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "r"
    words = ["--admit", "quorum:2", "--admit", "puzzle:8", "--quota", "5/86400:no-vote", "--probation", "60"]
    assert main(["realm", "init", str(folder), *words]) == 0
    demands = read_demands(folder / "enroller")
    assert demands == Demands(admit=("quorum:2", "puzzle:8"), quota="5/86400:no-vote", probation_s=60.0)
    assert demands.demanded_quota() == (5, 86400.0, "no vote")
    path = folder / "enroller" / "admission.json"
    for broken in ("", "{}", '{"admit": ["x"], "quota": "", "probation_s": 0}', '{"admit": 1, "quota": "", "x": 0}'):
        path.write_text(broken)
        with pytest.raises(ConfigurationError, match=r"admission\.json: "):
            read_demands(folder / "enroller")


def test_a_token_is_a_file_and_its_secret_is_shown_nowhere(
    realm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gate.token"
    assert main(["realm", "token", realm, str(path), "--node", "gate", "--agent", "door"]) == 0
    shown = capsys.readouterr()
    secret = json.loads(path.read_text())["token"]
    assert secret not in shown.out + shown.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in (Path(realm) / "enroller" / "register.json").read_text()
    assert "no role 'king'" in failure(capsys, "realm", "token", realm, str(path), "--node", "gate", "--role", "king")
    path.write_text("{}")
    joiner = str(Path(realm) / "joiner.id")
    enroll = ["identity", "enroll", str(tmp_path / "id"), "--joiner", joiner]
    assert "holds no token" in failure(capsys, *enroll, "--token", str(path))
    assert "say what is asked for" in failure(capsys, *enroll, "--token", str(path), "--node", "x", status=2)
    assert "say what is asked for" in failure(capsys, *enroll, status=2)


def test_a_member_vouches_for_what_was_signed_and_not_for_itself(
    realm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, request, word, member = (str(tmp_path / name) for name in ("key", "request", "word", "member.id"))
    joiner = str(Path(realm) / "joiner.id")
    assert main(["identity", "new", key]) == 0
    asking = ["identity", "request", request, "--key", key, "--joiner", joiner, "--node", "hall", "--agent", "door"]
    assert main(asking) == 0
    assert main(["identity", "enroll", member, "--realm-dir", realm, "--node", "anna"]) == 0
    capsys.readouterr()
    assert main(["identity", "vouch", member, request, word, "--json"]) == 0
    assert told(capsys)["agents"] == ["door"]
    asked, voucher = read_application(Path(request)), read_voucher(Path(word))
    assert voucher.key == Credentials.load(member).pair.key
    assert Quorum(1, [voucher.key]).decide(
        Application(body=asked.body, key=asked.wanted.key, realm="plant", node="hall", vouchers=(voucher,)),
        voucher.until_s - 1.0,
    ) == Admitted()  # fmt: skip
    itself = str(tmp_path / "itself.id")
    assert main(["identity", "enroll", itself, "--realm-dir", realm, "--node", "hall", "--key", key]) == 0
    capsys.readouterr()
    assert "nobody vouches for itself" in failure(capsys, "identity", "vouch", itself, request, word, status=2)
    text = Path(request).read_text()
    shown = json.loads(text)
    for damage in ({"signature": shown["signature"][::-1]}, {"application": "AAAA"}, {"application": 1}):
        Path(request).write_text(json.dumps({**shown, **damage}))
        assert failure(capsys, "identity", "vouch", member, request, word)
    Path(word).write_text("{}")
    with pytest.raises(ConfigurationError, match="holds no member's word"):
        read_voucher(Path(word))


def test_what_people_read_in_an_application_is_not_what_is_vouched_for(
    realm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever hands the file on may write another node's name beside what was signed: the command shows what was."""
    key, request, word, member = (str(tmp_path / name) for name in ("key", "request", "word", "member.id"))
    assert main(["identity", "new", key]) == 0
    joiner = str(Path(realm) / "joiner.id")
    assert main(["identity", "request", request, "--key", key, "--joiner", joiner, "--node", "vault"]) == 0
    assert main(["identity", "enroll", member, "--realm-dir", realm, "--node", "anna"]) == 0
    Path(request).write_text(json.dumps({**json.loads(Path(request).read_text()), "node": "hall"}))
    capsys.readouterr()
    assert main(["identity", "vouch", member, request, word, "--json"]) == 0
    assert told(capsys)["node"] == "vault"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["identity", "enroll", "x", "--realm-dir", "REALM", "--token", "t"], "--token"),
        (["identity", "enroll", "x", "--realm-dir", "REALM", "--node", "x", "--join-key", "k"], "--join-key"),
        (["identity", "enroll", "x", "--joiner", "j", "--token", "t", "--role", "operator"], "leave --role"),
        (["identity", "enroll", "x", "--joiner", "j", "--request", "r", "--agent", "a"], "leave --role"),
    ],
)
def test_words_that_would_count_for_nothing(
    realm: str, words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [realm if word == "REALM" else word for word in words]
    assert why in failure(capsys, *words, status=2)


def test_by_hand_and_by_a_token_there_is_no_more_than_the_realm_has(
    realm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for act in (["realm", "token", realm, str(tmp_path / "t")], ["identity", "enroll", str(tmp_path / "t"),
                "--realm-dir", realm]):  # fmt: skip
        assert "no role 'king': there is agent" in failure(capsys, *act, "--node", "x", "--role", "king")
        assert "has no job 'nothing'" in failure(capsys, *act, "--node", "x", "--job", "nothing")
    assert not (tmp_path / "t").exists()


def test_a_node_is_revoked_by_its_name(realm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its key may be one that only whoever stole the former one knows."""
    assert main(["identity", "enroll", str(tmp_path / "id"), "--realm-dir", realm, "--node", "hall"]) == 0
    capsys.readouterr()
    public = Credentials.load(tmp_path / "id").pair.public
    assert "'gate' is neither" in failure(capsys, "identity", "revoke", "gate", "--realm-dir", realm, "--no-push")
    assert main(["identity", "revoke", "hall", "--realm-dir", realm, "--no-push", "--json"]) == 0
    assert told(capsys)["revoked"] == public
    assert public in RealmFolder(realm).state.revoked
    again = ["identity", "enroll", str(tmp_path / "x"), "--realm-dir", realm, "--node", "hall"]
    (tmp_path / "key").write_text(Credentials.load(tmp_path / "id").pair.reveal_seed())
    (tmp_path / "key").chmod(0o600)
    assert "has been revoked" in failure(capsys, *again, "--key", str(tmp_path / "key"))


def test_who_can_vouch_for_nobody_is_told(realm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, asked, joiner = str(tmp_path / "k"), str(tmp_path / "r"), f"{realm}/joiner.id"
    assert main(["identity", "new", key]) == 0
    assert main(["identity", "request", asked, "--key", key, "--joiner", joiner, "--node", "new"]) == 0
    capsys.readouterr()
    assert "vouches for nobody" in failure(capsys, "identity", "vouch", joiner, asked, str(tmp_path / "v"), status=2)


def test_a_value_stands_apart_from_its_name(realm: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["realm", "show", realm]) == 0
    assert "certificate until 2" in capsys.readouterr().out
