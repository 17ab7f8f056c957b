"""An order book: who would buy and sell, at which price, who came first. Pure.

Invariants: best price first, of one price the earliest order first; no order rests with nothing left; all amounts are
whole numbers. `OrderBook` only keeps orders, `DoubleAuction` matches them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum


class OrderSide(Enum):
    """What an order wants."""

    BUY = 1
    SELL = -1

    @property
    def other(self) -> OrderSide:
        """Whom it trades with."""
        return OrderSide.SELL if self is OrderSide.BUY else OrderSide.BUY


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A limit order, and the event that places it.

    Attributes:
        order_id: unique among the orders that rest.
        trader: whose it is.
        side: buy or sell.
        price: the most a buyer pays, the least a seller takes, in ticks a unit.
        quantity: units, at least 1; of an order that rests: what is left.
    """

    order_id: str
    trader: str
    side: OrderSide
    price: int
    quantity: int

    def meets(self, other: Order) -> bool:
        """Whether the two prices allow a trade with an order of the other side."""
        return self.side.value * self.price >= self.side.value * other.price


class OrderBook:
    """The orders that rest."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._levels: dict[tuple[OrderSide, int], OrderedDict[str, None]] = {}
        self._prices: dict[OrderSide, list[int]] = {OrderSide.BUY: [], OrderSide.SELL: []}
        """Ascending after the multiplication by the side's sign: the best price is the last."""
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def __contains__(self, order_id: object) -> bool:
        return order_id in self._orders

    def get(self, order_id: str) -> Order | None:
        """An order that rests."""
        return self._orders.get(order_id)

    def count(self, trader: str) -> int:
        """How many orders of one trader rest."""
        return self._counts.get(trader, 0)

    def best(self, side: OrderSide) -> Order | None:
        """Who is first of a side."""
        prices = self._prices[side]
        if not prices:
            return None
        level = self._levels[side, side.value * prices[-1]]
        return self._orders[next(iter(level))]

    def orders(self, side: OrderSide) -> Iterator[Order]:
        """The orders of a side, the first one first."""
        for key in reversed(self._prices[side]):
            for order_id in self._levels[side, side.value * key]:
                yield self._orders[order_id]

    def depth(self, side: OrderSide) -> list[tuple[int, int]]:
        """Each price of a side with all that is wanted or offered at it, the best price first."""
        told: dict[int, int] = {}
        for order in self.orders(side):
            told[order.price] = told.get(order.price, 0) + order.quantity
        return list(told.items())

    def add(self, order: Order) -> None:
        """Lets an order rest, behind the others of its price. The caller sees to it that the id is new."""
        level = self._levels.get((order.side, order.price))
        if level is None:
            level = self._levels[order.side, order.price] = OrderedDict()
            insort(self._prices[order.side], order.side.value * order.price)
        level[order.order_id] = None
        self._orders[order.order_id] = order
        self._counts[order.trader] = self.count(order.trader) + 1

    def reduce(self, order_id: str, quantity: int) -> None:
        """Takes from an order what was traded; it keeps its place, or goes when nothing is left."""
        order = self._orders[order_id]
        if quantity < order.quantity:
            self._orders[order_id] = replace(order, quantity=order.quantity - quantity)
        else:
            self.remove(order_id)

    def remove(self, order_id: str) -> Order:
        """Takes an order out.

        Raises:
            KeyError: none of that id rests.
        """
        order = self._orders.pop(order_id)
        level = self._levels[order.side, order.price]
        del level[order_id]
        if not level:
            del self._levels[order.side, order.price]
            prices = self._prices[order.side]
            del prices[bisect_left(prices, order.side.value * order.price)]
        left = self._counts[order.trader] - 1
        if left:
            self._counts[order.trader] = left
        else:
            del self._counts[order.trader]
        return order
