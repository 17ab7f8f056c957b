"""The continuous double auction: buyers and sellers place orders, and two that meet trade at once. Pure.

Rules: price-time priority; a trade is at the price of the order that rested; what is left of an order rests. **Nobody
trades with itself**: an order that would meet one of its own trader's trades with all that come before that one, and
the rest of it is cancelled; the older order stays where it is. Amounts are whole numbers: no unit and no tick is lost.

Invariants: the best buyer's price is below the best seller's after each event; units bought are units sold.

Source: D. Friedman, The double auction market institution: a survey, 1993.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from math import isnan

from ..errors import ConfigurationError
from .model import Reason, Refusal, Tick, wrong_amount
from .order_book import Order, OrderBook, OrderSide

MAX_ORDERS = 100_000
MAX_PER_TRADER = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Event: a trader takes its order back."""

    order_id: str
    trader: str


DoubleAuctionEvent = Order | Cancel | Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Effect: units change hands.

    Attributes:
        buyer, seller: traders.
        buy_id, sell_id: their orders.
        price: ticks a unit: the resting order's.
        quantity: units.
        resting: which of the two orders was there first.
    """

    buyer: str
    seller: str
    buy_id: str
    sell_id: str
    price: int
    quantity: int
    resting: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rests:
    """Effect: what is left of an order waits in the book."""

    order: Order


class Why(Enum):
    """Why an order was cancelled."""

    ASKED = "asked"
    SELF_TRADE = "self trade"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """Effect: an order, with what was left of it, is no longer wanted."""

    order: Order
    why: Why


DoubleAuctionEffect = Trade | Rests | Cancelled | Refusal


class DoubleAuction:
    """A market in one good.

    Args:
        closes_s: when all that rests is cancelled and nothing more is taken; None: never.
        max_orders: how many may rest; an order more is refused.
        max_per_trader: how many of one trader's.
    """

    def __init__(
        self, *, closes_s: float | None = None, max_orders: int = MAX_ORDERS, max_per_trader: int = MAX_PER_TRADER
    ) -> None:
        if closes_s is not None and isnan(closes_s):
            raise ConfigurationError("closes_s is not a number: give a time, or None")
        self.book = OrderBook()
        self.closes_s = closes_s
        self.closed = False
        self.max_orders = max_orders
        self.max_per_trader = max_per_trader

    def handle(self, event: DoubleAuctionEvent, now: float) -> list[DoubleAuctionEffect]:
        """Takes in what has happened; returns what to tell."""
        effects: list[DoubleAuctionEffect] = []
        if self.closes_s is not None and now >= self.closes_s:
            self._close(effects)
        match event:
            case Order():
                refusal = self._refusal(event)
                if refusal is None:
                    self._place(event, effects)
                else:
                    effects.append(refusal)
            case Cancel():
                effects.append(self._cancel(event))
            case Tick():
                pass
        return effects

    def next_deadline(self) -> float | None:
        """When a `Tick` is due, or None."""
        return None if self.closed else self.closes_s

    def _refusal(self, order: Order) -> Refusal | None:
        who = order.trader
        if self.closed:
            return Refusal(party=who, reason=Reason.TOO_LATE, text="the market is closed")
        wrong = wrong_amount(who, order.price) or wrong_amount(who, order.quantity, least=1)
        if wrong is not None:
            return wrong
        if order.order_id in self.book:
            return Refusal(party=who, reason=Reason.TWICE, text=f"an order {order.order_id!r} rests already")
        if len(self.book) >= self.max_orders:
            return Refusal(party=who, reason=Reason.FULL, text=f"{self.max_orders} orders rest already")
        if self.book.count(who) >= self.max_per_trader:
            return Refusal(party=who, reason=Reason.FULL, text=f"{self.max_per_trader} of your orders rest already")
        return None

    def _place(self, order: Order, effects: list[DoubleAuctionEffect]) -> None:
        while order.quantity:
            best = self.book.best(order.side.other)
            if best is None or not order.meets(best):
                self.book.add(order)
                effects.append(Rests(order=order))
                return
            if best.trader == order.trader:
                effects.append(Cancelled(order=order, why=Why.SELF_TRADE))
                return
            quantity = min(order.quantity, best.quantity)
            effects.append(_trade(order, best, quantity))
            self.book.reduce(best.order_id, quantity)
            order = replace(order, quantity=order.quantity - quantity)

    def _cancel(self, cancel: Cancel) -> DoubleAuctionEffect:
        order = self.book.get(cancel.order_id)
        if order is None:
            text = f"no order {cancel.order_id!r} rests: it is traded, cancelled or was never placed"
            return Refusal(party=cancel.trader, reason=Reason.NO_SUCH_ORDER, text=text)
        if order.trader != cancel.trader:
            text = f"order {cancel.order_id!r} is another trader's"
            return Refusal(party=cancel.trader, reason=Reason.NOT_YOURS, text=text)
        return Cancelled(order=self.book.remove(cancel.order_id), why=Why.ASKED)

    def _close(self, effects: list[DoubleAuctionEffect]) -> None:
        self.closed = True
        for order in [*self.book.orders(OrderSide.BUY), *self.book.orders(OrderSide.SELL)]:
            effects.append(Cancelled(order=self.book.remove(order.order_id), why=Why.CLOSED))


def _trade(order: Order, resting: Order, quantity: int) -> Trade:
    buy, sell = (order, resting) if order.side is OrderSide.BUY else (resting, order)
    return Trade(
        buyer=buy.trader,
        seller=sell.trader,
        buy_id=buy.order_id,
        sell_id=sell.order_id,
        price=resting.price,
        quantity=quantity,
        resting=resting.order_id,
    )
