"""From a demand to its payment: what is demanded, offered, agreed, used, settled or disputed. Pure.

Buyer, provider and arbiter keep an `Agreement` each, tell it what they hear and what they decide, and carry out those
of its `Instruct` effects that are theirs, on an escrow ledger. The transactions' ids follow from the demand's: who
is restarted and does one again does it once.

::

    demanded -> offered -> agreed -> used -> settled
        |          |          |        `---> disputed -> resolved
        `----------+----------'-> expired

Invariants: one offer is accepted; no more is paid than was agreed, and no more than was used; money that is not paid
goes back to the buyer; each state is left once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import isfinite

from ..errors import ConfigurationError
from .escrow.model import Command, Dispute, Hold, Refund, Resolve, Settle
from .model import MAX_BIDDERS, Reason, Refusal, Tick, checked, wrong_amount

GRACE_S = 60.0
"""Seconds that a hold outlives the time to settle, at the least, so that a provider can dispute what the buyer does not
pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a buyer wants, and what it would pay. Times are seconds since 1970.

    Attributes:
        id: ``[A-Za-z0-9_-]{1,100}``, of the buyer's choosing.
        buyer: an agent.
        account: the buyer's.
        work: what is to be done; any text.
        units: the most that is used.
        price: the most for one unit, in ticks.
        made_s: when it was made.
        offers_until_s: when offers close.
        work_until_s: when usage has to be reported.
        settle_until_s: when it has to be paid, or disputed.
        arbiter: the agent that decides a dispute; empty: nobody.
    """

    id: str
    buyer: str
    account: str
    work: str
    units: int
    price: int
    made_s: float
    offers_until_s: float
    work_until_s: float
    settle_until_s: float
    arbiter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Event: a provider would do it, at so much a unit."""

    demand: str
    provider: str
    account: str
    price: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Event: the buyer takes a provider's offer."""

    demand: str
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Escrowed:
    """Event: the hold is in the ledger; who tells has looked."""

    demand: str
    hold: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Event: the provider reports what was used. `evidence`: what it can be checked by."""

    demand: str
    provider: str
    units: int
    evidence: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Event: the buyer has checked what was done, and pays."""

    demand: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Event: the buyer or the provider disputes."""

    demand: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Event: the arbiter decides how much was used."""

    demand: str
    units: int


AgreementEvent = Offer | Acceptance | Escrowed | Usage | Approval | Contest | Ruling | Tick


class AgreementState(Enum):
    """Where an agreement stands."""

    DEMANDED = "demanded"
    OFFERED = "offered"
    AGREED = "agreed"
    USED = "used"
    SETTLED = "settled"
    DISPUTED = "disputed"
    RESOLVED = "resolved"
    EXPIRED = "expired"


S = AgreementState


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruct:
    """Effect: agent `by` has the ledger do this: ``escrow.do(transaction, command)``.

    Attributes:
        not_before_s: the ledger refuses it sooner; seconds since 1970.
    """

    by: str
    transaction: str
    command: Command
    not_before_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Moved:
    """Effect: the agreement is in another state."""

    state: AgreementState


AgreementEffect = Instruct | Moved | Refusal


class Agreement:
    """One demand, from one party's point of view.

    Args:
        demand: what is demanded.

    Attributes:
        state: where it stands.
        offers: by provider; of one provider the last.
        accepted: the offer that was taken.
        usage: what was reported.
        contest: what was disputed, and by whom.
        paid: what the provider gets, once that is settled or resolved; ticks.

    Raises:
        ConfigurationError: terms that make no sense.
    """

    def __init__(self, demand: Demand) -> None:
        _check(demand)
        self.demand = demand
        self.state = S.DEMANDED
        self.offers: dict[str, Offer] = {}
        self.accepted: Offer | None = None
        self.usage: Usage | None = None
        self.contest: Contest | None = None
        self.paid = 0
        self._hold_ends_s = 0.0

    @property
    def hold(self) -> str:
        """The id of the hold in the ledger."""
        return f"{self.demand.id}-hold"

    @property
    def escrow(self) -> int:
        """What is set aside, in ticks: all units at the price that was taken; 0 before."""
        return 0 if self.accepted is None else self.demand.units * self.accepted.price

    def ranking(self) -> list[Offer]:
        """The offers, cheapest first; of equal ones the earlier first."""
        return sorted(self.offers.values(), key=lambda offer: offer.price)

    def next_deadline(self) -> float | None:
        """When a `Tick` is due, in seconds since 1970; None: never."""
        match self.state:
            case S.DEMANDED | S.OFFERED:
                return self.demand.offers_until_s if self.accepted is None else self.demand.work_until_s
            case S.AGREED:
                return self.demand.work_until_s
            case S.USED:
                return self.demand.settle_until_s
            case _:
                return None

    def handle(self, event: AgreementEvent, now: float) -> list[AgreementEffect]:
        """Takes in what has happened; returns what to do. `now`: seconds since 1970."""
        effects = self._expire(now)
        if isinstance(event, Tick):
            return effects
        party = event.provider if isinstance(event, Offer | Usage) else self.demand.buyer
        if event.demand != self.demand.id:
            return [*effects, Refusal(party=party, reason=Reason.WRONG_EVENT, text=f"of demand {event.demand!r}")]
        match event:
            case Offer():
                return effects + self._offer(event)
            case Acceptance():
                return effects + self._accept(event, now)
            case Escrowed():
                return effects + self._escrowed(event)
            case Usage():
                return effects + self._use(event)
            case Approval():
                return effects + self._approve()
            case Contest():
                return effects + self._contest(event)
            case Ruling():
                return effects + self._rule(event)

    # -- before the work -------------------------------------------------------------------------------------------

    def _offer(self, offer: Offer) -> list[AgreementEffect]:
        if self.state not in (S.DEMANDED, S.OFFERED) or self.accepted is not None:
            return [self._late(offer.provider, "offers are closed")]
        if (wrong := wrong_amount(offer.provider, offer.price, least=1)) is not None:
            return [wrong]
        if offer.price > self.demand.price:
            text = f"{offer.price} a unit is above {self.demand.price}"
            return [Refusal(party=offer.provider, reason=Reason.TOO_LARGE, text=text)]
        if offer.provider not in self.offers and len(self.offers) >= MAX_BIDDERS:
            return [Refusal(party=offer.provider, reason=Reason.FULL, text=f"{MAX_BIDDERS} have offered already")]
        self.offers[offer.provider] = offer
        return [] if self.state is S.OFFERED else [self._to(S.OFFERED)]

    def _accept(self, acceptance: Acceptance, now: float) -> list[AgreementEffect]:
        offer = self.offers.get(acceptance.provider)
        if self.accepted is not None or self.state is not S.OFFERED:
            return [self._late(self.demand.buyer, "nothing is to be accepted")]
        if offer is None:
            text = f"{acceptance.provider!r} has not offered"
            return [Refusal(party=self.demand.buyer, reason=Reason.NOT_INVITED, text=text)]
        self.accepted = offer
        for_s = self.demand.settle_until_s + GRACE_S - self.demand.made_s  # the same whenever it is said again
        self._hold_ends_s = now + for_s
        hold = Hold(
            payer=self.demand.account,
            payee=offer.account,
            amount=self.escrow,
            for_s=for_s,
            arbiter=self.demand.arbiter,
        )
        return [Instruct(by=self.demand.buyer, transaction=self.hold, command=hold)]

    def _escrowed(self, escrowed: Escrowed) -> list[AgreementEffect]:
        if self.accepted is None or self.state is not S.OFFERED:
            return [self._late(self.demand.buyer, "nothing is to be set aside")]
        if escrowed.hold != self.hold:
            text = f"hold {escrowed.hold!r} is not this demand's, {self.hold!r}"
            return [Refusal(party=self.demand.buyer, reason=Reason.NO_SUCH_HOLD, text=text)]
        return [self._to(S.AGREED)]

    # -- after it --------------------------------------------------------------------------------------------------

    def _use(self, usage: Usage) -> list[AgreementEffect]:
        if self.accepted is None or usage.provider != self.accepted.provider:
            text = f"{usage.provider!r} is not the one that was agreed on"
            return [Refusal(party=usage.provider, reason=Reason.NOT_YOURS, text=text)]
        if self.state is not S.AGREED:
            return [self._late(usage.provider, "no usage is to be reported")]
        if (wrong := self._wrong_units(usage.provider, usage.units, self.demand.units)) is not None:
            return [wrong]
        self.usage = usage
        return [self._to(S.USED)]

    def _approve(self) -> list[AgreementEffect]:
        if self.state is not S.USED or self.usage is None:
            return [self._late(self.demand.buyer, "there is nothing to pay")]
        self.paid = self._price(self.usage.units)
        command = Settle(hold=self.hold, amount=self.paid) if self.paid else Refund(hold=self.hold)
        by = self.demand.buyer if self.paid else self.usage.provider
        return [self._to(S.SETTLED), Instruct(by=by, transaction=f"{self.demand.id}-settle", command=command)]

    def _contest(self, contest: Contest) -> list[AgreementEffect]:
        if contest.by not in (self.demand.buyer, self.accepted.provider if self.accepted else ""):
            text = f"{contest.by!r} has no part in demand {self.demand.id!r}"
            return [Refusal(party=contest.by, reason=Reason.NOT_YOURS, text=text)]
        if self.state is not S.USED:
            return [self._late(contest.by, "there is nothing to dispute")]
        if not self.demand.arbiter:
            return [Refusal(party=contest.by, reason=Reason.NO_ARBITER, text="the demand names nobody to decide")]
        self.contest = contest
        dispute = Dispute(hold=self.hold)
        return [
            self._to(S.DISPUTED),
            Instruct(by=contest.by, transaction=f"{self.demand.id}-dispute", command=dispute),
        ]

    def _rule(self, ruling: Ruling) -> list[AgreementEffect]:
        if self.state is not S.DISPUTED:
            return [self._late(self.demand.arbiter, "there is nothing to decide")]
        used = 0 if self.usage is None else self.usage.units
        if (wrong := self._wrong_units(self.demand.arbiter, ruling.units, used)) is not None:
            return [wrong]
        self.paid = self._price(ruling.units)
        command = Resolve(hold=self.hold, amount=self.paid)
        by = self.demand.arbiter
        return [self._to(S.RESOLVED), Instruct(by=by, transaction=f"{self.demand.id}-resolve", command=command)]

    # -- time ------------------------------------------------------------------------------------------------------

    def _expire(self, now: float) -> list[AgreementEffect]:
        due = self.next_deadline()
        if due is None or now < due:
            return []
        if self.accepted is None:
            return [self._to(S.EXPIRED)]
        if self.state is S.USED and self.demand.arbiter:
            return self._contest(Contest(demand=self.demand.id, by=self.accepted.provider, reason="not paid in time"))
        refund = Instruct(
            by=self.demand.buyer,
            transaction=f"{self.demand.id}-refund",
            command=Refund(hold=self.hold),
            not_before_s=self._hold_ends_s,
        )
        return [self._to(S.EXPIRED), refund]

    # -- inside ----------------------------------------------------------------------------------------------------

    def _to(self, state: AgreementState) -> Moved:
        self.state = state
        return Moved(state)

    def _price(self, units: int) -> int:
        return 0 if self.accepted is None else units * self.accepted.price

    def _wrong_units(self, party: str, units: int, most: int) -> Refusal | None:
        if (wrong := wrong_amount(party, units)) is not None:
            return wrong
        if units > most:
            text = f"{units} units are more than the {most} that were {'used' if self.usage else 'agreed'}"
            return Refusal(party=party, reason=Reason.TOO_LARGE, text=text)
        return None

    def _late(self, party: str, text: str) -> Refusal:
        return Refusal(party=party, reason=Reason.TOO_LATE, text=f"{text}: it is {self.state.value}")


def _check(demand: Demand) -> None:
    checked("units", demand.units, least=1)
    checked("price", demand.price, least=1)
    checked("units x price", demand.units * demand.price)
    times = (demand.made_s, demand.offers_until_s, demand.work_until_s, demand.settle_until_s)
    if not all(map(isfinite, times)) or sorted(times) != list(times):
        raise ConfigurationError(
            f"demand {demand.id!r}: made, offers, work, settlement: each ends after the one before"
        )
    if not demand.id or len(demand.id) > 100:
        raise ConfigurationError(f"demand {demand.id[:40]!r}: give an id of 1 to 100 letters, digits, '_' and '-'")
