"""A buyer's agent: demands, chooses, puts the money into escrow, checks what comes, and pays or disputes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from agentbus import Agent, Context, on, on_start, rpc
from agentbus.awards import Bid, best
from agentbus.errors import EscrowRefused
from agentbus.market import EscrowClient, Refusal, Tick, expected_gain
from agentbus.market.agreements import (
    Acceptance,
    Agreement,
    AgreementEffect,
    AgreementState,
    Approval,
    Contest,
    Demand,
    Escrowed,
    Instruct,
    Offer,
    Ruling,
)
from agentbus.market.codec import Value, decode, encode
from agentbus.wire.v1 import market_pb2 as words

from .cast import ARBITER, OFFERS_S, SETTLE_S, WORK_S, WORTH, Clock
from .primes import answers, count, described
from .v1.compute_pb2 import (
    Decline,
    JoinReply,
    JoinRequest,
    RatingReply,
    RatingRequest,
    TrustReply,
    TrustRequest,
    Turn,
    TurnReply,
)

PATIENCE_S = 1.0
GOOD, BAD, SILENT = 0.1, -1.0, -0.5
"""What a buyer tells of a provider: a sample without a fault proves a little, one that was caught proves all."""
NEWCOMER = 0.5
"""The chance that a provider is given of whom nothing was ever told. One that has lost all trust has none."""
TRIAL = 0.1
"""The share of jobs that go to the cheapest of those of whom nothing was ever told: else nobody would ever be known who
is not the cheapest."""
ATTEMPTS = 3
"""Providers that a job is given to, one after the other, when they die."""
S = AgreementState


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """An agreement that is over, as its buyer has written it down. Money in cents."""

    round: int
    demand: str
    buyer: str
    provider: str
    price: int
    units: int
    paid: int
    state: AgreementState


class Lab(Agent):
    """Has blocks counted.

    Args:
        blocks: which, the first first.
        ledger: the escrow ledger's name.
        clock: the market's time.
        seed: of its trials and samples. A buyer who means it draws samples by `secrets`, when the answers are there.
        sample: how many answers of a job it checks.
        patience_s: how long it waits for offers, and for results.

    Attributes:
        answers: what it has paid for, by block.
        deals: what has become of its demands.
        late: offers that came too late.
    """

    def __init__(
        self, blocks: Sequence[int], ledger: str, clock: Clock, seed: int, sample: int, patience_s: float = PATIENCE_S
    ) -> None:
        self.answers: dict[int, int] = {}
        self.deals: list[Deal] = []
        self.late = 0
        self._todo = deque(blocks)
        self._ledger = ledger
        self._clock = clock
        self._seed = seed
        self._sample = sample
        self._patience_s = patience_s
        self._known: dict[str, None] = {}
        self._silent: set[str] = set()
        self._answered: set[str] = set()
        self._now: Agreement | None = None
        self._owed: list[Instruct] = []
        self._news = asyncio.Event()

    @on_start
    async def open(self, ctx: Context) -> None:
        """Opens an account."""
        await EscrowClient(ctx, self._ledger).open(f"{ctx.me}-opens", ctx.me)

    # -- what others say -----------------------------------------------------------------------------------------------

    @rpc(JoinRequest, JoinReply)
    async def meet(self, request: JoinRequest, ctx: Context) -> JoinReply:
        """A provider is there, or there again."""
        self._known[ctx.sender] = None
        self._silent.discard(ctx.sender)
        return JoinReply()

    @on(words.Offer)
    async def offered(self, message: words.Offer, ctx: Context) -> None:
        """An offer; of another's demand, perhaps."""
        if not message.demand.startswith(f"{ctx.me}-") or message.provider != ctx.sender:
            return
        refused = self._hear(decode(message)) if message.demand == self._open else True
        self.late += refused
        self._heard(message.demand, ctx.sender)

    @on(Decline)
    async def declined(self, message: Decline, ctx: Context) -> None:
        """No offer will come."""
        self._heard(message.demand, ctx.sender)

    @on(words.Usage)
    async def used(self, message: words.Usage, ctx: Context) -> None:
        """The work is done, the provider says."""
        if message.demand == self._open and message.provider == ctx.sender:
            self._hear(decode(message))
            self._news.set()

    def _heard(self, demand: str, provider: str) -> None:
        self._silent.discard(provider)  # it lives
        if demand == self._open:
            self._answered.add(provider)
            self._news.set()

    @property
    def _open(self) -> str:
        """The demand that it is about now."""
        return self._now.demand.id if self._now is not None else ""

    def _hear(self, event: Value) -> bool:
        """Tells the agreement; returns whether it refused."""
        assert self._now is not None
        assert not isinstance(event, Demand)
        return any(isinstance(effect, Refusal) for effect in self._now.handle(event, self._clock()))

    # -- what it does --------------------------------------------------------------------------------------------------

    @rpc(Turn, TurnReply)
    async def turn(self, turn: Turn, ctx: Context) -> TurnReply:
        """Has so many blocks done, if anybody will do them."""
        await self._reclaim(ctx)
        blocks = [self._todo.popleft() for _ in range(min(turn.units, len(self._todo)))]
        for attempt in range(ATTEMPTS if blocks else 0):
            if not await self._died(f"{ctx.me}-{turn.round:02}-{attempt}", blocks, ctx):
                break
        self._todo.extendleft(block for block in reversed(blocks) if block not in self.answers)
        return TurnReply()

    async def _died(self, name: str, blocks: list[int], ctx: Context) -> bool:
        """One demand, to its end; whether it has to be made again, as a provider took it and was not heard of again."""
        now, deal = self._clock(), self._demanded(name, blocks, ctx)
        demand = deal.demand
        await ctx.publish(encode(demand))
        if not await self._until(lambda: self._answered >= self._known.keys() - self._silent):
            self._silent |= self._known.keys() - self._answered
        if (offer := await self._choice(deal, ctx)) is None:
            deal.handle(Tick(), demand.offers_until_s)
            return False
        acceptance = Acceptance(demand=name, provider=offer.provider)
        await self._do(deal.handle(acceptance, now), ctx)
        deal.handle(Escrowed(demand=name, hold=deal.hold), now)
        await ctx.publish(encode(acceptance))
        if await self._until(lambda: deal.state is not S.AGREED):
            await self._check(deal, blocks, ctx)
        else:  # no usage came: the money comes back, but not before the hold is over
            effects = deal.handle(Tick(), demand.work_until_s)
            self._owed += [effect for effect in effects if isinstance(effect, Instruct)]
            self._silent.add(offer.provider)
        await self._write_down(deal, offer, ctx)
        return deal.state is S.EXPIRED

    async def _write_down(self, deal: Agreement, offer: Offer, ctx: Context) -> None:
        """Keeps what has become of it, and tells how content it is."""
        units = deal.usage.units if deal.usage is not None else 0
        self.deals.append(
            Deal(
                round=self._clock.round,
                demand=deal.demand.id,
                buyer=ctx.me,
                provider=offer.provider,
                price=offer.price,
                units=units,
                paid=deal.paid,
                state=deal.state,
            )
        )
        satisfaction = SILENT if deal.state is S.EXPIRED else GOOD if deal.paid == units * offer.price else BAD
        rating = RatingRequest(demand=deal.demand.id, provider=offer.provider, satisfaction=satisfaction)
        await ctx.request(rating, RatingReply, to=ARBITER)

    def _demanded(self, name: str, blocks: list[int], ctx: Context) -> Agreement:
        now = self._clock()
        demand = Demand(
            id=name,
            buyer=ctx.me,
            account=ctx.me,
            work=described(blocks),
            units=len(blocks),
            price=WORTH,
            made_s=now,
            offers_until_s=now + OFFERS_S,
            work_until_s=now + WORK_S,
            settle_until_s=now + SETTLE_S,
            arbiter=ARBITER,
        )
        self._now, self._answered = Agreement(demand), set()
        return self._now

    async def _choice(self, deal: Agreement, ctx: Context) -> Offer | None:
        """The offer that gains most, as far as its provider is to be trusted; None: none gains anything."""
        found = await ctx.request(TrustRequest(), TrustReply, to=ARBITER)
        rated = set(found.rated)
        known = {name: trust for name, trust in found.trust.items() if trust > 0.0 or name in rated}
        score = expected_gain(WORTH, known, newcomer=NEWCOMER)
        bids = [Bid(bidder=name, bid=deal.offers[name].price) for name in sorted(deal.offers)]  # not as they came
        unknown = [bid for bid in bids if bid.bidder not in rated]
        if unknown and self._chance(f"{deal.demand.id} trial").random() < TRIAL:
            bids = unknown
        ranked, _ = best(score).rank(bids, WORTH)
        return deal.offers[ranked[0].bid.bidder] if ranked and score(ranked[0].bid) > 0.0 else None

    async def _check(self, deal: Agreement, blocks: list[int], ctx: Context) -> None:
        """Does a sample again; pays, or has the arbiter decide."""
        assert deal.usage is not None
        name, now = deal.demand.id, self._clock()
        counts = answers(deal.usage.evidence)
        sample = self._chance(f"{name} sample").sample(range(len(blocks)), min(self._sample, len(blocks)))
        whole = len(counts) == len(blocks) == deal.usage.units
        if whole and all(count(blocks[place]) == counts[place] for place in sample):
            await self._do(deal.handle(Approval(demand=name), now), ctx)
            self.answers |= zip(blocks, counts, strict=True)
            await ctx.publish(encode(Approval(demand=name)))
            return
        contest = Contest(demand=name, by=ctx.me, reason="an answer of the sample is wrong")
        await self._do(deal.handle(contest, now), ctx)
        await ctx.publish(encode(contest))
        ruling = decode(await ctx.request(encode(contest), words.Ruling, to=ARBITER))
        assert isinstance(ruling, Ruling)
        deal.handle(ruling, now)

    def _chance(self, of: str) -> Random:
        return Random(f"{self._seed} {of}")

    async def _do(self, effects: list[AgreementEffect], ctx: Context) -> None:
        for effect in effects:
            if isinstance(effect, Instruct) and effect.by == ctx.me:
                await EscrowClient(ctx, self._ledger).do(effect.transaction, effect.command)

    async def _reclaim(self, ctx: Context) -> None:
        """Asks for the money of holds that are over."""
        owed, self._owed = self._owed, []
        for instruct in owed:
            try:
                await EscrowClient(ctx, self._ledger).do(instruct.transaction, instruct.command)
            except EscrowRefused:
                self._owed.append(instruct)  # not yet

    async def _until(self, done: Callable[[], bool]) -> bool:
        """Waits, as long as it has patience; returns whether it is so."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s):
                while not done():
                    self._news.clear()
                    await self._news.wait()
        return done()
