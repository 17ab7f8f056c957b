"""The Dutch auction: the price moves towards the bidders, and the first who takes it has it. Pure.

Invariants: the price falls by a step at each beat (in a procurement, `Side.LOWEST`, it rises), down to the reserve,
where it stays for one beat; then it is over without a winner. The first bid that reaches the price wins, at the
price of the clock: a bid that was sent a beat ago, for more, pays no more than the clock shows.
"""

from __future__ import annotations

from math import isfinite

from ..errors import ConfigurationError
from .model import (
    Asking,
    AuctionEffect,
    AuctionEvent,
    Bid,
    Outcome,
    Pricing,
    Reason,
    Refusal,
    Side,
    Tick,
    checked,
    wrong_amount,
)
from .sealed import check_terms, misplaced

MAX_BEATS = 1_000_000


class DutchAuction:
    """One lot, a falling price.

    Args:
        opens_s: when the clock starts.
        opening: the first price, in ticks: above what anybody would pay (in a procurement: below what anybody takes).
        reserve: the last price.
        step: by how much the price moves, in ticks.
        every_s: how long a price holds, seconds.
        side: a sale or a procurement.
    """

    def __init__(
        self,
        *,
        opens_s: float,
        opening: int,
        reserve: int,
        step: int = 1,
        every_s: float = 1.0,
        side: Side = Side.HIGHEST,
    ) -> None:
        check_terms(side, Pricing.FIRST, reserve, opens_s)
        checked("opening", opening)
        checked("step", step, least=1)
        if not isfinite(every_s) or every_s <= 0:
            raise ConfigurationError(f"every_s={every_s}: seconds above 0")
        if not side.reaches(opening, reserve):
            raise ConfigurationError(f"the price can't go from {opening} to a reserve of {reserve}: exchange them")
        self.side = side
        self.opening = opening
        self.reserve = reserve
        self.step = step
        self.every_s = every_s
        self.opens_s = opens_s
        self.outcome: Outcome | None = None
        self._last = -(-abs(opening - reserve) // step)
        self._beat = -1
        if self._last > MAX_BEATS:
            raise ConfigurationError(f"{self._last} steps to the reserve; at most {MAX_BEATS}: take a larger step")

    @property
    def price(self) -> int:
        """What the clock shows."""
        moved = self.opening - self.side.sign * self.step * max(self._beat, 0)
        return moved if self.side.reaches(moved, self.reserve) else self.reserve

    def handle(self, event: AuctionEvent, now: float) -> list[AuctionEffect]:
        """Takes in what has happened; returns what to tell."""
        effects: list[AuctionEffect] = []
        self._advance(now, effects)
        match event:
            case Bid():
                effects.append(self._bid(event))
            case Tick():
                pass
            case _:
                effects.append(misplaced(event.bidder, event))
        return effects

    def next_deadline(self) -> float | None:
        """When the price moves next, or None: it is over."""
        return self._time(self._beat + 1) if self.outcome is None else None

    def _time(self, beat: int) -> float:
        return self.opens_s + beat * self.every_s

    def _advance(self, now: float, effects: list[AuctionEffect]) -> None:
        before = self._beat
        while self.outcome is None and now >= self._time(self._beat + 1):
            self._beat += 1
            if self._beat > self._last:
                self.outcome = Outcome(winner=None, price=None)
        if self.outcome is None and self._beat != before:
            effects.append(Asking(amount=self.price))
        elif self.outcome is not None and self._beat != before:
            effects.append(self.outcome)

    def _bid(self, bid: Bid) -> AuctionEffect:
        who = bid.bidder
        if self.outcome is not None:
            return Refusal(party=who, reason=Reason.TOO_LATE, text="it is over")
        if self._beat < 0:
            return Refusal(party=who, reason=Reason.TOO_EARLY, text=f"the clock starts at {self.opens_s}")
        wrong = wrong_amount(who, bid.amount)
        if wrong is not None:
            return wrong
        if not self.side.reaches(bid.amount, self.price):
            return Refusal(party=who, reason=Reason.TOO_LITTLE, text=f"{bid.amount}: the clock shows {self.price}")
        self.outcome = Outcome(winner=who, price=self.price, ranking=(Bid(bidder=who, amount=bid.amount),))
        return self.outcome
