"""The double auction: price-time priority against a plain list, and nothing lost or made."""

from __future__ import annotations

from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.errors import ConfigurationError
from agentbus.market import Cancel, Cancelled, DoubleAuction, Order, OrderSide, Reason, Refusal, Rests, Tick, Trade, Why

from .amounts import WRONG
from .patience import patient

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def order(order_id: str, side: OrderSide, price: Any, quantity: Any = 1, trader: str = "") -> Order:
    return Order(order_id=order_id, trader=trader or order_id, side=side, price=price, quantity=quantity)


def place(market: DoubleAuction, *orders: Order) -> list[Any]:
    return [effect for each in orders for effect in market.handle(each, 0.0)]


def trades(effects: list[Any]) -> list[tuple[str, str, int, int]]:
    return [(each.buy_id, each.sell_id, each.price, each.quantity) for each in effects if isinstance(each, Trade)]


def reason(market: DoubleAuction, event: Order | Cancel, now: float = 0.0) -> Reason:
    told = market.handle(event, now)[-1]
    assert isinstance(told, Refusal)
    return told.reason


def test_price_first_then_time_at_the_resting_price() -> None:
    market = DoubleAuction()
    place(market, order("dear", SELL, 12), order("first", SELL, 10, 2), order("second", SELL, 10, 2))
    told = place(market, order("buyer", BUY, 11, 3))
    assert trades(told) == [("buyer", "first", 10, 2), ("buyer", "second", 10, 1)]
    assert market.book.depth(SELL) == [(10, 1), (12, 1)]
    assert trades(place(market, order("seller", SELL, 1), order("next", BUY, 20, 5))) == [
        ("next", "seller", 1, 1),
        ("next", "second", 10, 1),
        ("next", "dear", 12, 1),
    ]
    assert market.book.depth(BUY) == [(20, 2)]
    assert trades(place(market, order("late", SELL, 5))) == [("next", "late", 20, 1)]


def test_an_order_in_parts_keeps_its_place() -> None:
    market = DoubleAuction()
    place(market, order("first", BUY, 10, 3), order("second", BUY, 10, 3))
    assert trades(place(market, order("a", SELL, 10, 2))) == [("first", "a", 10, 2)]
    assert trades(place(market, order("b", SELL, 10, 2))) == [("first", "b", 10, 1), ("second", "b", 10, 1)]


def test_nobody_trades_with_itself() -> None:
    market = DoubleAuction()
    place(market, order("cheap", SELL, 8, trader="x"), order("own", SELL, 9, trader="me"), order("dear", SELL, 10))
    told = place(market, order("buy", BUY, 10, 3, trader="me"))
    assert trades(told) == [("buy", "cheap", 8, 1)]
    assert isinstance(told[-1], Cancelled)
    assert (told[-1].why, told[-1].order.quantity) == (Why.SELF_TRADE, 2)
    assert [each.order_id for each in market.book.orders(SELL)] == ["own", "dear"]
    assert market.book.best(BUY) is None


def test_cancelling() -> None:
    market = DoubleAuction()
    place(market, order("a", BUY, 10, 3), order("b", SELL, 10))
    assert reason(market, Cancel(order_id="a", trader="b")) is Reason.NOT_YOURS
    assert reason(market, Cancel(order_id="b", trader="b")) is Reason.NO_SUCH_ORDER  # traded
    (told,) = market.handle(Cancel(order_id="a", trader="a"), 0.0)
    assert isinstance(told, Cancelled)
    assert (told.why, told.order.quantity) == (Why.ASKED, 2)
    assert reason(market, Cancel(order_id="a", trader="a")) is Reason.NO_SUCH_ORDER
    assert len(market.book) == 0


@pytest.mark.parametrize(("amount", "expected"), WRONG)
def test_what_is_no_amount_is_refused_by_name(amount: Any, expected: Reason) -> None:
    market = DoubleAuction()
    assert reason(market, order("a", BUY, amount)) is expected
    assert reason(market, order("a", BUY, 1, amount)) is expected
    assert len(market.book) == 0


def test_limits() -> None:
    market = DoubleAuction(max_orders=3, max_per_trader=2)
    assert reason(market, order("none", BUY, 1, 0)) is Reason.TOO_LITTLE
    place(market, order("a1", BUY, 1, trader="a"), order("a2", BUY, 2, trader="a"))
    assert reason(market, order("a1", SELL, 9, trader="b")) is Reason.TWICE
    assert reason(market, order("a3", BUY, 3, trader="a")) is Reason.FULL
    place(market, order("b1", BUY, 1, trader="b"))
    assert reason(market, order("c1", BUY, 1, trader="c")) is Reason.FULL


def test_it_closes() -> None:
    market = DoubleAuction(closes_s=5.0)
    place(market, order("a", BUY, 1), order("b", SELL, 2))
    assert market.next_deadline() == 5.0
    told = market.handle(Tick(), 5.0)
    assert [(each.order.order_id, each.why) for each in told if isinstance(each, Cancelled)] == [
        ("a", Why.CLOSED),
        ("b", Why.CLOSED),
    ]
    assert market.next_deadline() is None
    assert reason(market, order("c", BUY, 1), 5.0) is Reason.TOO_LATE
    assert DoubleAuction().next_deadline() is None
    with pytest.raises(ConfigurationError):
        DoubleAuction(closes_s=nan)


def test_a_thousand_traders() -> None:
    market = DoubleAuction()
    bought = 0
    for n in range(1_000):
        bought += sum(each[3] for each in trades(place(market, order(f"o{n}", BUY if n % 2 else SELL, 500 + n % 7, 3))))
    left = {side: sum(each.quantity for each in market.book.orders(side)) for side in OrderSide}
    assert left[BUY] == left[SELL] == 1_500 - bought


orders = st.tuples(
    st.sampled_from("abcd"), st.sampled_from(list(OrderSide)), st.integers(0, 12), st.integers(1, 4), st.booleans()
)


@patient
@given(st.lists(orders, max_size=60))
def test_it_does_what_a_plain_list_does(steps: list[tuple[str, OrderSide, int, int, bool]]) -> None:
    """The reference keeps every order in one list and looks for the best by sorting it."""
    market = DoubleAuction()
    plain: list[list[Any]] = []  # number, trader, side, price, left
    for number, (trader, side, price, quantity, cancels) in enumerate(steps):
        if cancels and plain:
            victim = plain.pop(price % len(plain))
            assert isinstance(market.handle(Cancel(order_id=str(victim[0]), trader=victim[1]), 0.0)[0], Cancelled)
            continue
        told = place(market, order(str(number), side, price, quantity, trader))
        left, expected = quantity, []
        own = False
        for other in sorted((o for o in plain if o[2] is side.other), key=lambda o: (-o[2].value * o[3], o[0])):
            if not left or side.value * price < side.value * other[3]:
                break
            own = other[1] == trader
            if own:
                break
            taken = min(left, other[4])
            pair = (str(number), str(other[0])) if side is BUY else (str(other[0]), str(number))
            expected.append((*pair, other[3], taken))
            left -= taken
            other[4] -= taken
        plain = [each for each in plain if each[4]]
        if left and not own:
            plain.append([number, trader, side, price, left])
        assert trades(told) == expected
        assert isinstance(told[-1], Rests) == (left > 0 and not own)
        bid, ask = market.book.best(BUY), market.book.best(SELL)
        assert bid is None or ask is None or bid.price < ask.price
        assert len(market.book) == len(plain)
        assert sum(market.book.count(each) for each in "abcd") == len(plain)
