"""Award rules: who gets a job, and at what price. Pure.

A rule ranks the bids; the first gets the job, the next is who replaces it. Ties go to who bid first. No rule prevents
that bidders agree among themselves: under `second_price` two of them can drive the price up to the job's value.

Sources: W. Vickrey, "Counterspeculation, Auctions, and Competitive Sealed Tenders", Journal of Finance 16 (1961).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from .errors import ConfigurationError, InvalidBid


class Bid(NamedTuple):
    """What an agent asks for a job.

    Attributes:
        bidder: the agent's name.
        bid: in the units of the agents' costs, at least 0.
        weight: of its policy, 0 to 1.
    """

    bidder: str
    bid: float
    weight: float = 1.0


class Ranked(NamedTuple):
    """A bid with what it would be paid.

    Attributes:
        price: by the rule.
    """

    bid: Bid
    price: float

    @property
    def payment(self) -> float:
        """What the winner gets: its bid, and the share of its weight in what the price is above it."""
        return self.bid.bid + self.bid.weight * (self.price - self.bid.bid)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwardRule:
    """Who gets a job. Made by `lowest_bid`, `second_price`, `best` and `every`.

    Attributes:
        score: of a bid; the highest wins.
        second_price: the price is the next bid, not the winner's own.
        winners: how many do the job.
    """

    score: Callable[[Bid], float]
    second_price: bool = False
    winners: int = 1

    def rank(self, bids: Sequence[Bid], value: float | None) -> tuple[list[Ranked], Mapping[str, InvalidBid]]:
        """The bids, the best first, and those that can't be ranked.

        Args:
            bids: in the order they came.
            value: the most that the buyer pays, if it has said.
        """
        scored: list[tuple[float, int, Bid]] = []
        unranked: dict[str, InvalidBid] = {}
        for place, bid in enumerate(bids):
            try:
                score = self.score(bid)
                if not isfinite(score):
                    raise ValueError(f"it is {score!r}")
                scored.append((-score, place, bid))
            except Exception as error:  # the score is the application's
                text = f"the award rule's score of {bid.bidder!r} is no number: {type(error).__name__}: {error}"
                unranked[bid.bidder] = InvalidBid(text)
        scored.sort()
        if not self.second_price:
            return [Ranked(bid, bid.bid) for _, _, bid in scored], unranked
        prices = [bid.bid for _, _, bid in scored[1:]]
        if scored:
            prices.append(scored[-1][2].bid if value is None else value)
        return [Ranked(bid, price) for (_, _, bid), price in zip(scored, prices, strict=True)], unranked


def _cheapness(bid: Bid) -> float:
    return -bid.bid


_LOWEST_BID = AwardRule(score=_cheapness)


def lowest_bid() -> AwardRule:
    """The lowest bid wins, and is the price."""
    return _LOWEST_BID


def second_price() -> AwardRule:
    """The lowest bid wins, at the price of the next: the job's value, or its own bid, when there is none (Vickrey)."""
    return AwardRule(score=_cheapness, second_price=True)


def best(score: Callable[[Bid], float]) -> AwardRule:
    """The highest score wins, at the price of its bid. The score may weigh what it knows of the bidder."""
    return AwardRule(score=score)


def every(count: int) -> AwardRule:
    """The `count` lowest bids win, each at its own price, and all of them do the job."""
    if type(count) is not int or count < 1:
        raise ConfigurationError(f"every({count!r}): use a whole number from 1")
    return AwardRule(score=_cheapness, winners=count)
