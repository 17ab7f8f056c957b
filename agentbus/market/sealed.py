"""Sealed auctions: everybody bids once, nobody sees the others' bids; first or second price. Pure.

Invariants: one bid a bidder; after the outcome nothing changes; of equal bids the earlier wins. The auctioneer sees the
bids as they come: where it is not to be trusted, use `CommitReveal`.

Source: W. Vickrey, Counterspeculation, auctions, and competitive sealed tenders, Journal of Finance 16, 1961.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import isfinite

from ..errors import ConfigurationError
from .model import (
    MAX_BIDDERS,
    Accepted,
    AuctionEffect,
    AuctionEvent,
    Bid,
    Decline,
    Outcome,
    Pricing,
    Reason,
    Refusal,
    Side,
    Tick,
    checked,
    wrong_amount,
)


class SealedAuction:
    """One lot, one bid a bidder.

    Args:
        closes_s: until when bids count; bids of that moment are late.
        side: whose bid wins.
        pricing: what the winner pays.
        reserve: what a bid has to reach to win, in ticks. A second-price procurement needs one: it is what a lone
            bidder is paid.
        invited: who may bid; the auction closes as soon as all of them have bid or declined. None: anybody.
        max_bidders: a bid more is refused.
    """

    def __init__(
        self,
        *,
        closes_s: float,
        side: Side = Side.HIGHEST,
        pricing: Pricing = Pricing.FIRST,
        reserve: int | None = None,
        invited: Collection[str] | None = None,
        max_bidders: int = MAX_BIDDERS,
    ) -> None:
        check_terms(side, pricing, reserve, closes_s)
        self.side = side
        self.pricing = pricing
        self.reserve = reserve
        self.closes_s = closes_s
        self.max_bidders = max_bidders
        self.outcome: Outcome | None = None
        self._bids: dict[str, int] = {}
        self._invited = None if invited is None else frozenset(invited)
        self._awaited = set(invited or ())

    def handle(self, event: AuctionEvent, now: float) -> list[AuctionEffect]:
        """Takes in what has happened; returns what to tell."""
        effects: list[AuctionEffect] = []
        if now >= self.closes_s:
            self._close(effects)
        match event:
            case Bid():
                effects.append(self._bid(event))
            case Decline():
                self._awaited.discard(event.bidder)
            case Tick():
                pass
            case _:
                effects.append(misplaced(event.bidder, event))
        if self._invited is not None and not self._awaited:
            self._close(effects)
        return effects

    def next_deadline(self) -> float | None:
        """When a `Tick` is due, or None: it is over."""
        return self.closes_s if self.outcome is None else None

    def _bid(self, bid: Bid) -> AuctionEffect:
        who = bid.bidder
        if self.outcome is not None:
            return Refusal(party=who, reason=Reason.TOO_LATE, text="the auction is closed")
        if self._invited is not None and who not in self._invited:
            return Refusal(party=who, reason=Reason.NOT_INVITED, text=f"{who!r} is not among the bidders")
        wrong = wrong_amount(who, bid.amount)
        if wrong is not None:
            return wrong
        if who in self._bids:
            return Refusal(party=who, reason=Reason.TWICE, text="one sealed bid a bidder; the first one counts")
        if len(self._bids) >= self.max_bidders:
            return Refusal(party=who, reason=Reason.FULL, text=f"{self.max_bidders} have bid already")
        self._bids[who] = bid.amount
        self._awaited.discard(who)
        return Accepted(bidder=who, amount=bid.amount)

    def _close(self, effects: list[AuctionEffect]) -> None:
        if self.outcome is None:
            self.outcome = settle(self._bids, self.side, self.pricing, self.reserve)
            effects.append(self.outcome)


def first_price(
    *,
    closes_s: float,
    side: Side = Side.HIGHEST,
    reserve: int | None = None,
    invited: Collection[str] | None = None,
    max_bidders: int = MAX_BIDDERS,
) -> SealedAuction:
    """A sealed auction whose winner pays its own bid."""
    return SealedAuction(
        closes_s=closes_s,
        side=side,
        pricing=Pricing.FIRST,
        reserve=reserve,
        invited=invited,
        max_bidders=max_bidders,
    )


def second_price(
    *,
    closes_s: float,
    side: Side = Side.HIGHEST,
    reserve: int | None = None,
    invited: Collection[str] | None = None,
    max_bidders: int = MAX_BIDDERS,
) -> SealedAuction:
    """A sealed auction whose winner pays the best bid that it beat (Vickrey): the truth is the best bid."""
    return SealedAuction(
        closes_s=closes_s,
        side=side,
        pricing=Pricing.SECOND,
        reserve=reserve,
        invited=invited,
        max_bidders=max_bidders,
    )


def settle(bids: Mapping[str, int], side: Side, pricing: Pricing, reserve: int | None) -> Outcome:
    """The outcome of sealed bids, in the order of their arrival."""
    valid = [name for name, amount in bids.items() if reserve is None or side.reaches(amount, reserve)]
    if not valid:
        return Outcome(winner=None, price=None)
    order = sorted(valid, key=lambda name: side.sign * bids[name], reverse=True)  # a sort keeps the order of equals
    price = bids[order[0]]
    if pricing is Pricing.SECOND:
        floor = reserve if reserve is not None else 0
        price = bids[order[1]] if len(order) > 1 else floor
    ranking = tuple(Bid(bidder=name, amount=bids[name]) for name in order)
    return Outcome(winner=order[0], price=price, ranking=ranking)


def check_terms(side: Side, pricing: Pricing, reserve: int | None, *times_s: float) -> None:
    """Raises `ConfigurationError` for terms under which no auction can be held."""
    if reserve is not None:
        checked("reserve", reserve)
    elif pricing is Pricing.SECOND and side is Side.LOWEST:
        raise ConfigurationError(
            "a second-price procurement without a reserve has no price for a lone bidder: give the most you would pay"
        )
    if not all(map(isfinite, times_s)) or list(times_s) != sorted(times_s):
        raise ConfigurationError(f"the deadlines {times_s} are not finite times in order")


def misplaced(party: str, event: object) -> Refusal:
    """The refusal of an event that this kind of auction does not know."""
    return Refusal(party=party, reason=Reason.WRONG_EVENT, text=f"no {type(event).__name__} in this kind of auction")
