"""The day, lived alone or with the market: each household on a node of its own."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from agentbus import Node

from .auctioneer import PATIENCE_S, Auctioneer
from .books import Books, Deal, closed
from .house import House, street
from .household import AUCTIONEER, ROUNDS, Household
from .sky import STEPS
from .v1.energy_pb2 import Cleared, Turn

NOON = STEPS // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day that is over.

    Attributes:
        houses: with their meters' readings.
        silent: who stopped answering, and in which step and round.
        lapsed: Wh of orders that lapsed with them.
    """

    houses: list[House]
    books: Books
    silent: dict[str, tuple[int, int]]
    lapsed: int


def alone(seed: int) -> Day:
    """Each with the grid only."""
    houses = street(seed)
    for step in range(STEPS):
        for house in houses:
            house.live(step)
    return _over(houses, [], {}, 0)


async def together(seed: int, url: str, *, fails: str | None = None, patience_s: float = PATIENCE_S) -> Day:
    """With the market.

    Args:
        fails: whose node is stopped at noon, when it has ordered in the first round of the step.
        patience_s: how long the auctioneer waits for those who are silent.
    """
    houses = street(seed)
    deals: list[Deal] = []
    silent: dict[str, tuple[int, int]] = {}
    lapsed = 0
    async with AsyncExitStack() as stack:
        auctioneer = Auctioneer(seed, patience_s)
        node = await stack.enter_async_context(Node(url, realm="energy", agents={AUCTIONEER: auctioneer}))
        nodes = {
            house.name: await stack.enter_async_context(
                Node(url, realm="energy", agents={house.name: Household(house, seed)})
            )
            for house in houses
        }
        for step in range(STEPS):
            for number in range(ROUNDS):
                if fails is not None and (step, number) == (NOON, 1):
                    await nodes[fails].abort()  # as a crash would: it says nothing
                turn = Turn(step=step, round=number)
                cleared = await node.request(turn, Cleared, to=AUCTIONEER, timeout_s=patience_s + 10)
                deals += [
                    Deal(step=step, seller=each.seller, buyer=each.buyer, price=each.price, quantity=each.quantity)
                    for each in cleared.trades
                ]
                silent |= dict.fromkeys(cleared.silent, (step, number))
                lapsed += cleared.lapsed
            for house in houses:
                if len(house.readings) == step:
                    house.idle(step)
    return _over(houses, deals, silent, lapsed)


def _over(houses: list[House], deals: list[Deal], silent: dict[str, tuple[int, int]], lapsed: int) -> Day:
    books = closed(houses, deals)
    books.check()
    return Day(houses=houses, books=books, silent=silent, lapsed=lapsed)
