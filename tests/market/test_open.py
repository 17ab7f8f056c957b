"""Open auctions: English and Dutch, as sales and as procurements."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.errors import ConfigurationError
from agentbus.market import (
    Asking,
    Bid,
    Decline,
    DutchAuction,
    EnglishAuction,
    Outcome,
    Reason,
    Refusal,
    Side,
    Standing,
    Tick,
)

from .amounts import WRONG
from .patience import patient


def english(**terms: Any) -> EnglishAuction:
    settings: dict[str, Any] = {"opens_s": 0.0, "closes_s": 60.0, "quiet_s": 5.0, "opening": 100, "increment": 10}
    return EnglishAuction(**{**settings, **terms})


def dutch(**terms: Any) -> DutchAuction:
    settings: dict[str, Any] = {"opens_s": 0.0, "opening": 100, "reserve": 70, "step": 20, "every_s": 0.1}
    return DutchAuction(**{**settings, **terms})


def bid(bidder: str, amount: Any) -> Bid:
    return Bid(bidder=bidder, amount=amount)


def reason(machine: EnglishAuction | DutchAuction, event: Any, now: float) -> Reason:
    told = machine.handle(event, now)[-1]
    assert isinstance(told, Refusal)
    return told.reason


def test_english_bids_go_up_until_it_is_quiet() -> None:
    auction = english()
    assert reason(auction, bid("a", 99), 0.0) is Reason.TOO_LITTLE
    assert auction.handle(bid("a", 100), 1.0) == [Standing(bidder="a", amount=100, least=110, closes_s=6.0)]
    assert reason(auction, bid("a", 200), 1.5) is Reason.TWICE  # nobody outbids itself
    assert reason(auction, bid("b", 109), 2.0) is Reason.TOO_LITTLE
    assert auction.handle(bid("b", 110), 5.9) == [Standing(bidder="b", amount=110, least=120, closes_s=10.9)]
    assert auction.next_deadline() == 10.9
    assert auction.handle(Tick(), 10.8) == []
    (told,) = auction.handle(Tick(), 10.9)
    assert isinstance(told, Outcome)
    assert (told.winner, told.price) == ("b", 110)
    assert [each.bidder for each in told.ranking] == ["b", "a"]
    assert reason(auction, bid("c", 500), 11.0) is Reason.TOO_LATE
    assert auction.next_deadline() is None


def test_english_ends_at_its_last_moment_however_many_bid() -> None:
    auction = english(closes_s=8.0)
    for number in range(16):
        auction.handle(bid(f"b{number % 2}", 100 + 10 * number), number / 2.0)
    assert auction.next_deadline() == 8.0
    told = auction.handle(bid("b2", 10_000), 8.0)
    assert isinstance(told[0], Outcome)
    assert told[0].price == 250
    assert isinstance(told[1], Refusal)


def test_english_as_a_procurement_goes_down() -> None:
    auction = english(side=Side.LOWEST)
    assert reason(auction, bid("a", 101), 0.0) is Reason.TOO_LITTLE
    auction.handle(bid("a", 100), 0.0)
    assert reason(auction, bid("b", 91), 0.0) is Reason.TOO_LITTLE
    auction.handle(bid("b", 90), 0.0)
    (told,) = auction.handle(Tick(), 5.0)
    assert isinstance(told, Outcome)
    assert (told.winner, told.price) == ("b", 90)


def test_english_without_bids_or_below_the_reserve() -> None:
    assert english().handle(Tick(), 5.0) == [Outcome(winner=None, price=None)]
    auction = english(reserve=150)
    auction.handle(bid("a", 100), 0.0)
    assert auction.handle(Tick(), 5.0) == [Outcome(winner=None, price=None)]


def test_english_limits() -> None:
    auction = english(max_bidders=2, opens_s=1.0)
    assert reason(auction, bid("a", 100), 0.9) is Reason.TOO_EARLY
    auction.handle(bid("a", 100), 1.0)
    auction.handle(bid("b", 110), 1.0)
    assert reason(auction, bid("c", 120), 1.0) is Reason.FULL
    assert reason(auction, Decline(bidder="c"), 1.0) is Reason.WRONG_EVENT
    for terms in ({"quiet_s": 0.0}, {"quiet_s": nan}, {"closes_s": inf}, {"increment": 0}, {"opening": -1}):
        with pytest.raises(ConfigurationError):
            english(**terms)


@pytest.mark.parametrize(("amount", "expected"), WRONG)
def test_what_is_no_amount_is_refused_by_name(amount: Any, expected: Reason) -> None:
    assert reason(english(opening=0), bid("a", amount), 0.0) is expected
    assert reason(dutch(), bid("a", amount), 0.0) is expected


@patient
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300), st.floats(0.0, 3.0)), max_size=30))
def test_english_only_gets_better(steps: list[tuple[str, int, float]]) -> None:
    auction = english()
    now, best = 0.0, 90
    for bidder, amount, later in steps:
        now += later
        for effect in auction.handle(bid(bidder, amount), now):
            if isinstance(effect, Standing):
                assert effect.amount >= best + 10
                assert effect.closes_s <= 60.0
                best = effect.amount
    auction.handle(Tick(), 60.0)
    assert auction.outcome is not None
    assert auction.outcome.price == (best if best > 90 else None)


def test_dutch_falls_until_somebody_takes_it() -> None:
    auction = dutch()
    assert reason(auction, bid("a", 100), -0.1) is Reason.TOO_EARLY
    assert auction.handle(Tick(), 0.0) == [Asking(amount=100)]
    assert auction.next_deadline() == pytest.approx(0.1)
    assert reason(auction, bid("a", 99), 0.05) is Reason.TOO_LITTLE
    told = auction.handle(bid("b", 79), 0.1)
    assert told[0] == Asking(amount=80)
    assert isinstance(told[1], Refusal)
    assert auction.handle(bid("a", 90), 0.2)[0] == Asking(amount=70)  # the reserve, not 60
    assert auction.outcome is not None
    assert (auction.outcome.winner, auction.outcome.price) == ("a", 70)  # the clock's price, not the bid
    assert reason(auction, bid("b", 100), 0.2) is Reason.TOO_LATE
    assert auction.next_deadline() is None


def test_dutch_as_a_procurement_rises() -> None:
    auction = dutch(side=Side.LOWEST, opening=10, reserve=30, step=10)
    auction.handle(Tick(), 0.0)
    assert reason(auction, bid("a", 20), 0.0) is Reason.TOO_LITTLE
    assert isinstance(auction.handle(bid("a", 20), 0.1)[-1], Outcome)
    assert auction.outcome is not None
    assert auction.outcome.price == 20


@pytest.mark.parametrize("every_s", [0.1, 0.3, 1 / 3, 7.7])
def test_dutch_driven_by_its_deadlines_shows_each_price_once(every_s: float) -> None:
    auction = dutch(reserve=0, step=1, every_s=every_s, opens_s=1e6)
    shown: list[int] = []
    while (due := auction.next_deadline()) is not None:
        effects = auction.handle(Tick(), due)
        assert effects
        shown += [effect.amount for effect in effects if isinstance(effect, Asking)]
    assert shown == list(range(100, -1, -1))
    assert auction.outcome == Outcome(winner=None, price=None)


def test_dutch_limits() -> None:
    for terms in ({"every_s": 0.0}, {"every_s": nan}, {"step": 0}, {"reserve": 101}, {"opening": 2**40, "step": 1}):
        with pytest.raises(ConfigurationError):
            dutch(**terms)
    assert reason(dutch(), Decline(bidder="a"), 0.0) is Reason.WRONG_EVENT
