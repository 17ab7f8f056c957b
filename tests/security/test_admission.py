"""Admission policies: who gets in, who does not, and with what vote."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.errors import ConfigurationError
from agentbus.security.admission import (
    Admission,
    Admitted,
    AllOf,
    Application,
    Challenge,
    Declined,
    Probation,
    Puzzle,
    Quorum,
    Quota,
    RealmKey,
    Voucher,
    join_proof,
    quotas,
    solve,
    vouch,
)
from agentbus.security.keys import KeyPair


def pair(number: int) -> KeyPair:
    return KeyPair(bytes([number]) * 32)


MEMBERS = [pair(number) for number in range(1, 6)]
KEYS = [member.key for member in MEMBERS]
UNTIL = 10_000


def application(number: int = 100, **facts: object) -> Application:
    key = pair(number).key
    return replace(
        Application(body=b"body of " + key, key=key, realm="town", node=f"n{number}"),
        **facts,  # pyright: ignore[reportArgumentType]
    )


def reason(policy: Admission, asked: Application, now: float = 0.0) -> str:
    decision = policy.decide(asked, now)
    assert isinstance(decision, Declined)
    return decision.reason


def test_the_realms_key_admits_who_knows_it() -> None:
    policy, asked = RealmKey("open sesame"), application()
    assert policy.decide(replace(asked, join=join_proof("open sesame", asked.body)), 0.0) == Admitted()
    assert "join key" in reason(policy, replace(asked, join=join_proof("guess", asked.body)))
    assert "join key" in reason(policy, replace(asked, join=join_proof("open sesame", b"another's body")))
    assert "join key" in reason(policy, asked)
    assert "sesame" not in repr(policy)
    with pytest.raises(ConfigurationError, match="empty"):
        RealmKey("")


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), max_size=8))
def test_a_quorum_counts_members_and_not_signatures(signers: list[int]) -> None:
    asked = application()
    asked = replace(asked, vouchers=tuple(vouch(MEMBERS[index], asked.body, UNTIL) for index in signers))
    admitted = isinstance(Quorum(3, KEYS).decide(asked, 0.0), Admitted)
    assert admitted == (len(set(signers)) >= 3)


def test_a_quorum_counts_no_stranger_no_forgery_and_not_the_applicant() -> None:
    asked = application()
    good = [vouch(member, asked.body, UNTIL) for member in MEMBERS[:2]]
    others = [
        vouch(pair(77), asked.body, UNTIL),
        vouch(MEMBERS[2], b"something else", UNTIL),
        Voucher(MEMBERS[2].key, good[0].signature, UNTIL),
        Voucher(b"short", b"", UNTIL),
    ]
    for extra in others:
        told = reason(Quorum(3, KEYS), replace(asked, vouchers=(*good, extra)))
        assert told.startswith("2 members have signed for it, and it takes 3: ")
    itself = vouch(pair(100), asked.body, UNTIL)
    assert "2 members" in reason(Quorum(3, [*KEYS, asked.key]), replace(asked, vouchers=(*good, itself)))
    many = tuple(vouch(pair(77), asked.body, UNTIL) for _ in range(64))
    assert "0 members" in reason(Quorum(1, KEYS), replace(asked, vouchers=(*many, *good)))


def test_the_members_are_those_of_the_moment() -> None:
    policy, asked = Quorum(1), application()
    asked = replace(asked, vouchers=(vouch(MEMBERS[1], asked.body, UNTIL),), members={KEYS[0]})
    assert "0 members" in reason(policy, asked)
    assert policy.decide(replace(asked, members={KEYS[0], KEYS[1]}), 0.0) == Admitted()
    assert "0 members" in reason(policy, replace(asked, members=())), "nobody is a member of an empty realm"


def test_a_members_word_counts_until_the_time_that_it_has_said() -> None:
    asked = application()
    policy, voucher = Quorum(1, KEYS), vouch(MEMBERS[0], asked.body, 100.0)
    assert policy.decide(replace(asked, vouchers=(voucher,)), 99.9) == Admitted()
    assert "0 members" in reason(policy, replace(asked, vouchers=(voucher,)), 100.0)
    longer = voucher._replace(until_s=UNTIL)
    assert "0 members" in reason(policy, replace(asked, vouchers=(longer,)), 100.0)
    assert "has not signed" in reason(Quota(5, 60.0), replace(asked, sponsor=KEYS[0], vouchers=(voucher,)), 100.0)


@pytest.mark.parametrize("k", [0, 6])
def test_a_quorum_that_cannot_be_reached_is_refused(k: int) -> None:
    with pytest.raises(ConfigurationError, match="Quorum"):
        Quorum(k, KEYS)


def test_a_puzzle_is_solved_once_in_time_for_one_key() -> None:
    puzzle, asked = Puzzle(8, b"s" * 16, valid_s=60.0), application()
    challenge = puzzle.challenge(asked.key, "town", 1000.0)
    solved = replace(asked, solution=solve(challenge, asked.key, "town", 8))
    assert "solve the puzzle first" in reason(puzzle, asked, 1001.0)
    declined = puzzle.decide(asked, 1000.0)
    assert isinstance(declined, Declined)
    assert declined.puzzle == Challenge(challenge, 8)
    assert "256 hashes" in reason(puzzle, asked, 1001.0)
    assert "not one of this enroller's" in reason(puzzle, replace(solved, key=pair(5).key), 1001.0)
    assert "not one of this enroller's" in reason(puzzle, replace(solved, realm="other"), 1001.0)
    assert "not one of this enroller's" in reason(Puzzle(8, b"t" * 16), solved, 1001.0)
    assert "good for 60 s" in reason(puzzle, solved, 1060.0)
    assert puzzle.decide(solved, 1001.0) == Admitted()
    assert "has been used" in reason(puzzle, solved, 1002.0)


def test_a_puzzle_not_solved_is_refused() -> None:
    puzzle, asked = Puzzle(16, b"s" * 16), application()
    challenge = puzzle.challenge(asked.key, "town", 0.0)
    unsolved = [replace(asked, solution=challenge + bytes([n]) * 8) for n in range(4)]
    assert all("does not solve" in reason(puzzle, guess, 1.0) for guess in unsolved)


def test_what_a_puzzle_costs_is_about_what_it_says() -> None:
    """Of 200 puzzles of 6 bits the mean number of hashes is 64, give or take."""
    asked, puzzle = application(), Puzzle(6, b"s" * 16)
    tries = [
        int.from_bytes(solve(puzzle.challenge(asked.key, "town", float(n)), asked.key, "town", 6)[-8:], "big") + 1
        for n in range(200)
    ]
    assert 0.7 * puzzle.expected_hashes < sum(tries) / len(tries) < 1.3 * puzzle.expected_hashes


@pytest.mark.parametrize("wrong", [(0, b"s" * 16, 1.0), (65, b"s" * 16, 1.0), (8, b"short", 1.0), (8, b"s" * 16, 0.0)])
def test_a_puzzle_that_is_none_is_refused(wrong: tuple[int, bytes, float]) -> None:
    with pytest.raises(ConfigurationError, match="Puzzle"):
        Puzzle(*wrong)


def sponsored(number: int, sponsor: KeyPair) -> Application:
    asked = application(number)
    return replace(asked, sponsor=sponsor.key, vouchers=(vouch(sponsor, asked.body, UNTIL),))


def test_who_shows_no_join_key_is_told_to() -> None:
    assert "demands the join key: --join-key" in reason(RealmKey("secret"), application(1))


def test_a_quota_is_of_a_sponsor_and_a_period() -> None:
    quota = Quota(2, 60.0)
    assert [type(quota.decide(sponsored(100 + n, MEMBERS[0]), n)) for n in range(4)] == [
        Admitted,
        Admitted,
        Declined,
        Declined,
    ]
    assert "2 enrolled within 60 s: again in 57 s" in reason(quota, sponsored(9, MEMBERS[0]), 3.0)
    assert quota.decide(sponsored(10, MEMBERS[1]), 3.0) == Admitted()
    assert quota.decide(sponsored(11, MEMBERS[0]), 60.5) == Admitted()


def test_a_key_that_comes_again_counts_once_and_what_was_counted_can_be_kept() -> None:
    quota = Quota(2, 60.0)
    for now in (0.0, 1.0, 2.0):
        assert quota.decide(sponsored(201, MEMBERS[0]), now) == Admitted()
    assert quota.decide(sponsored(202, MEMBERS[0]), 3.0) == Admitted()
    later = Quota(2, 60.0)
    later.recall(quota.kept())
    assert "2 enrolled within 60 s: again in 56 s" in reason(later, sponsored(203, MEMBERS[0]), 4.0)
    assert later.decide(sponsored(203, MEMBERS[0]), 60.0) == Admitted()
    assert [*quotas(AllOf(Probation(1.0), AllOf(later)))] == [later]


def test_nobody_uses_up_anothers_quota() -> None:
    quota = Quota(1, 60.0)
    stolen = replace(application(1), sponsor=KEYS[0])
    forged = replace(stolen, vouchers=(Voucher(KEYS[0], b"x" * 64, UNTIL),))
    for asked in (stolen, forged):
        assert "has not signed for it" in reason(quota, asked)
    assert quota.decide(sponsored(2, MEMBERS[0]), 0.0) == Admitted()


def test_beyond_its_quota_a_sponsors_identities_have_no_vote() -> None:
    quota = Quota(2, 60.0, beyond="no vote")
    decisions = [quota.decide(sponsored(100 + n, MEMBERS[0]), 0.0) for n in range(4)]
    assert decisions == [Admitted(), Admitted(), Admitted(vote=False), Admitted(vote=False)]


def test_those_without_a_sponsor_share_one_quota() -> None:
    quota = Quota(1, 60.0)
    assert quota.decide(application(1), 0.0) == Admitted()
    assert "1 enrolled" in reason(quota, application(2))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 40.0), st.integers(0, 4)), max_size=40))
def test_no_period_has_more_than_the_quota(arrivals: list[tuple[float, int]]) -> None:
    quota, now = Quota(3, 60.0), 0.0
    admitted: dict[int, list[float]] = {}
    for number, (pause, sponsor) in enumerate(arrivals):
        now += pause
        if isinstance(quota.decide(sponsored(100 + number, MEMBERS[sponsor]), now), Admitted):
            admitted.setdefault(sponsor, []).append(now)
    for times in admitted.values():
        assert all(later - first >= 60.0 for first, later in zip(times, times[3:], strict=False))


def test_all_of_asks_in_order_and_joins_what_they_say() -> None:
    quota = Quota(1, 60.0, beyond="no vote")
    policy = AllOf(RealmKey("key"), Probation(30.0), quota)
    asked = application()
    assert "join key" in reason(policy, asked)
    known = replace(asked, join=join_proof("key", asked.body))
    assert policy.decide(known, 0.0) == Admitted(vote=True, vote_after_s=30.0)
    other = replace(application(7), join=join_proof("key", application(7).body))
    assert policy.decide(other, 0.0) == Admitted(vote=False, vote_after_s=30.0)
    with pytest.raises(ConfigurationError, match="admit anybody"):
        AllOf()


@pytest.mark.parametrize("seconds", [-1.0, float("inf")])
def test_a_probation_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="Probation"):
        Probation(seconds)


def test_a_quota_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Quota"):
        Quota(1, 0.0)
