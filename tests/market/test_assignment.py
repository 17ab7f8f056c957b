"""The assignment auction: the optimum in every seed, whatever happens to messages."""

from __future__ import annotations

from math import inf, nan
from random import Random
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from agentbus.errors import ConfigurationError
from agentbus.market import Assigned, AssignmentAuctioneer, AssignmentBidder, Call, Offer, Side, Tick, assign

from .patience import patient


def best(values: list[list[int]], side: Side = Side.HIGHEST) -> int:
    table = numpy.array(values)
    rows, columns = linear_sum_assignment(table, maximize=side is Side.HIGHEST)
    return int(table[rows, columns].sum())


def worth(values: list[list[int]], lots: list[int | None]) -> int:
    taken = [lot for lot in lots if lot is not None]
    assert len(set(taken)) == len(taken) == min(len(values), len(values[0]))
    return sum(row[lot] for row, lot in zip(values, lots, strict=True) if lot is not None)


@pytest.mark.parametrize(("n", "seeds"), [(10, 30), (50, 5), (200, 1)])
@pytest.mark.parametrize("side", Side)
def test_it_is_the_optimum(n: int, seeds: int, side: Side) -> None:
    for seed in range(seeds):
        rng = Random(seed)
        values = [[rng.randint(0, 1_000) for _ in range(n)] for _ in range(n)]
        assert worth(values, assign(values, side)) == best(values, side)


tables = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda shape: st.lists(
        st.lists(st.integers(-20, 20), min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
    )
)


@patient
@given(tables, st.sampled_from(list(Side)))
def test_any_table_has_its_optimum(values: list[list[int]], side: Side) -> None:
    """More bidders than lots and fewer, negative values, ties."""
    assert worth(values, assign(values, side)) == best(values, side)


@pytest.mark.parametrize("seed", range(8))
def test_messages_may_be_lost_doubled_and_reordered(seed: int) -> None:
    rng = Random(seed)
    n = 12
    values = [[rng.randint(0, 100) for _ in range(n)] for _ in range(n)]
    bidders = [AssignmentBidder(number, row) for number, row in enumerate(values)]
    auctioneer = AssignmentAuctioneer(n, spread=max(bidder.spread for bidder in bidders), patience_s=1.0)
    flight: list[Any] = list(auctioneer.start(0.0))
    now = 0.0
    for _ in range(200_000):
        if auctioneer.outcome is not None:
            break
        if not flight:
            due = auctioneer.next_deadline()
            assert due is not None
            now = due
            flight += auctioneer.handle(Tick(), now)
            continue
        message = flight.pop(rng.randrange(len(flight)))
        if rng.random() < 0.2:
            continue
        for _ in range(1 + (rng.random() < 0.2)):
            match message:
                case Call():
                    flight += bidders[message.bidder].handle(message, now)
                case Offer():
                    flight += auctioneer.handle(message, now)
                case _:
                    assert isinstance(message, Assigned)
    assert auctioneer.outcome is not None
    assert worth(values, list(auctioneer.outcome.lots)) == best(values)
    assert auctioneer.next_deadline() is None or auctioneer.handle(Tick(), inf) == []


def test_prices_support_the_assignment() -> None:
    """Complementary slackness: each bidder is within 1/n of its best lot at the prices of the end."""
    rng = Random(3)
    n = 20
    values = [[rng.randint(0, 50) for _ in range(n)] for _ in range(n)]
    bidders = [AssignmentBidder(number, row) for number, row in enumerate(values)]
    auctioneer = AssignmentAuctioneer(n)
    flight: list[Any] = list(auctioneer.start(0.0))
    while flight:
        call = flight.pop(0)
        if isinstance(call, Call):
            for offer in bidders[call.bidder].handle(call, 0.0):
                flight += auctioneer.handle(offer, 0.0)
    told = auctioneer.outcome
    assert told is not None
    for row, lot in zip(values, told.lots, strict=True):
        assert row[lot] - told.prices[lot] >= max(v - p for v, p in zip(row, told.prices, strict=True)) - 1 / n
    assert bidders[0].next_deadline() is None


def test_offers_that_are_none_change_nothing() -> None:
    auctioneer = AssignmentAuctioneer(2, patience_s=1.0)
    call = auctioneer.start(0.0)[0]
    wrong: list[tuple[Any, Any]] = [(0, nan), (0, inf), (5, 10), (-1, 10), (0.0, 10), (None, 10)]
    for lot, price in wrong:
        assert auctioneer.handle(Offer(bidder=0, number=call.number, lot=lot, price=price), 0.0) == []
    (again,) = auctioneer.handle(Offer(bidder=0, number=call.number, lot=0, price=0), 0.0)  # below the price
    assert isinstance(again, Call)
    assert again.number > call.number
    assert auctioneer.handle(Offer(bidder=7, number=1, lot=0, price=9), 0.0) == []
    assert len(auctioneer.handle(Tick(), 1.0)) == 2


@pytest.mark.parametrize("values", [[[nan]], [[1.5]], [[True]], [[1, 2], [3]], [[2**70]], [[]]])
def test_values_that_are_none(values: Any) -> None:
    with pytest.raises(ConfigurationError):
        assign(values)


def test_nothing_to_assign_and_too_much() -> None:
    assert assign([]) == []
    for n, patience_s in ((0, 1.0), (10**6, 1.0), (3, 0.0), (3, nan)):
        with pytest.raises(ConfigurationError):
            AssignmentAuctioneer(n, patience_s=patience_s)
