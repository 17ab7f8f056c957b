"""A provider's agent: offers, works when the money is in escrow, and reports what it has done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from agentbus import Agent, Context, on, on_start
from agentbus.market import EscrowClient, Tick
from agentbus.market.agreements import Acceptance, Agreement, Demand, Escrowed, Offer, Usage
from agentbus.market.codec import Value, decode, encode
from agentbus.wire.v1 import market_pb2 as words

from .cast import ARBITER, BUYERS, Clock, Provider
from .primes import asked, count, evidence, made_up
from .v1.compute_pb2 import Decline, JoinReply, JoinRequest


class Seller(Agent):
    """Sells work: one job a round.

    Args:
        kind: what it asks for, and what it is like.
        ledger: the escrow ledger's name.
        clock: the market's time.
        seed: of its prices, and of what it makes up.
        halfway: called with its name in the midst of each job.

    Attributes:
        faked: the blocks whose answers it made up, by demand. Nobody but the story's teller looks at this.
    """

    def __init__(
        self, kind: Provider, ledger: str, clock: Clock, seed: int, halfway: Callable[[str], None] = lambda _: None
    ) -> None:
        self.kind = kind
        self.faked: dict[str, list[int]] = {}
        self._ledger = ledger
        self._clock = clock
        self._seed = seed
        self._halfway = halfway
        self._deals: dict[str, Agreement] = {}
        self._busy = -1  # the round in which it has a job
        self._late: dict[str, Offer] = {}
        self._was_late = False

    @on_start
    async def join(self, ctx: Context) -> None:
        """Opens an account, and says that it is there."""
        await EscrowClient(ctx, self._ledger).open(f"{ctx.me}-opens", ctx.me)
        everybody = len(BUYERS) + 1
        await ctx.gather(JoinRequest(), JoinReply, at_least=everybody, at_most=everybody)

    @on(words.Demand)
    async def offer(self, message: words.Demand, ctx: Context) -> None:
        """Offers, unless it has a job in this round."""
        demand, now = decode(message), self._clock()
        assert isinstance(demand, Demand)
        for name, deal in list(self._deals.items()):
            deal.handle(Tick(), now)
            if deal.next_deadline() is None:
                del self._deals[name]
        if self._busy == self._clock.round or demand.arbiter != ARBITER or not _possible(demand):
            await ctx.publish(Decline(demand=demand.id))
            return
        price = self.kind.price + self._chance(demand.id).randint(0, 2)
        offer = Offer(demand=demand.id, provider=ctx.me, account=ctx.me, price=price)
        if self.kind.late == self._clock.round and not self._was_late:
            self._was_late = True
            self._late[demand.id] = offer
            return
        self._deals[demand.id] = Agreement(demand)
        self._deals[demand.id].handle(offer, now)
        await ctx.publish(encode(offer))

    @on(words.Acceptance)
    async def work(self, message: words.Acceptance, ctx: Context) -> None:
        """Does the job, if it is the one that was taken and the money is in escrow."""
        acceptance = decode(message)
        assert isinstance(acceptance, Acceptance)
        if acceptance.demand in self._late:
            await ctx.publish(encode(self._late.pop(acceptance.demand)))  # as if the wire had been slow
        deal = self._deals.get(acceptance.demand)
        if deal is None:
            return
        if acceptance.provider != ctx.me:
            del self._deals[acceptance.demand]
            return
        demand, now = deal.demand, self._clock()
        deal.handle(acceptance, now)
        held = await EscrowClient(ctx, self._ledger).held(deal.hold)
        wanted = demand.account, ctx.me, deal.escrow, demand.arbiter
        if held is None or (held.payer, held.payee, held.balance, held.arbiter) != wanted:
            return  # no money, no work
        deal.handle(Escrowed(demand=demand.id, hold=deal.hold), now)
        self._busy = self._clock.round
        counts = await self._counted(demand)
        usage = Usage(demand=demand.id, provider=ctx.me, units=len(counts), evidence=evidence(counts))
        deal.handle(usage, now)
        await ctx.publish(encode(usage))

    @on(words.Approval)
    async def paid(self, message: words.Approval, ctx: Context) -> None:
        """It was paid."""
        self._tell(decode(message))

    @on(words.Contest)
    async def accused(self, message: words.Contest, ctx: Context) -> None:
        """It is said to have cheated."""
        self._tell(decode(message))

    @on(words.Ruling)
    async def judged(self, message: words.Ruling, ctx: Context) -> None:
        """The arbiter has decided."""
        self._tell(decode(message))

    def _tell(self, event: Value) -> None:
        if not isinstance(event, Demand) and (deal := self._deals.get(event.demand)) is not None:
            deal.handle(event, self._clock())

    async def _counted(self, demand: Demand) -> list[int]:
        """The answers; as many of them made up as it is like."""
        blocks, rng = asked(demand.work), self._chance(f"{demand.id} made up")
        lies = set(rng.sample(blocks, round(self.kind.fakes * len(blocks))))
        self.faked[demand.id] = sorted(lies)
        counts: list[int] = []
        for number, block in enumerate(blocks):
            if number == len(blocks) // 2:
                self._halfway(self.kind.name)
            await asyncio.sleep(0)  # others have something to do as well
            counts.append(made_up(block, rng) if block in lies else count(block))
        return counts

    def _chance(self, of: str) -> Random:
        return Random(f"{self._seed} {self.kind.name} {of}")


def _possible(demand: Demand) -> bool:
    try:
        return len(asked(demand.work)) == demand.units
    except ValueError:
        return False
