"""The English auction: open bids, each better than the one before, until nobody goes further. Pure.

Invariants: the standing bid only gets better, by an increment at least; the winner pays its own bid; nobody outbids
itself. It closes when no bid has come for `quiet_s`, so that waiting for the last moment gains nothing, and at
`closes_s` at the latest. As a procurement (`Side.LOWEST`) it is the reverse auction: bids go down.
"""

from __future__ import annotations

from math import inf

from ..errors import ConfigurationError
from .model import (
    MAX_BIDDERS,
    AuctionEffect,
    AuctionEvent,
    Bid,
    Outcome,
    Pricing,
    Reason,
    Refusal,
    Side,
    Standing,
    Tick,
    checked,
    wrong_amount,
)
from .sealed import check_terms, misplaced, settle


class EnglishAuction:
    """One lot, open bids.

    Args:
        opens_s: when it begins.
        closes_s: when it ends at the latest.
        quiet_s: it ends when no bid has counted for so long; None: only at `closes_s`.
        opening: what the first bid has to reach, in ticks.
        increment: by how much a bid has to better the standing one.
        side: whose bid wins.
        reserve: what the last bid has to reach; None: the opening price.
        max_bidders: how many may take part.
    """

    def __init__(
        self,
        *,
        opens_s: float,
        closes_s: float,
        opening: int,
        increment: int = 1,
        quiet_s: float | None = None,
        side: Side = Side.HIGHEST,
        reserve: int | None = None,
        max_bidders: int = MAX_BIDDERS,
    ) -> None:
        check_terms(side, Pricing.FIRST, reserve, opens_s, closes_s)
        checked("opening", opening)
        checked("increment", increment, least=1)
        if quiet_s is not None and not 0 < quiet_s < inf:
            raise ConfigurationError(f"quiet_s={quiet_s}: seconds above 0, or None")
        self.side = side
        self.opening = opening
        self.increment = increment
        self.quiet_s = quiet_s
        self.latest_s = closes_s
        self.opens_s = opens_s
        self.closes_s = self._until(opens_s)
        self.reserve = reserve
        self.max_bidders = max_bidders
        self.standing: Bid | None = None
        self.outcome: Outcome | None = None
        self._best: dict[str, int] = {}

    @property
    def least(self) -> int:
        """What the next bid has to reach."""
        if self.standing is None:
            return self.opening
        return self.standing.amount + self.side.sign * self.increment

    def handle(self, event: AuctionEvent, now: float) -> list[AuctionEffect]:
        """Takes in what has happened; returns what to tell."""
        effects: list[AuctionEffect] = []
        if now >= self.closes_s and self.outcome is None:
            self.outcome = settle(self._best, self.side, Pricing.FIRST, self.reserve)
            effects.append(self.outcome)
        match event:
            case Bid():
                effects.append(self._bid(event, now))
            case Tick():
                pass
            case _:
                effects.append(misplaced(event.bidder, event))
        return effects

    def next_deadline(self) -> float | None:
        """When a `Tick` is due, or None: it is over. Each bid may put it off."""
        return self.closes_s if self.outcome is None else None

    def _bid(self, bid: Bid, now: float) -> AuctionEffect:
        who = bid.bidder
        if self.outcome is not None:
            return Refusal(party=who, reason=Reason.TOO_LATE, text="the auction is closed")
        if now < self.opens_s:
            return Refusal(party=who, reason=Reason.TOO_EARLY, text=f"it opens at {self.opens_s}")
        wrong = wrong_amount(who, bid.amount)
        if wrong is not None:
            return wrong
        if self.standing is not None and self.standing.bidder == who:
            return Refusal(party=who, reason=Reason.TWICE, text="the standing bid is your own")
        if not self.side.reaches(bid.amount, self.least):
            return Refusal(party=who, reason=Reason.TOO_LITTLE, text=f"{bid.amount}: the next bid is {self.least}")
        if who not in self._best and len(self._best) >= self.max_bidders:
            return Refusal(party=who, reason=Reason.FULL, text=f"{self.max_bidders} take part already")
        self._best[who] = bid.amount
        self.standing = bid
        self.closes_s = self._until(now)
        return Standing(bidder=who, amount=bid.amount, least=self.least, closes_s=self.closes_s)

    def _until(self, now: float) -> float:
        return self.latest_s if self.quiet_s is None else min(self.latest_s, now + self.quiet_s)
