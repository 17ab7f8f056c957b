"""A double auction with traders of no intelligence, beside the sorted surplus.

Traders may trade some units each, the most wanted and the cheapest first. At its turn a buyer bids any price up to what
its next unit is worth to it, a seller asks any price above what its costs; a new quote replaces its trader's old one.
Turns are drawn at random until nobody who is left could trade at a gain, or everybody has had `PATIENCE` turns a unit.

Source: D. K. Gode, S. Sunder, Allocative efficiency of markets with zero-intelligence traders, Journal of Political
Economy 101(1), 1993 (ZI-C). There a trade clears all quotes (`clearing`); in an order book they rest.
"""

from __future__ import annotations

from random import Random

from agentbus.market import Cancel, DoubleAuction, Order, OrderSide, Rests, Trade

HIGHEST = 200
"""The greatest value and cost, and the highest price that anybody names."""
PATIENCE = 400
"""Turns of each trader for each unit, on average."""


class Session:
    """One market with one kind of supply and demand, drawn at random."""

    def __init__(self, traders: int, units: int, seed: int, *, clearing: bool) -> None:
        self._rng = Random(seed)
        self._worth = {f"b{n}": sorted(self._draw(units), reverse=True) for n in range(traders)}
        self._costs = {f"s{n}": sorted(self._draw(units)) for n in range(traders)}
        self._clearing = clearing
        self._market = DoubleAuction()
        self._quotes: dict[str, str] = {}
        self._turn = 0
        self._last_turn = 2 * traders * units * PATIENCE
        self.gained = 0

    def surplus(self) -> int:
        """The most that all can gain together: the most eager buyers with the cheapest sellers."""
        worth = sorted((value for values in self._worth.values() for value in values), reverse=True)
        costs = sorted(cost for each in self._costs.values() for cost in each)
        return sum(max(0, value - cost) for value, cost in zip(worth, costs, strict=True))

    def run(self) -> None:
        """Trades until nobody could gain any more."""
        while self._worth and self._costs and self._most() >= self._least():
            everyone = [*self._worth, *self._costs]
            while not self._quote(self._rng.choice(everyone)):
                if self._turn >= self._last_turn:
                    return

    def _draw(self, units: int) -> list[int]:
        return [self._rng.randint(1, HIGHEST) for _ in range(units)]

    def _most(self) -> int:
        return max(values[0] for values in self._worth.values())

    def _least(self) -> int:
        return min(costs[0] for costs in self._costs.values())

    def _quote(self, who: str) -> bool:
        """One trader's turn. Returns whether it led to a trade."""
        self._turn += 1
        self._withdraw(who)
        if who in self._worth:
            side, price = OrderSide.BUY, self._rng.randint(1, self._worth[who][0])
        else:
            side, price = OrderSide.SELL, self._rng.randint(self._costs[who][0], HIGHEST)
        order = Order(order_id=f"o{self._turn}", trader=who, side=side, price=price, quantity=1)
        for effect in self._market.handle(order, 0.0):
            if isinstance(effect, Rests):
                self._quotes[who] = order.order_id
            elif isinstance(effect, Trade):
                self._settle(effect)
                return True
        return False

    def _settle(self, trade: Trade) -> None:
        self.gained += self._worth[trade.buyer].pop(0) - self._costs[trade.seller].pop(0)
        for left, who in ((self._worth, trade.buyer), (self._costs, trade.seller)):
            self._quotes.pop(who, None)
            if not left[who]:
                del left[who]
        if self._clearing:
            for who in list(self._quotes):
                self._withdraw(who)

    def _withdraw(self, who: str) -> None:
        order_id = self._quotes.pop(who, None)
        if order_id is not None:
            self._market.handle(Cancel(order_id=order_id, trader=who), 0.0)


def efficiency(traders: int, seed: int, *, units: int = 1, clearing: bool = False) -> float:
    """The share of the surplus that so many buyers and as many sellers make of it."""
    session = Session(traders, units, seed, clearing=clearing)
    most = session.surplus()
    session.run()
    return session.gained / most if most else 1.0
