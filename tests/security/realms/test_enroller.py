"""Who is enrolled, as what, and who is not: the desk's decisions, without a bus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentbus.errors import AgentBusError, ConfigurationError, Refused, Unauthorized
from agentbus.security import KeyPair, Kind, RealmFile, verified_enrolment
from agentbus.security.enroller import deciding
from agentbus.security.enroller.admission import JOIN_KEY, RENEWAL, JoinKey, StillEnrolled, join_proof
from agentbus.security.enroller.codec import EnrolmentRequest, decode_request, encode_request, encode_wish
from agentbus.security.enroller.deciding import Desk, Standing
from agentbus.security.enroller.model import Wish
from agentbus.security.realm.claims import decode
from agentbus.security.realm.folder import read_taken, write_taken
from agentbus.security.realm.issuing import Issued, Wanted, issue
from agentbus.security.realm.permissions import ROLES

NOW = 1_000_000
SECRET = "the-join-key-that-nobody-is-told"
KEYS = {role: KeyPair(bytes([number]) * 32, Kind.ACCOUNT) for number, role in enumerate(ROLES, 10)}
OPERATOR = KeyPair(b"\1" * 32, Kind.OPERATOR)
ACCOUNT = KeyPair(b"\2" * 32, Kind.ACCOUNT)
PAIR, OTHER = KeyPair(b"\3" * 32), KeyPair(b"\4" * 32)
REALM = RealmFile(
    realm="plant",
    operator=OPERATOR.public,
    account=ACCOUNT.public,
    system_account=ACCOUNT.public,
    roles={role: (key.public,) for role, key in KEYS.items()},
    urls=("tls://127.0.0.1:4222",),
)
STANDING = Standing(public=REALM, revoked={})


class Office:
    """A desk, and who asks it."""

    def __init__(self, *, jobs: tuple[str, ...] = (), **options: Any) -> None:
        self.standing = STANDING
        renewal = StillEnrolled(lambda: self.standing.public.issuers, "plant", self._void)
        self.desk = Desk((JoinKey(SECRET, jobs=jobs), renewal), KEYS.__getitem__, **options)
        self.asked = 0

    def _void(self, key: bytes, issued_s: int) -> bool:
        return self.standing.void(key, issued_s)

    def wish(self, pair: KeyPair = PAIR, **other: Any) -> Wish:
        self.asked += 1
        wanted = Wanted(
            key=pair.key,
            node=other.pop("node", "hall"),
            role=other.pop("role", "agent"),
            names=other.pop("names", ("door",)),
            jobs=other.pop("jobs", ()),
        )
        told = {"realm": "plant", "asked_s": NOW, "valid_s": 0, "nonce": self.asked.to_bytes(16, "big"), **other}
        return Wish(wanted=wanted, **told)

    def ask(self, request: EnrolmentRequest, now_s: float = NOW) -> Issued:
        return self.desk.decide(decode_request(request), self.standing, now_s)

    def join(self, pair: KeyPair = PAIR, *, secret: str = SECRET, now_s: float = NOW, **other: Any) -> Issued:
        wish = self.wish(pair, **other)
        return self.ask(encode_request(wish, pair, JOIN_KEY, join_proof(secret, encode_wish(wish))), now_s)

    def renew(
        self, held: Issued, pair: KeyPair = PAIR, *, former: KeyPair | None = None, now_s: float = NOW, **other: Any
    ) -> Issued:
        wish = self.wish(pair, asked_s=int(now_s), **other)
        return self.ask(encode_request(wish, pair, RENEWAL, held.enrolment, former), now_s)


def test_who_knows_the_join_key_is_enrolled_for_an_hour_at_most() -> None:
    issued = Office().join(valid_s=10**6)
    enrolled = verified_enrolment(issued.enrolment, REALM.issuers, "plant", NOW)
    claims = decode(issued.jwt)
    assert (enrolled.key, enrolled.node, enrolled.role, enrolled.names) == (PAIR.key, "hall", "agent", ("door",))
    assert enrolled.expires_s == claims["exp"] == NOW + 3600
    assert (claims["sub"], claims["iss"], claims["name"]) == (PAIR.public, KEYS["agent"].public, "hall")
    assert claims["nats"]["tags"] == ["agent:door"]
    assert decode(Office().join(valid_s=60).jwt)["exp"] == NOW + 60
    assert SECRET not in repr(issued)


@pytest.mark.parametrize("role", ["operator", "enroller", "joiner", "nobody"])
def test_the_join_key_makes_nobody_an_operator(role: str) -> None:
    with pytest.raises(Refused, match="admits nobody as"):
        Office().join(role=role)


@pytest.mark.parametrize(
    "other", [{"names": ("*",)}, {"node": "enroller"}, {"node": "joiner"}, {"names": ("door", "enroller")}]
)
def test_the_join_key_gives_no_name_that_would_hear_others(other: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"agents of any name|is reserved"):
        Office().join(**other)


def test_the_join_key_gives_the_jobs_that_the_operator_says() -> None:
    with pytest.raises(Refused, match="admits nobody for job 'press'"):
        Office().join(jobs=("press",))
    office = Office(jobs=("press", "mill"))
    held = office.join(jobs=("mill",))
    assert decode(held.jwt)["nats"]["tags"] == ["agent:door", "job:mill"]
    again = office.renew(held, jobs=("mill",))
    assert verified_enrolment(again.enrolment, REALM.issuers, "plant", NOW).jobs == ("mill",)
    with pytest.raises(Refused, match="admits nobody for job 'forge'"):
        office.join(jobs=("mill", "forge"))


def test_another_join_key() -> None:
    with pytest.raises(Refused, match="not this realm's join key") as caught:
        Office().join(secret="guessed")
    assert SECRET not in str(caught.value)


def test_a_key_that_is_not_held() -> None:
    office = Office()
    wish = office.wish(PAIR)
    request = encode_request(wish, OTHER, JOIN_KEY, join_proof(SECRET, encode_wish(wish)))
    with pytest.raises(Unauthorized, match="does not hold the key"):
        office.ask(request)


def test_a_request_that_was_made_before() -> None:
    office = Office()
    wish = office.wish()
    request = encode_request(wish, PAIR, JOIN_KEY, join_proof(SECRET, encode_wish(wish)))
    office.ask(request)
    with pytest.raises(Refused, match="made before"):
        office.ask(request)


@pytest.mark.parametrize("late_s", [-100, 100, 10**6])
def test_a_request_of_another_time(late_s: int) -> None:
    with pytest.raises(Refused, match="set the clocks"):
        Office().join(now_s=NOW + late_s)


def test_another_realm() -> None:
    with pytest.raises(Refused, match="not 'elsewhere'"):
        Office().join(realm="elsewhere")


def test_a_form_of_admission_that_is_not_there() -> None:
    office = Office()
    with pytest.raises(Refused, match="no admission by 'friendship' here: join-key, renewal"):
        office.ask(encode_request(office.wish(), PAIR, "friendship", b""))


def test_a_name_belongs_to_one_key_as_long_as_it_is_valid() -> None:
    office = Office()
    office.join()
    with pytest.raises(Refused, match="enrolled with another key, until 3600 s from now"):
        office.join(OTHER)
    office.join(OTHER, now_s=NOW + 3601, asked_s=NOW + 3601)
    again = Office(taken=office.desk.taken)
    with pytest.raises(Refused, match="enrolled with another key"):
        again.join(PAIR, now_s=NOW + 3602, asked_s=NOW + 3602)


def test_who_is_enrolled_is_enrolled_anew() -> None:
    office = Office()
    held = office.join()
    later = office.renew(held, now_s=NOW + 2400)
    assert verified_enrolment(later.enrolment, REALM.issuers, "plant", NOW + 2400).expires_s == NOW + 6000


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"role": "operator"}, "not enrolled anew as anything else"),
        ({"node": "gate"}, "not enrolled anew as anything else"),
        ({"names": ("door", "safe")}, "names that it was not enrolled for"),
        ({"names": ("*",)}, "names that it was not enrolled for"),
        ({"jobs": ("press",)}, "jobs that it was not enrolled for"),
    ],
)
def test_for_nothing_more(other: dict[str, Any], why: str) -> None:
    office = Office()
    with pytest.raises(Refused, match=why):
        office.renew(office.join(), **other)


def test_not_after_its_end() -> None:
    office = Office()
    with pytest.raises(Unauthorized, match="has expired"):
        office.renew(office.join(), now_s=NOW + 3600)


def test_a_new_key_is_signed_for_by_the_former() -> None:
    office = Office()
    held = office.join()
    with pytest.raises(Unauthorized, match="the former one has to sign"):
        office.renew(held, OTHER)
    with pytest.raises(Unauthorized, match="the former one has to sign"):
        office.renew(held, OTHER, former=KeyPair(b"\5" * 32))
    moved = office.renew(held, OTHER, former=PAIR)
    assert decode(moved.jwt)["sub"] == OTHER.public


def test_nothing_to_who_is_revoked() -> None:
    office = Office()
    held = office.join()
    office.standing = replace(STANDING, revoked={PAIR.public: NOW})
    with pytest.raises(Refused, match="has been revoked"):
        office.renew(held)
    with pytest.raises(Refused, match="has been revoked"):
        office.join()
    with pytest.raises(Refused, match="has been revoked"):
        office.renew(held, OTHER, former=PAIR)
    office.standing = replace(STANDING, revoked={"*": NOW})
    with pytest.raises(Refused, match="has been revoked"):
        office.renew(held)


def test_an_enrolment_by_a_key_that_is_no_longer_the_roles() -> None:
    office = Office()
    held = office.join()
    fresh = KeyPair(b"\6" * 32, Kind.ACCOUNT)
    office.standing = replace(STANDING, public=replace(REALM, roles={**REALM.roles, "agent": (fresh.public,)}))
    with pytest.raises(Unauthorized, match="not by the issuer of role"):
        office.renew(held)


@pytest.mark.parametrize(
    "damage",
    [
        {"wish": b""},
        {"wish": b"\xff\xff"},
        {"wish": b"x" * 9000},
        {"signature": b""},
        {"signature": b"s" * 64},
        {"proof": b""},
    ],
)
def test_requests_that_are_none(damage: dict[str, bytes]) -> None:
    office = Office()
    wish = office.wish()
    request = encode_request(wish, PAIR, JOIN_KEY, join_proof(SECRET, encode_wish(wish)))
    for name, value in damage.items():
        setattr(request, name, value)
    with pytest.raises((Unauthorized, Refused)):
        office.ask(request)


@pytest.mark.parametrize(
    "wrong",
    [
        {"node": "a.b"},
        {"role": ""},
        {"names": ("a*",)},
        {"names": ("*", "b")},
        {"names": ("a",) * 65},
        {"jobs": ("a.b",)},
        {"jobs": ("*",)},
        {"jobs": ("a",) * 17},
    ],
)
def test_what_a_broker_can_not_hold_a_node_to(wrong: dict[str, Any]) -> None:
    with pytest.raises(AgentBusError):
        Wanted(**{"key": PAIR.key, "node": "n", "role": "agent", "names": (), **wrong})


def test_only_the_roles_key_issues_and_not_for_ever() -> None:
    wanted = Wanted(key=PAIR.key, node="hall", role="agent")
    with pytest.raises(ConfigurationError, match="is not the key that issues role 'agent'"):
        issue(wanted, KEYS["observer"], REALM, NOW)
    for valid_s in (0, -1, 10**9):
        with pytest.raises(ConfigurationError, match="validity"):
            issue(wanted, KEYS["agent"], REALM, NOW, valid_s)


def test_who_is_not_admitted_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "MAX_REMEMBERED", 4)
    office = Office()
    for _ in range(8):
        with pytest.raises(Refused, match="not this realm's join key"):
            office.join(OTHER, secret="guessed", node="other")
    office.join()


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"hall": 1}', "others may read it"])
def test_names_are_not_free_because_they_cannot_be_read(tmp_path: Path, broken: str) -> None:
    assert read_taken(tmp_path) == {}
    write_taken(tmp_path, {"hall": (PAIR.key, NOW)})
    assert read_taken(tmp_path) == {"hall": (PAIR.key, NOW)}
    path = tmp_path / "taken.json"
    if broken.startswith("others"):
        path.chmod(0o644)
    else:
        path.write_text(broken)
    with pytest.raises(ConfigurationError):
        read_taken(tmp_path)
