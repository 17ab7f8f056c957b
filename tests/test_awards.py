"""Who gets a job, and at what price."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.awards import AwardRule, Bid, Ranked, best, every, lowest_bid, second_price
from agentbus.errors import ConfigurationError, InvalidBid


def bids(**asked: float) -> list[Bid]:
    return [Bid(bidder=name, bid=bid) for name, bid in asked.items()]


def order(rule: AwardRule, offered: list[Bid], value: float | None = None) -> list[tuple[str, float]]:
    ranked, _ = rule.rank(offered, value)
    return [(entry.bid.bidder, entry.price) for entry in ranked]


def test_the_lowest_bid_wins_and_ties_go_to_who_bid_first() -> None:
    assert order(lowest_bid(), bids(a=3.0, b=1.0, c=2.0, d=1.0)) == [("b", 1.0), ("d", 1.0), ("c", 2.0), ("a", 3.0)]


def test_the_second_price_is_the_next_bid_and_the_last_ones_is_the_value_or_its_own() -> None:
    offered = bids(a=3.0, b=1.0, c=2.0)
    assert order(second_price(), offered, 5.0) == [("b", 2.0), ("c", 3.0), ("a", 5.0)]
    assert order(second_price(), offered) == [("b", 2.0), ("c", 3.0), ("a", 3.0)]
    assert order(second_price(), []) == []


def test_the_best_score_wins_at_its_own_price() -> None:
    reputation = {"a": 0.9, "b": 0.1}
    rule = best(lambda bid: reputation[bid.bidder] / bid.bid)
    assert order(rule, bids(b=1.0, a=2.0)) == [("a", 2.0), ("b", 1.0)]


def test_a_score_that_is_no_number_puts_its_bid_aside_and_says_why() -> None:
    rule = best(lambda bid: {"a": 1.0, "b": math.nan, "c": math.inf}[bid.bidder])
    ranked, unranked = rule.rank(bids(a=1.0, b=1.0, c=1.0, d=1.0), None)
    assert [entry.bid.bidder for entry in ranked] == ["a"]
    assert set(unranked) == {"b", "c", "d"}
    assert all(isinstance(error, InvalidBid) for error in unranked.values())
    assert "nan" in str(unranked["b"])
    assert "KeyError" in str(unranked["d"])


def test_two_who_agree_that_one_stays_away_drive_the_second_price_up_to_the_value() -> None:
    apart, _ = second_price().rank([Bid(bidder="a", bid=2.0), Bid(bidder="b", bid=3.0)], 9.0)
    agreed, _ = second_price().rank([Bid(bidder="a", bid=2.0)], 9.0)
    third, _ = second_price().rank([Bid(bidder="a", bid=2.0), Bid(bidder="c", bid=4.0)], 9.0)
    assert (apart[0].price, agreed[0].price, third[0].price) == (3.0, 9.0, 4.0)  # documented, not prevented


def test_every_awards_to_so_many() -> None:
    assert every(3).winners == 3
    wrong: list[Any] = [0, -1, 1.5, math.nan, "2", None]
    for count in wrong:
        with pytest.raises(ConfigurationError, match="whole number"):
            every(count)


@pytest.mark.parametrize(("weight", "payment"), [(0.0, 4.0), (0.25, 4.5), (1.0, 6.0)])
def test_a_winner_is_paid_its_bid_and_its_weights_share_of_what_the_price_is_above(
    weight: float, payment: float
) -> None:
    assert Ranked(bid=Bid(bidder="a", bid=4.0, weight=weight), price=6.0).payment == payment


@given(
    costs=st.lists(st.floats(0, 100), min_size=2, max_size=6),
    liar=st.integers(0, 5),
    lie=st.floats(0, 200),
    value=st.floats(100, 200),
)
def test_no_lie_gains_under_the_second_price(costs: list[float], liar: int, lie: float, value: float) -> None:
    liar %= len(costs)

    def gain(asked: float) -> float:
        offered = [Bid(bidder=str(i), bid=asked if i == liar else cost) for i, cost in enumerate(costs)]
        ranked, _ = second_price().rank([bid for bid in offered if bid.bid <= value], value)
        return ranked[0].payment - costs[liar] if ranked[0].bid.bidder == str(liar) else 0.0

    assert gain(lie) <= gain(costs[liar])
