"""The arbiter's agent: decides disputes by doing the work again, and keeps what is told of the providers.

It reads what all say in the open, so a buyer can't show it another answer than the provider gave. A rating counts once,
and only from who has paid, or been given back, the money of that very deal: that is in the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from agentbus import Agent, Context, Refused, on, rpc
from agentbus.market import EscrowClient, Reputation, ReputationConfig
from agentbus.market.escrow import HoldState
from agentbus.wire.v1 import market_pb2 as words

from .cast import BUYERS, Clock
from .primes import answers, asked, count
from .v1.compute_pb2 import (
    JoinReply,
    JoinRequest,
    RatingReply,
    RatingRequest,
    TrustReply,
    TrustRequest,
)

T = TypeVar("T", words.Demand, words.Usage)

KEPT = 1_000
"""Deals whose words are kept."""
PATIENCE_S = 5.0
"""How long it waits for words that were said and have not reached it yet."""


class Arbiter(Agent):
    """Decides, and remembers.

    Args:
        ledger: the escrow ledger's name.
        clock: the market's time.
    """

    def __init__(self, ledger: str, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._demands: dict[str, asyncio.Future[words.Demand]] = {}
        self._usages: dict[str, asyncio.Future[words.Usage]] = {}
        self._providers: dict[str, None] = {}
        self._rated: dict[str, str] = {}
        self._reputation = Reputation(ReputationConfig(pretrusted=frozenset(BUYERS)))

    # -- disputes ------------------------------------------------------------------------------------------------------

    @on(words.Demand)
    async def hear_demand(self, demand: words.Demand, ctx: Context) -> None:
        """Keeps it."""
        if ctx.sender == demand.buyer:
            _keep(self._demands, demand.id, demand)

    @on(words.Usage)
    async def hear_usage(self, usage: words.Usage, ctx: Context) -> None:
        """Keeps it."""
        if ctx.sender == usage.provider:
            _keep(self._usages, usage.demand, usage)

    @rpc(words.Contest, words.Ruling)
    async def decide(self, contest: words.Contest, ctx: Context) -> words.Ruling:
        """Does all of it again; pays for what is right."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                demand = await _kept(self._demands, contest.demand)
                usage = await _kept(self._usages, contest.demand)
        except TimeoutError:
            raise Refused(f"nobody has told of demand {contest.demand!r} and of what was done for it") from None
        escrow = EscrowClient(ctx, self._ledger)
        held = await escrow.held(f"{demand.id}-hold")
        if held is None or (held.payer, held.payee, held.state) != (ctx.sender, usage.provider, HoldState.DISPUTED):
            raise Refused(f"demand {demand.id!r}: {ctx.sender} has no dispute with {usage.provider} in the ledger")
        done = zip(asked(demand.work), answers(usage.evidence), strict=False)
        right = min(usage.units, sum(count(block) == found for block, found in done))
        price = held.amount // demand.units
        await escrow.resolve(f"{demand.id}-resolve", held.id, right * price)
        ruling = words.Ruling(demand=demand.id, units=right)
        await ctx.publish(ruling)
        return ruling

    # -- reputation ----------------------------------------------------------------------------------------------------

    @rpc(JoinRequest, JoinReply)
    async def join(self, request: JoinRequest, ctx: Context) -> JoinReply:
        """Somebody wants to be known."""
        self._providers[ctx.sender] = None
        self._reputation.meet([ctx.sender])
        return JoinReply()

    @rpc(RatingRequest, RatingReply)
    async def rate(self, rating: RatingRequest, ctx: Context) -> RatingReply:
        """A buyer tells of its deal."""
        held = await EscrowClient(ctx, self._ledger).held(f"{rating.demand}-hold")
        dealt = held is not None and (held.payer, held.payee) == (ctx.sender, rating.provider)
        if not dealt or rating.demand in self._rated:
            return RatingReply(counts=False)
        self._rated[rating.demand] = rating.provider
        self._reputation.record(ctx.sender, rating.provider, rating.satisfaction, self._clock())
        return RatingReply(counts=True)

    @rpc(TrustRequest, TrustReply)
    async def tell(self, request: TrustRequest, ctx: Context) -> TrustReply:
        """How far the providers are trusted now."""
        trust = self._reputation.trust(self._clock())
        found = {name: trust.get(name, 0.0) for name in self._providers}
        return TrustReply(trust=found, rated=sorted(set(self._rated.values())))


def _slot(slots: dict[str, asyncio.Future[T]], demand: str) -> asyncio.Future[T]:
    if demand not in slots:
        slots[demand] = asyncio.get_running_loop().create_future()
        if len(slots) > KEPT:
            slots.pop(next(iter(slots)))
    return slots[demand]


def _keep(slots: dict[str, asyncio.Future[T]], demand: str, message: T) -> None:
    slot = _slot(slots, demand)
    if not slot.done():  # what was said first, counts
        slot.set_result(message)


def _kept(slots: dict[str, asyncio.Future[T]], demand: str) -> Awaitable[T]:
    return asyncio.shield(_slot(slots, demand))
