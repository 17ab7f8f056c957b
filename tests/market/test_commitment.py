"""Commit, then reveal: what does not open a commitment is refused, who does not reveal forfeits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.errors import ConfigurationError
from agentbus.market import (
    Accepted,
    Bid,
    Commit,
    CommitReveal,
    Outcome,
    Pricing,
    Reason,
    Refusal,
    Reveal,
    RevealNow,
    Side,
    Tick,
    commitment,
)

from .amounts import WRONG
from .patience import patient

NONCE = bytes(range(32))


def auction(**terms: Any) -> CommitReveal:
    return CommitReveal("lot", commits_until_s=1.0, reveals_until_s=2.0, **terms)


def commit(machine: CommitReveal, bidder: str, amount: int) -> None:
    event = Commit(bidder=bidder, digest=commitment("lot", bidder, amount, NONCE))
    assert machine.handle(event, 0.0) == [Accepted(bidder=bidder)]


def reason(machine: CommitReveal, event: Any, now: float) -> Reason:
    told = machine.handle(event, now)[-1]
    assert isinstance(told, Refusal)
    return told.reason


def test_it_goes_as_it_should() -> None:
    machine = auction()
    commit(machine, "a", 30)
    commit(machine, "b", 50)
    commit(machine, "c", 50)
    assert machine.next_deadline() == 1.0
    assert machine.handle(Tick(), 1.0) == [RevealNow(bidders=("a", "b", "c"), until_s=2.0)]
    assert machine.next_deadline() == 2.0
    machine.handle(Reveal(bidder="c", amount=50, nonce=NONCE), 1.1)
    machine.handle(Reveal(bidder="b", amount=50, nonce=NONCE), 1.2)
    told = machine.handle(Reveal(bidder="a", amount=30, nonce=NONCE), 1.3)  # the last one: no need to wait
    assert isinstance(told[-1], Outcome)
    assert (told[-1].winner, told[-1].price, told[-1].forfeits) == ("b", 50, ())  # who committed first
    assert machine.next_deadline() is None


def test_a_reveal_that_does_not_match_is_refused_and_the_bidder_forfeits() -> None:
    machine = auction(pricing=Pricing.FIRST)
    commit(machine, "a", 30)
    commit(machine, "b", 50)
    commit(machine, "silent", 70)
    machine.handle(Tick(), 1.0)
    for amount, nonce in ((31, NONCE), (30, bytes(32)), (30, b""), (30, b"x" * 5_000)):
        assert reason(machine, Reveal(bidder="a", amount=amount, nonce=nonce), 1.1) is Reason.MISMATCH
    machine.handle(Reveal(bidder="b", amount=50, nonce=NONCE), 1.2)
    (told,) = machine.handle(Tick(), 2.0)
    assert isinstance(told, Outcome)
    assert (told.winner, told.price, told.forfeits) == ("b", 50, ("a", "silent"))


def test_a_commitment_that_was_copied_opens_nothing() -> None:
    machine = auction()
    digest = commitment("lot", "a", 30, NONCE)
    machine.handle(Commit(bidder="a", digest=digest), 0.0)
    machine.handle(Commit(bidder="thief", digest=digest), 0.1)
    machine.handle(Reveal(bidder="a", amount=30, nonce=NONCE), 1.0)
    assert reason(machine, Reveal(bidder="thief", amount=30, nonce=NONCE), 1.1) is Reason.MISMATCH
    other = commitment("another lot", "a", 30, NONCE)
    assert other != digest


def test_what_comes_at_the_wrong_time_or_twice() -> None:
    machine = auction(max_bidders=2)
    commit(machine, "a", 30)
    assert reason(machine, Commit(bidder="a", digest=bytes(32)), 0.1) is Reason.TWICE
    assert reason(machine, Commit(bidder="b", digest=b"short"), 0.1) is Reason.NOT_A_COMMITMENT
    assert reason(machine, Reveal(bidder="a", amount=30, nonce=NONCE), 0.2) is Reason.TOO_EARLY
    assert reason(machine, Bid(bidder="a", amount=30), 0.2) is Reason.WRONG_EVENT
    commit(machine, "b", 40)
    assert reason(machine, Commit(bidder="c", digest=bytes(32)), 0.3) is Reason.FULL
    assert reason(machine, Commit(bidder="c", digest=bytes(32)), 1.0) is Reason.TOO_LATE
    assert reason(machine, Reveal(bidder="c", amount=1, nonce=NONCE), 1.0) is Reason.NO_COMMITMENT
    machine.handle(Reveal(bidder="a", amount=30, nonce=NONCE), 1.1)
    assert reason(machine, Reveal(bidder="a", amount=30, nonce=NONCE), 1.2) is Reason.TWICE
    assert reason(machine, Reveal(bidder="b", amount=40, nonce=NONCE), 2.0) is Reason.TOO_LATE
    assert machine.outcome is not None
    assert machine.outcome.forfeits == ("b",)


@pytest.mark.parametrize(("amount", "expected"), WRONG)
def test_what_is_no_amount_is_refused_by_name(amount: Any, expected: Reason) -> None:
    machine = auction()
    commit(machine, "a", 30)
    assert reason(machine, Reveal(bidder="a", amount=amount, nonce=NONCE), 1.0) is expected
    with pytest.raises(ConfigurationError):
        commitment("lot", "a", amount, NONCE)


def test_nobody_commits_or_nobody_has_called_for_long() -> None:
    assert auction().handle(Tick(), 1.0) == [Outcome(winner=None, price=None)]
    machine = auction(side=Side.LOWEST, reserve=100)
    commit(machine, "a", 30)
    told = machine.handle(Tick(), 9.0)
    assert [type(each) for each in told] == [RevealNow, Outcome]
    assert told[-1] == Outcome(winner=None, price=None, forfeits=("a",))


@pytest.mark.parametrize("length", [0, 15, 1025])
def test_a_nonce_that_can_be_guessed_is_refused(length: int) -> None:
    with pytest.raises(ConfigurationError, match="nonce"):
        commitment("lot", "a", 1, bytes(length))


def test_deadlines_in_the_wrong_order() -> None:
    with pytest.raises(ConfigurationError, match="deadlines"):
        CommitReveal("lot", commits_until_s=2.0, reveals_until_s=1.0)


parts = st.tuples(
    st.text(max_size=4), st.text(max_size=4), st.integers(0, 2**63 - 1), st.binary(min_size=16, max_size=20)
)


@patient
@given(parts, parts)
def test_different_bids_have_different_commitments(one: Any, other: Any) -> None:
    assert (commitment(*one) == commitment(*other)) == (one == other)
