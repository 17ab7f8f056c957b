"""Signed epoch sets: the chain of them, and whose votes count."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agentbus.errors import Refused, Unauthorized
from agentbus.security.admission import Admitted, AllOf, Application, Declined, Probation, Quota, vouch
from agentbus.security.electorate import (
    Electorate,
    EpochSet,
    Fork,
    Member,
    Register,
    Seat,
    signed_epoch_set,
    verified_epoch_set,
)
from agentbus.security.electorate.codec import MAX_SEATS, digest
from agentbus.security.keys import KeyPair

ISSUER, STRANGER = KeyPair(b"i" * 32), KeyPair(b"x" * 32)


def pair(number: int) -> KeyPair:
    return KeyPair(number.to_bytes(32, "big"))


def seats(*numbers: int, voteless: tuple[int, ...] = ()) -> tuple[Seat, ...]:
    made = [Seat(key=pair(n).key, node=f"n{n}", votes=n not in voteless) for n in numbers]
    return tuple(sorted(made, key=lambda seat: seat.key))


def epoch(number: int, held: tuple[Seat, ...], previous: bytes = b"") -> bytes:
    made = EpochSet(realm="town", number=number, issued_s=number, issuer=ISSUER.key, previous=previous, seats=held)
    return signed_epoch_set(made, ISSUER)


def test_a_set_is_what_it_was_when_it_was_signed() -> None:
    made = EpochSet(
        realm="town", number=7, issued_s=9, issuer=ISSUER.key, previous=b"p" * 32, seats=seats(1, 2, voteless=(2,))
    )
    assert verified_epoch_set(signed_epoch_set(made, ISSUER), ISSUER.key, "town") == made


@settings(deadline=None)
@given(data=st.data())
def test_no_byte_of_it_can_be_changed_and_none_left_out(data: st.DataObject) -> None:
    signed = epoch(1, seats(1, 2, 3))
    place = data.draw(st.integers(0, len(signed) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != signed[place]))
    for altered in (signed[:place] + bytes([other]) + signed[place + 1 :], signed[:place]):
        with pytest.raises(Unauthorized):
            verified_epoch_set(altered, ISSUER.key, "town")


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_bytes_that_are_none_are_refused(noise: bytes) -> None:
    with pytest.raises(Unauthorized):
        verified_epoch_set(noise, ISSUER.key, "town")


def test_a_set_of_another_realm_or_issuer_is_refused() -> None:
    with pytest.raises(Unauthorized, match="realm 'town', not of 'city'"):
        verified_epoch_set(epoch(1, ()), ISSUER.key, "city")
    with pytest.raises(Unauthorized, match="not signed by the realm's enroller"):
        verified_epoch_set(epoch(1, ()), STRANGER.key, "town")
    made = EpochSet(realm="town", number=1, issued_s=1, issuer=ISSUER.key)
    with pytest.raises(Unauthorized, match="can't sign"):
        signed_epoch_set(made, STRANGER)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"number": 0}, "number from 1"),
        ({"previous": b"short"}, "digest"),
        ({"seats": tuple(reversed(seats(1, 2)))}, "ordered by key"),
        ({"seats": (*seats(1), *seats(1))}, "ordered by key"),
        ({"seats": tuple(replace(seat, node="same") for seat in seats(1, 2))}, "two seats"),
        ({"seats": (Seat(key=b"short", node="n"),)}, "32 bytes"),
        ({"seats": (Seat(key=pair(1).key, node="no name"),)}, "not an epoch set"),
        ({"realm": "a.b"}, "not an epoch set"),
    ],
)
def test_a_set_that_gives_anybody_two_votes_is_none(wrong: dict[str, object], why: str) -> None:
    made = EpochSet(realm="town", number=1, issued_s=1, issuer=ISSUER.key)
    with pytest.raises(Unauthorized, match=why):
        signed_epoch_set(replace(made, **wrong), ISSUER)  # pyright: ignore[reportArgumentType]


def test_later_sets_only() -> None:
    electorate = Electorate("town", ISSUER.key)
    assert (electorate.voters, electorate.votes("n1")) == (0, False)
    first = epoch(1, seats(1, 2))
    second = epoch(2, seats(1, 2, 3), digest(first))
    electorate.take(first)
    electorate.take(second)
    electorate.take(second)
    with pytest.raises(Unauthorized, match="older than 2"):
        electorate.take(first)
    assert electorate.voters == 3
    electorate.take(epoch(9, seats(1), b"m" * 32))  # what was between was missed
    assert electorate.voters == 1
    assert not electorate.forks
    assert Electorate("town", ISSUER.key, electorate.signed).voters == 1


def test_a_fork_is_not_taken_and_is_evidence() -> None:
    electorate = Electorate("town", ISSUER.key)
    first, other = epoch(1, seats(1)), epoch(1, seats(2))
    electorate.take(first)
    with pytest.raises(Unauthorized, match="two different sets of number 1"):
        electorate.take(other)
    follows_other = epoch(2, seats(2), digest(other))
    with pytest.raises(Unauthorized, match="follows another 1"):
        electorate.take(follows_other)
    assert electorate.forks == [Fork(first, other), Fork(first, follows_other)]
    for evidence in electorate.forks[0]:
        verified_epoch_set(evidence, ISSUER.key, "town")
    assert electorate.votes("n1")
    for number in range(3, 40):
        with pytest.raises(Unauthorized):
            electorate.take(epoch(1, seats(number)))
    assert len(electorate.forks) == 16


def test_one_vote_an_identity_and_none_for_names() -> None:
    electorate = Electorate("town", ISSUER.key)
    electorate.take(epoch(1, seats(1, 2, 3, voteless=(3,))))
    one, two, three = (pair(n).key for n in (1, 2, 3))
    assert electorate.count([one, one, one]) == 1
    assert electorate.count([one, two, three, STRANGER.key]) == 2
    assert electorate.votes("n1", one)
    assert not electorate.votes("n1", two)
    assert not electorate.votes("n3")
    assert not electorate.votes("nobody")
    assert electorate.seat(three) == electorate.seat_of("n3")


# -- the enroller's side -----------------------------------------------------------------------------------------------


def asked(number: int, sponsor: KeyPair | None = None, node: str = "") -> Application:
    body = f"n{number}".encode()
    vouchers = (vouch(sponsor, body, 10_000),) if sponsor else ()
    return Application(
        body=body,
        key=pair(number).key,
        realm="town",
        node=node or f"n{number}",
        sponsor=sponsor.key if sponsor else b"",
        vouchers=vouchers,
    )


class RegisterAndElectorate(RuleBasedStateMachine):
    """An enroller admits, strikes off and issues; a member follows, misses some, and always agrees."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.register = Register("town", ISSUER)
        self.member = Electorate("town", ISSUER.key)
        self.model: dict[bytes, float | None] = {}
        self.until: dict[bytes, float] = {}

    def let_expire(self) -> None:
        self.until = {key: until for key, until in self.until.items() if until > self.now}
        self.model = {key: since for key, since in self.model.items() if key in self.until}

    @rule(number=st.integers(1, 12), vote=st.booleans(), after_s=st.floats(0.0, 100.0), valid_s=st.floats(1.0, 200.0))
    def admit(self, number: int, vote: bool, after_s: float, valid_s: float) -> None:
        self.let_expire()
        key = pair(number).key
        self.register.admit(asked(number), Admitted(vote, after_s), self.now, until_s=self.now + valid_s)
        self.model.setdefault(key, self.now + after_s if vote else None)
        self.until[key] = self.now + valid_s

    @rule(number=st.integers(1, 12), valid_s=st.floats(1.0, 200.0))
    def renew(self, number: int, valid_s: float) -> None:
        self.let_expire()
        key = pair(number).key
        self.register.renew(key, f"n{number}", "agent", self.now, until_s=self.now + valid_s)
        self.model.setdefault(key, None)
        self.until[key] = self.now + valid_s

    @rule(number=st.integers(1, 12))
    def remove(self, number: int) -> None:
        self.register.remove(pair(number).key)
        self.model.pop(pair(number).key, None)
        self.until.pop(pair(number).key, None)

    @rule(number=st.integers(1, 12))
    def give_vote(self, number: int) -> None:
        self.let_expire()
        self.register.expire(self.now)
        if pair(number).key in self.model:
            self.register.give_vote(pair(number).key, self.now)
            self.model[pair(number).key] = self.now
        else:
            with pytest.raises(Refused, match="not enrolled"):
                self.register.give_vote(pair(number).key, self.now)

    @rule(pause=st.floats(0.0, 60.0))
    def time_passes(self, pause: float) -> None:
        self.now += pause

    @rule()
    def a_set_is_missed(self) -> None:
        self.register.issue(self.now)

    @rule()
    def a_set_is_taken(self) -> None:
        self.let_expire()
        made, signed = self.register.issue(self.now)
        assert self.member.take(signed) == made
        voting = {key for key, since in self.model.items() if since is not None and since <= self.now}
        assert {seat.key for seat in made.seats} == set(self.model)
        assert {seat.key for seat in made.seats if seat.votes} == voting
        assert self.member.voters == self.member.count(self.model) == len(voting)
        assert self.register.issue(self.now) == (made, signed), "nothing has changed"

    @rule()
    def the_enroller_is_restarted(self) -> None:
        made, signed = self.register.issue(self.now)
        due = self.register.next_deadline()
        self.register = Register("town", ISSUER, (made, signed), self.register.members)
        assert self.register.issue(self.now) == (made, signed)
        assert self.register.next_deadline() == due

    @invariant()
    def nothing_forks(self) -> None:
        assert not self.member.forks


TestRegisterAndElectorate = RegisterAndElectorate.TestCase
TestRegisterAndElectorate.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_a_probation_ends_with_a_set_that_says_so() -> None:
    register = Register("town", ISSUER)
    policy = Probation(30.0)
    decision = policy.decide(asked(1), 100.0)
    assert isinstance(decision, Admitted)
    register.admit(asked(1), decision, 100.0)
    assert register.next_deadline() == 130.0
    assert not register.issue(129.9)[0].seats[0].votes
    register.admit(asked(1), decision, 125.0)  # a renewal begins no other
    assert register.issue(130.0)[0].seats[0].votes
    assert register.next_deadline() is None


def test_a_nodes_name_has_one_key() -> None:
    register = Register("town", ISSUER)
    register.admit(asked(1), Admitted(), 0.0)
    with pytest.raises(Refused, match="another key"):
        register.admit(asked(2, node="n1"), Admitted(), 0.0)


def test_a_key_has_one_name() -> None:
    register = Register("town", ISSUER)
    register.admit(asked(1), Admitted(), 0.0, until_s=50.0)
    with pytest.raises(Refused, match="enrolled as node 'n1': one key, one node, one vote"):
        register.admit(asked(1, node="second"), Admitted(), 0.0)
    register.admit(asked(1, node="second"), Admitted(), 50.0)  # the first has ended


def test_another_key_of_a_node_takes_its_seat_and_its_vote_over() -> None:
    register = Register("town", ISSUER)
    register.admit(asked(1), Admitted(), 0.0, until_s=50.0)
    register.admit(asked(2), Admitted(vote=False), 0.0, until_s=50.0)
    register.renew(pair(11).key, "n1", "agent", 10.0, until_s=60.0, former=pair(1).key)
    register.renew(pair(12).key, "n2", "agent", 10.0, until_s=60.0, former=pair(2).key)
    found = {seat.key: (seat.node, seat.votes) for seat in register.issue(10.0)[0].seats}
    assert found == {pair(11).key: ("n1", True), pair(12).key: ("n2", False)}


def test_who_has_expired_is_in_no_later_set() -> None:
    register = Register("town", ISSUER)
    register.admit(asked(1), Admitted(), 0.0, until_s=50.0)
    assert register.next_deadline() == 0.0, "no set has it yet"
    assert register.issue(49.0)[0].seats
    assert register.next_deadline() == 50.0
    assert not register.issue(50.0)[0].seats
    assert register.next_deadline() is None


def test_the_sets_go_on_under_another_key_of_the_enroller() -> None:
    keys = [ISSUER.key]
    member = Electorate("town", lambda: keys)
    register = Register("town", ISSUER)
    register.admit(asked(1), Admitted(), 0.0)
    first = register.issue(0.0)
    member.take(first[1])
    changed = Register("town", STRANGER, first, register.members).issue(1.0)
    assert (changed[0].number, changed[0].issuer) == (2, STRANGER.key)
    with pytest.raises(Unauthorized, match="not signed by the realm's enroller"):
        member.take(changed[1])
    keys.insert(0, STRANGER.key)
    assert member.take(changed[1]).number == 2
    keys.clear()
    with pytest.raises(Unauthorized, match="nobody is known"):
        member.take(Register("town", STRANGER, changed).issue(2.0)[1])


@pytest.mark.parametrize("beyond", ["decline", "no vote"])
def test_of_four_identities_for_each_honest_one_beyond_the_quota_no_vote_counts(beyond: str) -> None:
    """The figure's first half: a sponsor enrols its quota, then four for each honest node."""
    register = Register("town", ISSUER)
    policy = AllOf(Quota(2, 3600.0, beyond=beyond))  # pyright: ignore[reportArgumentType]
    honest = [pair(1000 + n) for n in range(8)]
    bad = pair(2000)
    crowd: list[bytes] = []
    for number, sponsor in enumerate(honest):
        application = asked(number + 1, sponsor)
        decision = policy.decide(application, 0.0)
        assert isinstance(decision, Admitted)
        register.admit(application, decision, 0.0)
    for number in range(100, 100 + 2 + 4 * len(honest)):
        application = asked(number, bad)
        crowd.append(application.key)
        decision = policy.decide(application, 0.0)
        if not isinstance(decision, Declined):
            register.admit(application, decision, 0.0)
    electorate = Electorate("town", ISSUER.key, register.issue(1.0)[1])
    within, beyond_it = crowd[:2], crowd[2:]
    assert len(beyond_it) == 4 * len(honest)
    assert electorate.count(beyond_it) == 0
    assert electorate.count(within) == 2
    assert electorate.count(pair(n + 1).key for n in range(8)) == 8


def test_more_identities_than_seats_are_a_set_of_those_that_vote() -> None:
    """Enrolled by hand, say, into full books: a set that nobody can sign would keep all the others out."""
    members = [
        Member(key=number.to_bytes(32, "big"), node=f"n{number}", votes_from_s=0.0 if number >= 8 else None)
        for number in range(MAX_SEATS + 8)
    ]
    epoch = Register("town", ISSUER, members=members).issue(1.0)[0]
    assert len(epoch.seats) == MAX_SEATS
    assert all(seat.votes for seat in epoch.seats)
