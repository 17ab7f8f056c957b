"""Sealed auctions: first and second price, both sides, and every bid that must not count."""

from __future__ import annotations

from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.errors import ConfigurationError
from agentbus.market import (
    Accepted,
    Bid,
    Decline,
    Outcome,
    Pricing,
    Reason,
    Refusal,
    Reveal,
    SealedAuction,
    Side,
    Tick,
    first_price,
    second_price,
)

from .amounts import WRONG
from .patience import patient


def outcome(auction: SealedAuction, bids: dict[str, int]) -> Outcome:
    for bidder, amount in bids.items():
        assert auction.handle(Bid(bidder=bidder, amount=amount), 0.0) == [Accepted(bidder=bidder, amount=amount)]
    (told,) = auction.handle(Tick(), auction.closes_s)
    assert isinstance(told, Outcome)
    return told


def refused(auction: SealedAuction, bid: Any, now: float = 0.0) -> Reason:
    refusal = auction.handle(bid, now)[-1]
    assert isinstance(refusal, Refusal)
    return refusal.reason


BIDS = {"a": 30, "b": 50, "c": 40}


@pytest.mark.parametrize(
    ("side", "pricing", "reserve", "winner", "price"),
    [
        (Side.HIGHEST, Pricing.FIRST, None, "b", 50),
        (Side.HIGHEST, Pricing.SECOND, None, "b", 40),
        (Side.HIGHEST, Pricing.SECOND, 45, "b", 45),  # the reserve is the best bid that was beaten
        (Side.HIGHEST, Pricing.SECOND, 51, None, None),
        (Side.LOWEST, Pricing.FIRST, None, "a", 30),
        (Side.LOWEST, Pricing.SECOND, 100, "a", 40),
        (Side.LOWEST, Pricing.SECOND, 35, "a", 35),
        (Side.LOWEST, Pricing.FIRST, 29, None, None),
    ],
)
def test_who_wins_and_at_which_price(
    side: Side, pricing: Pricing, reserve: int | None, winner: str | None, price: int | None
) -> None:
    told = outcome(SealedAuction(closes_s=1.0, side=side, pricing=pricing, reserve=reserve), BIDS)
    assert (told.winner, told.price) == (winner, price)


def test_a_lone_bidder_of_a_second_price_auction() -> None:
    assert outcome(second_price(closes_s=1.0), {"a": 30}).price == 0
    assert outcome(second_price(closes_s=1.0, reserve=20), {"a": 30}).price == 20
    assert outcome(second_price(closes_s=1.0, side=Side.LOWEST, reserve=90), {"a": 30}).price == 90
    with pytest.raises(ConfigurationError, match="lone bidder"):
        second_price(closes_s=1.0, side=Side.LOWEST)


def test_of_equal_bids_the_earlier_wins_and_the_ranking_says_who_is_next() -> None:
    told = outcome(first_price(closes_s=1.0), {"late": 10, "a": 50, "b": 50})
    assert told.winner == "a"
    assert [bid.bidder for bid in told.ranking] == ["a", "b", "late"]
    assert outcome(second_price(closes_s=1.0), {"b": 50, "a": 50}).price == 50


def test_nobody_bids() -> None:
    assert outcome(first_price(closes_s=1.0), {}) == Outcome(winner=None, price=None)


@pytest.mark.parametrize(("amount", "reason"), WRONG)
def test_what_is_no_amount_is_refused_by_name(amount: Any, reason: Reason) -> None:
    auction = first_price(closes_s=1.0)
    assert refused(auction, Bid(bidder="a", amount=amount)) is reason
    assert outcome(auction, {"a": 0}).winner == "a"  # a refusal leaves the bidder its bid


def test_bids_that_do_not_count() -> None:
    auction = first_price(closes_s=1.0, invited=["a", "b"])
    assert refused(auction, Bid(bidder="x", amount=99)) is Reason.NOT_INVITED
    auction.handle(Bid(bidder="a", amount=10), 0.0)
    assert refused(auction, Bid(bidder="a", amount=20)) is Reason.TWICE
    assert refused(auction, Reveal(bidder="a", amount=20, nonce=b"")) is Reason.WRONG_EVENT
    told = auction.handle(Bid(bidder="b", amount=99), 1.0)  # at the deadline: late; the outcome comes first
    assert isinstance(told[0], Outcome)
    assert told[0].winner == "a"
    assert isinstance(told[1], Refusal)
    assert told[1].reason is Reason.TOO_LATE
    assert auction.next_deadline() is None
    assert refused(auction, Bid(bidder="b", amount=99), 2.0) is Reason.TOO_LATE
    assert auction.handle(Tick(), 3.0) == []


def test_it_closes_when_all_invited_have_answered() -> None:
    auction = first_price(closes_s=60.0, invited=["a", "b", "c"])
    auction.handle(Bid(bidder="a", amount=10), 0.0)
    auction.handle(Decline(bidder="b"), 0.1)
    assert auction.next_deadline() == 60.0
    assert auction.handle(Bid(bidder="c", amount=20), 0.2)[-1] == auction.outcome
    assert auction.outcome is not None
    assert auction.outcome.winner == "c"


def test_a_thousand_bidders_and_a_limit() -> None:
    auction = second_price(closes_s=1.0, max_bidders=1_000)
    for number in range(1_000):
        auction.handle(Bid(bidder=f"b{number}", amount=number), 0.0)
    assert refused(auction, Bid(bidder="one more", amount=10_000)) is Reason.FULL
    (told,) = auction.handle(Tick(), 1.0)
    assert isinstance(told, Outcome)
    assert (told.winner, told.price, len(told.ranking)) == ("b999", 998, 1_000)


@pytest.mark.parametrize("closes_s", [nan, float("inf")])
def test_a_deadline_that_never_comes_is_refused(closes_s: float) -> None:
    with pytest.raises(ConfigurationError, match="deadlines"):
        first_price(closes_s=closes_s)


@patient
@given(st.lists(st.integers(0, 50), min_size=1, max_size=6), st.integers(0, 50), st.sampled_from(list(Side)), st.data())
def test_no_lie_gains_in_a_second_price_auction(
    truths: list[int], reserve: int, side: Side, data: st.DataObject
) -> None:
    liar = data.draw(st.integers(0, len(truths) - 1))
    lie = data.draw(st.integers(0, 60))

    def gain(bid: int) -> int:
        bids = {f"b{n}": bid if n == liar else truth for n, truth in enumerate(truths)}
        told = outcome(second_price(closes_s=1.0, side=side, reserve=reserve), bids)
        if told.winner != f"b{liar}" or told.price is None:
            return 0
        return side.sign * (truths[liar] - told.price)

    assert gain(lie) <= gain(truths[liar])
    assert gain(truths[liar]) >= 0
