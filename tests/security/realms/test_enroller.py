"""Who is enrolled, as what, and who is not: the desk's decisions, without a bus."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentbus.errors import AgentBusError, Busy, ConfigurationError, Refused, Unauthorized
from agentbus.security import KeyPair, Kind, RealmFile, verified_enrolment
from agentbus.security.admission import (
    Admission,
    AllOf,
    Challenge,
    Puzzle,
    Quorum,
    Quota,
    RealmKey,
    join_proof,
    solve,
    vouch,
)
from agentbus.security.electorate import Member, Register
from agentbus.security.electorate.codec import MAX_BYTES, MAX_SEATS
from agentbus.security.enroller import deciding
from agentbus.security.enroller.admission import StillEnrolled, Terms
from agentbus.security.enroller.codec import (
    EnrolmentRequest,
    application_of,
    decode_request,
    encode_proofs,
    encode_request,
    encode_wish,
)
from agentbus.security.enroller.deciding import TOKEN, Desk, Standing
from agentbus.security.enroller.model import NEWCOMER, RENEWAL, Proofs, Token, Wish
from agentbus.security.keys import KEY_BYTES
from agentbus.security.realm import books as books_module
from agentbus.security.realm.books import BOOKS, Books, open_books, read_books
from agentbus.security.realm.claims import decode
from agentbus.security.realm.issuing import MAX_NODE, Issued, Wanted, issue
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


def body_of(wish: Wish) -> bytes:
    """What vouchers and all other proofs are about."""
    return application_of(encode_wish(wish))


class Office:
    """A desk, its register, and who asks it."""

    def __init__(
        self,
        *policies: Admission,
        terms: Terms | None = None,
        jobs: tuple[str, ...] = (),
        members: tuple[Member, ...] = (),
    ) -> None:
        self.standing = STANDING
        renewal = StillEnrolled(lambda: self.standing.public.issuers, "plant", self._void)
        policy = AllOf(*(policies or (RealmKey(SECRET),)))
        self.desk = Desk(policy, renewal, KEYS.__getitem__, terms=terms or Terms(jobs=frozenset(jobs)))
        self.register = Register("plant", KEYS["enroller"], members=members)
        self.tokens: dict[bytes, Token] = {}
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

    def decide(self, request: EnrolmentRequest, now_s: float = NOW) -> Issued | Challenge:
        return self.desk.decide(decode_request(request), self.standing, self.register, self.tokens, now_s)

    def ask(self, request: EnrolmentRequest, now_s: float = NOW) -> Issued:
        issued = self.decide(request, now_s)
        assert isinstance(issued, Issued)
        return issued

    def come(self, wish: Wish, proofs: Proofs, pair: KeyPair = PAIR) -> EnrolmentRequest:
        return encode_request(wish, pair, NEWCOMER, encode_proofs(proofs))

    def join(self, pair: KeyPair = PAIR, *, secret: str = SECRET, now_s: float = NOW, **other: Any) -> Issued:
        wish = self.wish(pair, **other)
        return self.ask(self.come(wish, Proofs(join=join_proof(secret, body_of(wish))), pair), now_s)

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
    with pytest.raises(Refused, match="nobody is admitted over the bus as"):
        Office().join(role=role)


@pytest.mark.parametrize(
    "other", [{"names": ("*",)}, {"node": "enroller"}, {"node": "joiner"}, {"names": ("door", "enroller")}]
)
def test_the_join_key_gives_no_name_that_would_hear_others(other: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"agents of any name|is reserved"):
        Office().join(**other)


def test_the_join_key_gives_the_jobs_that_the_operator_says() -> None:
    with pytest.raises(Refused, match="nobody is admitted over the bus for job 'press'"):
        Office().join(jobs=("press",))
    office = Office(jobs=("press", "mill"))
    held = office.join(jobs=("mill",))
    assert decode(held.jwt)["nats"]["tags"] == ["agent:door", "job:mill"]
    again = office.renew(held, jobs=("mill",))
    assert verified_enrolment(again.enrolment, REALM.issuers, "plant", NOW).jobs == ("mill",)
    with pytest.raises(Refused, match="nobody is admitted over the bus for job 'forge'"):
        office.join(jobs=("mill", "forge"))


def test_another_join_key() -> None:
    with pytest.raises(Refused, match="not this realm's join key") as caught:
        Office().join(secret="guessed")
    assert SECRET not in str(caught.value)


def test_a_key_that_is_not_held() -> None:
    office = Office()
    wish = office.wish(PAIR)
    request = office.come(wish, Proofs(join=join_proof(SECRET, body_of(wish))), OTHER)
    with pytest.raises(Unauthorized, match="does not hold the key"):
        office.ask(request)


def test_a_request_that_was_made_before() -> None:
    office = Office()
    wish = office.wish()
    request = office.come(wish, Proofs(join=join_proof(SECRET, body_of(wish))))
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
    with pytest.raises(Refused, match="nobody comes as 'friendship' here: newcomer, renewal"):
        office.ask(encode_request(office.wish(), PAIR, "friendship", b""))


def test_a_name_belongs_to_one_key_as_long_as_it_is_valid() -> None:
    office = Office()
    office.join()
    with pytest.raises(Refused, match="enrolled with another key, until 3600 s from now"):
        office.join(OTHER)
    office.join(OTHER, now_s=NOW + 3601, asked_s=NOW + 3601)
    again = Office(members=office.register.members)
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


def test_who_has_given_its_seat_up_is_not_enrolled_anew() -> None:
    """A key that was given up, because somebody else may have it, does not take the node back."""
    office = Office()
    held = office.join()
    office.renew(held, OTHER, former=PAIR)
    for pair, former in ((PAIR, None), (KeyPair(b"\5" * 32), PAIR)):
        with pytest.raises(Refused, match="enrolled with another key"):
            office.renew(held, pair, former=former, now_s=NOW + 1)
    again = office.renew(held, OTHER, former=PAIR, now_s=NOW + 2)  # its answer may have been lost
    assert decode(again.jwt)["sub"] == OTHER.public
    assert [member.key for member in office.register.members] == [OTHER.key]


def test_who_was_replaced_by_hand_does_not_take_the_name_back() -> None:
    office = Office()
    held = office.join()
    office.register.put(Member(key=OTHER.key, node="hall", until_s=NOW + 3600))
    with pytest.raises(Refused, match="enrolled with another key"):
        office.renew(held)


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
    request = office.come(wish, Proofs(join=join_proof(SECRET, body_of(wish))))
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


def test_a_nodes_name_is_short_enough_for_all_seats_to_fit_a_message() -> None:
    """One newcomer of 70 with names of 15,000 characters would have kept all others out."""
    assert MAX_SEATS * (MAX_NODE + 2 * KEY_BYTES + 16) < 3 * MAX_BYTES // 4
    Wanted(key=PAIR.key, node="n" * MAX_NODE, role="agent")
    with pytest.raises(ConfigurationError, match="longer than 64 characters"):
        Wanted(key=PAIR.key, node="n" * (MAX_NODE + 1), role="agent")


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


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"hall": 1}', '{"members": [{}]}', "others may read it"])
def test_names_are_not_free_because_they_cannot_be_read(tmp_path: Path, broken: str) -> None:
    assert read_books(tmp_path) == Books()
    member = Member(key=PAIR.key, node="hall", role="agent", issued_s=NOW, until_s=NOW + 1)
    with open_books(tmp_path) as books:
        books.members = (member,)
    assert read_books(tmp_path).members == (member,)
    path = tmp_path / BOOKS
    if broken.startswith("others"):
        path.chmod(0o644)
    else:
        path.write_text(broken)
    with pytest.raises(ConfigurationError):
        read_books(tmp_path)
    with pytest.raises(ConfigurationError), open_books(tmp_path):
        raise AssertionError("not to be opened")


def test_books_are_whole_or_as_they_were(tmp_path: Path) -> None:
    token = Token(node="hall", role="agent", names=("door",), until_s=NOW)
    with open_books(tmp_path) as books:
        books.tokens = {PAIR.key: token}
        books.quotas = [{b"": [(1.5, PAIR.key)]}]
        books.signed = b"set"
    kept = read_books(tmp_path)
    assert (kept.tokens, kept.quotas, kept.signed) == ({PAIR.key: token}, [{b"": [(1.5, PAIR.key)]}], b"set")
    with suppress(Refused), open_books(tmp_path) as books:
        books.tokens = {}
        raise Refused("no")
    assert read_books(tmp_path) == kept
    assert (tmp_path / BOOKS).stat().st_mode & 0o777 == 0o600


def test_books_that_another_process_has_are_waited_for_and_then_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books_module, "LOCK_S", 0.02)
    with open_books(tmp_path), pytest.raises(Busy, match="try again"), open_books(tmp_path):
        raise AssertionError("two have them")


# -- quorum, puzzle, quota, token --------------------------------------------------------------------------------------

MEMBERS = [KeyPair(bytes([number]) * 32) for number in range(21, 25)]


def enrolled(*, votes: int = 4) -> tuple[Member, ...]:
    return tuple(
        Member(key=each.key, node=f"m{number}", role="agent", votes_from_s=0.0 if number < votes else None)
        for number, each in enumerate(MEMBERS)
    )


class Vouched(Office):
    """An office where two members have to sign."""

    def __init__(self, *more: Admission, votes: int = 4) -> None:
        super().__init__(Quorum(2), *more, members=enrolled(votes=votes))

    def vouched(self, *vouchers: Any, pair: KeyPair = PAIR, now_s: float = NOW, **other: Any) -> Issued:
        wish = self.wish(pair, asked_s=int(now_s), **other)
        return self.ask(self.come(wish, Proofs(vouchers=vouchers), pair), now_s)


def word(*members: KeyPair, wish: Wish | None = None, until_s: float = NOW + 100, **other: Any) -> list[Any]:
    body = body_of(wish or Office().wish(**other))
    return [vouch(member, body, until_s) for member in members]


def test_two_members_let_a_newcomer_in_and_the_first_is_its_sponsor() -> None:
    office = Vouched()
    office.vouched(*word(*MEMBERS[:2]))
    assert office.register.member(PAIR.key) == Member(
        key=PAIR.key,
        node="hall",
        role="agent",
        issued_s=NOW,
        until_s=NOW + 3600,
        sponsor=MEMBERS[0].key,
        votes_from_s=NOW,
    )


@pytest.mark.parametrize(
    ("vouchers", "have"),
    [
        (word(MEMBERS[0]), 1),
        (word(MEMBERS[0], MEMBERS[0]), 1),
        ([*word(MEMBERS[0]), word(MEMBERS[1])[0]._replace(signature=b"x" * 64)], 1),
        ([*word(MEMBERS[0]), word(MEMBERS[0])[0]._replace(key=MEMBERS[1].key)], 1),
        (word(MEMBERS[0], PAIR), 1),
        (word(*MEMBERS[:2], node="gate"), 0),
        (word(*MEMBERS[:2], names=("safe",)), 0),
        (word(*MEMBERS[:2], role="observer"), 0),
        (word(*MEMBERS[:2], pair=OTHER), 0),
        (word(*MEMBERS[:2], realm="elsewhere"), 0),
        (word(*MEMBERS[:2], until_s=NOW), 0),
        ([each._replace(until_s=NOW + 200) for each in word(*MEMBERS[:2])], 0),
        (word(MEMBERS[0], OTHER), 1),
    ],
    ids=[
        "one", "the same twice", "forged", "in another's name", "itself", "another node", "other agents",
        "another role", "another key", "another realm", "expired", "made longer", "a stranger",
    ],
)  # fmt: skip
def test_words_that_do_not_count(vouchers: list[Any], have: int) -> None:
    with pytest.raises(Refused, match=f"{have} members? ha(s|ve) signed for it, and it takes 2"):
        Vouched().vouched(*vouchers)


def test_who_has_no_vote_or_has_left_vouches_for_nobody() -> None:
    with pytest.raises(Refused, match="1 member has signed"):
        Vouched(votes=1).vouched(*word(*MEMBERS[:2]))
    office = Vouched()
    office.register.remove(MEMBERS[1].key)
    with pytest.raises(Refused, match="1 member has signed"):
        office.vouched(*word(*MEMBERS[:2]))


def test_a_quota_is_charged_to_who_signed_first_and_outlives_the_desk() -> None:
    quota = Quota(1, 600.0)
    office = Vouched(quota)
    office.vouched(*word(*MEMBERS[:2]))
    second = {"pair": OTHER, "node": "gate"}
    with pytest.raises(Refused, match="its sponsor has had 1 enrolled"):
        office.vouched(*word(*MEMBERS[:2], **second), **second)
    later = Quota(1, 600.0)
    later.recall(quota.kept())
    again = Vouched(later)
    with pytest.raises(Refused, match="its sponsor has had 1 enrolled"):
        again.vouched(*word(*MEMBERS[:2], **second), **second)
    again.vouched(*word(*reversed(MEMBERS[:2]), **second), **second)
    assert again.register.member(OTHER.key).sponsor == MEMBERS[1].key  # type: ignore[union-attr]


def test_a_quota_counts_a_key_again_that_comes_as_another_node() -> None:
    """A key gives its seat to another and comes anew: it would be let in for ever, and each time there is one more."""
    office = Office(RealmKey(SECRET), Quota(1, 3600.0))
    office.renew(office.join(), OTHER, former=PAIR)
    with pytest.raises(Refused, match="has had 1 enrolled"):
        office.join(node="gate")
    assert [member.node for member in office.register.members] == ["hall"]


def test_a_sponsor_is_a_member_that_has_signed_whatever_else_is_demanded() -> None:
    """Without a quota nobody else looks, and a sponsor answers for whom it has brought (`Scores`)."""
    office = Vouched()
    forged = word(MEMBERS[2])[0]._replace(signature=b"x" * 64)
    office.vouched(forged, *word(*MEMBERS[:2]))
    assert office.register.member(PAIR.key).sponsor == MEMBERS[0].key  # type: ignore[union-attr]


def test_what_is_shown_is_signed_for_too() -> None:
    """Who carries the request can't have another sponsor charged."""
    office = Vouched()
    wish = office.wish()
    first, second = word(*MEMBERS[:2], wish=wish)
    request = office.come(wish, Proofs(vouchers=(first, second)))
    request.proof = encode_proofs(Proofs(vouchers=(second, first)))
    with pytest.raises(Unauthorized, match="does not hold the key"):
        office.ask(request)


def test_a_puzzle_is_told_and_its_solution_counts_once_for_one_key_in_time() -> None:
    office = Office(Puzzle(8, b"s" * 16))
    wish = office.wish()
    puzzle = office.decide(office.come(wish, Proofs()))
    assert isinstance(puzzle, Challenge)
    assert office.register.members == ()
    solution = solve(puzzle.nonce, PAIR.key, "plant", puzzle.bits)
    late = office.wish(asked_s=NOW + 120)
    with pytest.raises(Refused, match="good for 120 s"):
        office.ask(office.come(late, Proofs(solution=solution)), NOW + 120)
    other = office.wish(OTHER, node="gate")
    with pytest.raises(Refused, match="not one of this enroller's, for this key"):
        office.ask(office.come(other, Proofs(solution=solution), OTHER))
    office.ask(office.come(office.wish(), Proofs(solution=solution)))
    with pytest.raises(Refused, match="has been used"):
        office.ask(office.come(office.wish(), Proofs(solution=solution)))
    with pytest.raises(Refused, match="not one of this enroller's"):  # it was started again
        Office(Puzzle(8, b"t" * 16)).ask(office.come(office.wish(), Proofs(solution=solution)))


TICKET = KeyPair(b"\x31" * 32)


class Gate(Office):
    """An office that knows one token, and admits nobody else."""

    def __init__(self, until_s: float = NOW + 100, **facts: Any) -> None:
        super().__init__(Quorum(1))
        told = {"node": "hall", "role": "agent", "names": ("door",), **facts}
        self.tokens = {TICKET.key: Token(until_s=until_s, **told)}

    def enter(self, pair: KeyPair = PAIR, *, ticket: KeyPair = TICKET, now_s: float = NOW, **other: Any) -> Issued:
        wish = self.wish(pair, asked_s=int(now_s), **other)
        shown = (TICKET.key, ticket.sign(TOKEN + body_of(wish)))
        return self.ask(self.come(wish, Proofs(token=shown), pair), now_s)


def test_a_token_admits_once() -> None:
    office = Gate()
    office.enter()
    assert office.tokens == {}
    assert office.register.member(PAIR.key).votes(NOW)  # type: ignore[union-attr]
    with pytest.raises(Refused, match="or it has been used"):
        office.enter(OTHER, node="gate")
    with pytest.raises(Refused, match="or it has been used"):
        office.enter()


@pytest.mark.parametrize("other", [{"node": "gate"}, {"role": "observer"}, {"names": ("door", "safe")}, {"names": ()}])
def test_a_token_admits_as_what_it_says(other: dict[str, Any]) -> None:
    office = Gate()
    with pytest.raises(Refused, match="the token is for node 'hall' as 'agent', for agents door"):
        office.enter(**other)
    assert office.tokens, "it is not used up"


def test_a_token_by_hand_admits_as_more_than_a_newcomer_may_be() -> None:
    office = Gate(role="operator", names=("*",))
    office.enter(role="operator", names=("*",))
    assert not office.register.member(PAIR.key).votes(NOW)  # type: ignore[union-attr]


def test_a_token_that_has_expired_is_forged_or_is_of_a_taken_name() -> None:
    office = Gate()
    with pytest.raises(Refused, match="expired"):
        office.enter(now_s=NOW + 100)
    with pytest.raises(Refused, match="no token of this realm"):
        office.enter(ticket=OTHER)
    office.register.put(Member(key=OTHER.key, node="hall", until_s=NOW + 50))
    with pytest.raises(Refused, match="enrolled with another key, until 50 s"):
        office.enter()
    assert office.tokens


def test_a_vote_is_an_agents() -> None:
    office = Office()
    office.join()
    office.join(OTHER, node="eye", role="observer", names=())
    assert [seat.votes for seat in office.register.issue(NOW)[0].seats if seat.node == "eye"] == [False]
    assert [seat.votes for seat in office.register.issue(NOW)[0].seats if seat.node == "hall"] == [True]


def test_who_is_enrolled_anew_gets_no_vote_by_that() -> None:
    office = Office(RealmKey(SECRET), Quota(0, 60.0, beyond="no vote"))
    held = office.join()
    office.renew(held, now_s=NOW + 600)
    moved = office.renew(held, OTHER, former=PAIR, now_s=NOW + 700)
    assert decode(moved.jwt)["sub"] == OTHER.public
    (member,) = office.register.members
    assert (member.key, member.votes_from_s, member.until_s) == (OTHER.key, None, NOW + 700 + 3600)
