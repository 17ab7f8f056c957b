"""A household's agent: answers each call with an order for what it has over or misses.

It has no skill at all. Its quotes are drawn at random between what the grid would give it and what the grid would give
the other side, never to its own loss: the zero-intelligence traders of D. K. Gode and S. Sunder, Journal of Political
Economy 101 (1993). From round to round it gives way, so that in the last one whoever can be matched is.
"""

from __future__ import annotations

from random import Random

from agentbus import Agent, Context, on, on_start

from .books import FEED_IN, RETAIL
from .house import House
from .v1.energy_pb2 import Call, Filled, JoinReply, JoinRequest, Order

AUCTIONEER = "auctioneer"
ROUNDS = 3
ANSWER_S = 30.0
"""Seconds that a round may take at most."""


class Household(Agent):
    """In charge of a house.

    Args:
        house: what it switches and reads.
        seed: of its quotes.
    """

    def __init__(self, house: House, seed: int) -> None:
        self.house = house
        self.left = 0
        self._rng = Random(f"{house.name} {seed}")

    @on_start
    async def join(self, ctx: Context) -> None:
        """Says that it wants to trade."""
        await ctx.request(JoinRequest(), JoinReply, to=AUCTIONEER)

    @on(Call)
    async def trade(self, call: Call, ctx: Context) -> None:
        """Lives through the step, when it begins, and orders."""
        if call.round == 0:
            self.left = self.house.live(call.step).balance
        order = Order(step=call.step, round=call.round, sell=self.left > 0, quantity=abs(self.left))
        order.price = self.quote(call.round, order.sell)
        filled = await ctx.request(order, Filled, to=AUCTIONEER, timeout_s=ANSWER_S)
        self.left += -filled.quantity if order.sell else filled.quantity

    def quote(self, number: int, sell: bool) -> int:
        """A price between the grid's two, nearer to its own limit from round to round."""
        reach = (RETAIL - FEED_IN) * (ROUNDS - number) // ROUNDS
        return self._rng.randint(FEED_IN, FEED_IN + reach) if sell else self._rng.randint(RETAIL - reach, RETAIL)
