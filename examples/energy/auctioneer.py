"""The auctioneer's agent: calls all households, waits for their orders or for its patience to end, and matches them.

A round is one continuous double auction whose orders come in an order drawn by lot, so that nobody gains by a faster
line, and the same seed makes the same day on any broker. An order stands until its owner is called again. Who does not
answer is not waited for a second time, and its order lapses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from random import Random

from agentbus import Agent, Context, Refused, rpc
from agentbus.market import Cancel, Cancelled, DoubleAuction, OrderSide
from agentbus.market import Order as BookOrder
from agentbus.market import Trade as Match

from .v1.energy_pb2 import Call, Cleared, Filled, JoinReply, JoinRequest, Order, Trade, Turn

MOST = 1_000
"""Households that may trade."""
PATIENCE_S = 1.0


class Auctioneer(Agent):
    """Holds the market.

    Args:
        seed: of the lots.
        patience_s: how long a round waits for those who are silent.
    """

    def __init__(self, seed: int, patience_s: float = PATIENCE_S) -> None:
        self.members: dict[str, None] = {}
        self._seed = seed
        self._patience_s = patience_s
        self._market = DoubleAuction()
        self._turn: Turn | None = None
        self._orders: dict[str, tuple[Order, asyncio.Future[Filled]]] = {}
        self._complete = asyncio.Event()

    @rpc(JoinRequest, JoinReply)
    async def join(self, request: JoinRequest, ctx: Context) -> JoinReply:
        """Somebody wants to be called."""
        if len(self.members) >= MOST:
            raise Refused(f"{MOST} households trade here already")
        self.members[ctx.sender] = None
        return JoinReply()

    @rpc(Order, Filled, concurrency=MOST)
    async def order(self, order: Order, ctx: Context) -> Filled:
        """Takes an order, and answers when the round is over."""
        turn = self._turn
        if turn is None or (order.step, order.round) != (turn.step, turn.round):
            raise Refused(f"round {order.round} of step {order.step} is not open")
        if ctx.sender not in self.members or ctx.sender in self._orders:
            raise Refused("join first, and order once a round")
        answer: asyncio.Future[Filled] = asyncio.get_running_loop().create_future()
        self._orders[ctx.sender] = order, answer
        if len(self._orders) == len(self.members):
            self._complete.set()
        return await answer

    @rpc(Turn, Cleared)
    async def hold(self, turn: Turn, ctx: Context) -> Cleared:
        """Holds a round."""
        if turn.round == 0:
            self._market = DoubleAuction()  # what rested is void: energy can't be traded after its time
        self._turn = turn
        self._complete.clear()
        if self.members:
            await ctx.publish(Call(step=turn.step, round=turn.round))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience_s):
                    await self._complete.wait()
        self._turn = None
        orders, self._orders = self._orders, {}
        cleared = Cleared(step=turn.step, round=turn.round)
        cleared.silent.extend(sorted(self.members.keys() - orders.keys()))
        cleared.lapsed = sum(self._void([name]) for name in cleared.silent)
        for name in cleared.silent:
            del self.members[name]
        self._void(self.members)
        cleared.trades.extend(self._match({name: order for name, (order, _) in orders.items()}, turn))
        for name, (_, answer) in orders.items():
            filled = sum(trade.quantity for trade in cleared.trades if name in (trade.seller, trade.buyer))
            answer.set_result(Filled(quantity=filled))
        await ctx.publish(cleared)
        return cleared

    def _void(self, names: Iterable[str]) -> int:
        """Cancels what rests of these; Wh. A trader's one order is called by its name."""
        effects = [each for name in names for each in self._market.handle(Cancel(order_id=name, trader=name), 0.0)]
        return sum(effect.order.quantity for effect in effects if isinstance(effect, Cancelled))

    def _match(self, orders: dict[str, Order], turn: Turn) -> Iterable[Trade]:
        names = sorted(orders)
        Random(f"lots {self._seed} {turn.step} {turn.round}").shuffle(names)
        for name in names:
            order = orders[name]
            side = OrderSide.SELL if order.sell else OrderSide.BUY
            placed = BookOrder(order_id=name, trader=name, side=side, price=order.price, quantity=order.quantity)
            for effect in self._market.handle(placed, 0.0):  # an order for nothing is refused, and does nothing
                if isinstance(effect, Match):
                    yield Trade(seller=effect.seller, buyer=effect.buyer, price=effect.price, quantity=effect.quantity)
