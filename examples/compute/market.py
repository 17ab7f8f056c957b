"""The market: all rounds, each agent on a node of its own, and what has become of it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from math import fsum
from secrets import token_hex

from agentbus import Agent, Node
from agentbus.market import EscrowClient, EscrowLedger, audit
from agentbus.market.agreements import AgreementState
from agentbus.market.escrow import Audit

from .arbiter import Arbiter
from .buyer import PATIENCE_S, Deal, Lab
from .cast import ARBITER, BANK, BUYERS, FUNDS, LEDGER, PROVIDERS, UNITS, Clock
from .primes import chance, count, exact_chance
from .provider import Seller
from .v1.compute_pb2 import TrustReply, TrustRequest, Turn, TurnReply

REALM = "compute"
ROUNDS, SAMPLE = 40, 3
STRETCH = 1_500
"""Blocks that a buyer has to count: lab-1 from 0, lab-2 from fifteen millions, lab-3 from thirty."""
MOST_ROUNDS = STRETCH // UNITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What has become of a provider. Money in cents.

    Attributes:
        units: blocks that it reported as done.
        faked: of these, the made-up ones.
        refused: of these, those that the arbiter found wrong.
        paid: blocks that were paid.
        income: what is in its account.
        lost: disputes.
        died: jobs that it took and never reported.
        last: the last round in which it had work.
        trust: of all that the providers have together, its share.
    """

    name: str
    jobs: int
    units: int
    faked: int
    refused: int
    paid: int
    income: int
    lost: int
    died: int
    last: int | None
    trust: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A run that is over.

    Attributes:
        deals: in the order of their ends.
        trust: by provider, after each round: of the providers' trust, its share.
        accounts: by provider.
        left: what is in the buyers' accounts, in cents.
        late: offers that came too late.
        answers: blocks that the buyers have paid for.
        wrong: how many of these are wrong.
        off: primes that the buyers have counted, less those that there are.
        expected: disputes to be expected of deals with wrong answers, by ``1 - (1 - q)^s``.
        exact: the same, as no answer is drawn twice.
        false: deals with wrong answers.
        undetected: how many wrong answers were paid for, by demand.
        books: what the auditor has found.
    """

    seed: int
    rounds: int
    sample: int
    deals: list[Deal]
    trust: dict[str, list[float]]
    accounts: dict[str, Account]
    left: dict[str, int]
    late: int
    answers: int
    wrong: int
    off: int
    expected: float
    exact: float
    false: int
    undetected: dict[str, int]
    books: Audit

    @property
    def lost(self) -> int:
        """Disputes that were lost."""
        return sum(account.lost for account in self.accounts.values())

    @property
    def conserved(self) -> bool:
        """Whether the ledger is sound, and all the money that was paid in is in somebody's account."""
        held = sum(account.income for account in self.accounts.values()) + sum(self.left.values())
        return self.books.sound and self.books.issued == held == FUNDS * len(BUYERS)


class Market:
    """All agents and their nodes.

    Args:
        seed: of chance.
        sample: answers of a job that a buyer checks.
        url: the broker.
        patience_s: how long a buyer waits for who is silent.
    """

    def __init__(self, seed: int, sample: int, url: str, patience_s: float) -> None:
        self.clock = Clock()
        self.ledger = f"run-{token_hex(4)}"  # a broker may have the ledgers of earlier runs
        self.sellers: dict[str, list[Seller]] = {kind.name: [] for kind in PROVIDERS}
        self.labs = {
            name: Lab(range(place * STRETCH, (place + 1) * STRETCH), self.ledger, self.clock, seed, sample, patience_s)
            for place, name in enumerate(BUYERS)
        }
        self._seed = seed
        self._url = url
        self._stack = AsyncExitStack()
        self._nodes: dict[str, Node] = {}
        self._dead: dict[str, int] = {}
        self._dying: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Market:
        self.bank = await self._stack.enter_async_context(Node(self._url, realm=REALM, name=BANK))
        await self._host(LEDGER, EscrowLedger(self.ledger, issuer=BANK, clock=self.clock))
        await self._host(ARBITER, Arbiter(self.ledger, self.clock))
        mint = EscrowClient(self.bank, self.ledger)
        for name, lab in self.labs.items():
            await self._host(name, lab)
            await mint.transfer(f"funds-{name}", BANK, name, FUNDS)
        for kind in PROVIDERS:
            await self._open_shop(kind.name)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def round(self, number: int, units: int) -> dict[str, float]:
        """One round; returns the providers' trust."""
        self.clock.round = number
        for kind in PROVIDERS:
            if kind.name in self._dead and number >= self._dead[kind.name] + kind.back:
                del self._dead[kind.name]
                await self._open_shop(kind.name)
        for turn in range(len(BUYERS)):
            buyer = BUYERS[(turn + number) % len(BUYERS)]  # each is the first in turn
            await self.bank.request(Turn(round=number, units=units), TurnReply, to=buyer, timeout_s=60.0)
        found = (await self.bank.request(TrustRequest(), TrustReply, to=ARBITER)).trust
        whole = fsum(found.values()) or 1.0  # a map has no order: exact, so that none matters
        return {name: found[name] / whole for name in self.sellers}

    async def _host(self, name: str, agent: Agent) -> None:
        node = Node(self._url, realm=REALM, agents={name: agent})
        self._nodes[name] = await self._stack.enter_async_context(node)

    async def _open_shop(self, name: str) -> None:
        kind = next(kind for kind in PROVIDERS if kind.name == name)
        seller = Seller(kind, self.ledger, self.clock, self._seed, self._halfway)
        self.sellers[name].append(seller)
        await self._host(name, seller)

    def _halfway(self, name: str) -> None:
        kind = next(kind for kind in PROVIDERS if kind.name == name)
        if kind.dies is not None and self.clock.round >= kind.dies and len(self.sellers[name]) == 1:
            self._dead[name] = self.clock.round
            self._dying.append(asyncio.create_task(self._nodes[name].abort()))  # as a crash would: it says nothing


async def live(seed: int, rounds: int, sample: int, url: str, *, patience_s: float = PATIENCE_S) -> Story:
    """All rounds."""
    trust: dict[str, list[float]] = {kind.name: [] for kind in PROVIDERS}
    async with Market(seed, sample, url, patience_s) as market:
        for number in range(rounds):
            for name, share in (await market.round(number, UNITS)).items():
                trust[name].append(share)
        await market.round(rounds, 0)  # what is owed comes back
        books = await audit(market.bank.transport, market.ledger, realm=REALM)
        return _told(market, seed, rounds, sample, trust, books)


def _told(market: Market, seed: int, rounds: int, sample: int, trust: dict[str, list[float]], books: Audit) -> Story:
    deals = [deal for lab in market.labs.values() for deal in lab.deals]
    deals.sort(key=lambda deal: (deal.round, (BUYERS.index(deal.buyer) - deal.round) % len(BUYERS), deal.demand))
    made_up = {
        demand: lies for each in market.sellers.values() for seller in each for demand, lies in seller.faked.items()
    }
    answers = {block: found for lab in market.labs.values() for block, found in lab.answers.items()}
    off = {block: found - count(block) for block, found in answers.items()}
    wrong = {
        deal.demand: sum(off[block] != 0 for block in made_up.get(deal.demand, ()))
        if deal.state is AgreementState.SETTLED
        else deal.units - deal.paid // deal.price
        for deal in deals
    }
    accounts = {
        name: _account(
            name, [deal for deal in deals if deal.provider == name], made_up, books, each[-1] if each else 0.0
        )
        for name, each in trust.items()
    }
    return Story(
        seed=seed,
        rounds=rounds,
        sample=sample,
        deals=deals,
        trust=trust,
        accounts=accounts,
        left={name: books.accounts[name].balance for name in BUYERS},
        late=sum(lab.late for lab in market.labs.values()),
        answers=len(answers),
        wrong=sum(map(bool, off.values())),
        off=sum(off.values()),
        expected=sum(chance(wrong[deal.demand], deal.units, sample) for deal in deals if deal.units),
        exact=sum(exact_chance(wrong[deal.demand], deal.units, sample) for deal in deals if deal.units),
        false=sum(map(bool, wrong.values())),
        undetected={deal.demand: wrong[deal.demand] for deal in deals if deal.state is AgreementState.SETTLED},
        books=books,
    )


def _account(name: str, deals: list[Deal], made_up: dict[str, list[int]], books: Audit, trust: float) -> Account:
    paid = sum(deal.paid // deal.price for deal in deals)
    lost = [deal for deal in deals if deal.state is AgreementState.RESOLVED and deal.paid < deal.units * deal.price]
    return Account(
        name=name,
        jobs=len(deals),
        units=sum(deal.units for deal in deals),
        faked=sum(len(made_up.get(deal.demand, ())) for deal in deals),
        refused=sum(deal.units - deal.paid // deal.price for deal in lost),
        paid=paid,
        income=books.accounts[name].balance,
        lost=len(lost),
        died=sum(deal.state is AgreementState.EXPIRED for deal in deals),
        last=max((deal.round for deal in deals), default=None),
        trust=trust,
    )
