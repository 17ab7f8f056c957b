"""The assignment auction: n bidders get n lots so that the sum of values is the greatest, by bidding. Pure.

Each bidder knows its own values only. An unassigned bidder is called with the prices, and offers for the lot that is
worth most to it after its price: the price, plus all it would lose with the second best lot, plus epsilon. A lot goes
to the first offer at its current price or above; whom it displaces is called again. When all lots are taken each bidder
is within epsilon of its best lot, so the sum is within n epsilon of the optimum. Values are multiplied by n + 1 and the
last epsilon is 1, that is below 1/n of a unit: the sum of integer values **is** the optimum. A large epsilon first and
smaller ones with the prices kept (epsilon-scaling) saves most of the price wars.

Messages may be lost, doubled and reordered: each call has a number, an offer answers one call, and a call that is not
answered within `patience_s` is repeated. Invariants: prices never fall; a lot that is taken stays taken in its phase.

Source: D. P. Bertsekas, The auction algorithm: a distributed relaxation method for the assignment problem, Annals of
Operations Research 14, 1988; epsilon-scaling: section 4 there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from ..errors import ConfigurationError
from .model import MAX_AMOUNT, Side, Tick

SCALE_DOWN = 5
"""By what epsilon is divided from phase to phase; Bertsekas advises 4 to 10."""
MAX_LOTS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Effect of the auctioneer: a bidder has no lot and should offer.

    Attributes:
        bidder: whom it is for.
        number: which call; the offer repeats it.
        epsilon: by how much an offer has to exceed indifference.
        prices: of all lots, in scaled units.
    """

    bidder: int
    number: int
    epsilon: int
    prices: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Event for the auctioneer: a bidder's answer to a call."""

    bidder: int
    number: int
    lot: int
    price: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """Effect, the last one: which lot each bidder has, by its number, and what the lots cost at the end.

    Attributes:
        lots: the lot of each bidder.
        prices: of each lot, in units of value: a dual solution, within 1/n of one at least.
        offers: how many offers counted.
    """

    lots: tuple[int, ...]
    prices: tuple[float, ...]
    offers: int


class AssignmentBidder:
    """One bidder: knows what the lots are worth to it, and answers calls.

    Args:
        number: which bidder it is, from 0.
        values: of each lot, whole numbers; negative ones are allowed.
    """

    def __init__(self, number: int, values: Sequence[int]) -> None:
        _check(values, len(values))
        self.number = number
        self._scaled = [value * (len(values) + 1) for value in values]

    @property
    def spread(self) -> int:
        """How far apart its values are, in scaled units: what the first epsilon is chosen by."""
        return max(self._scaled) - min(self._scaled)

    def handle(self, call: Call, now: float) -> list[Offer]:
        """Answers a call."""
        nets = [value - price for value, price in zip(self._scaled, call.prices, strict=True)]
        best = max(nets)
        lot = nets.index(best)
        nets[lot] = min(nets)
        second = max(nets) if len(nets) > 1 else best
        price = call.prices[lot] + best - second + call.epsilon
        return [Offer(bidder=self.number, number=call.number, lot=lot, price=price)]

    def next_deadline(self) -> None:
        """A bidder waits for nothing but calls."""


class AssignmentAuctioneer:
    """Keeps prices and owners, calls those without a lot.

    Args:
        n: bidders and lots.
        spread: the greatest `AssignmentBidder.spread`; one that is too small costs time, not the optimum.
        patience_s: after how long a call is repeated. A bidder that never answers holds all others up: the caller
            gives up at a deadline of its own.
    """

    def __init__(self, n: int, *, spread: int = 0, patience_s: float = inf) -> None:
        if not 1 <= n <= MAX_LOTS:
            raise ConfigurationError(f"{n} lots: an assignment has 1 to {MAX_LOTS}")
        if not patience_s > 0:
            raise ConfigurationError(f"patience_s={patience_s}: seconds above 0")
        self.n = n
        self.epsilon = max(1, spread // SCALE_DOWN)
        self.patience_s = patience_s
        self.outcome: Assigned | None = None
        self._prices = [0] * n
        self._owners: list[int | None] = [None] * n
        self._calls = 0
        self._offers = 0
        self._free = n
        self._open: dict[int, tuple[int, float]] = {}
        """Who was called, by which number, and when it is called again."""

    def start(self, now: float) -> list[Call]:
        """The first calls."""
        return [self._call(bidder, now) for bidder in range(self.n)]

    def handle(self, event: Offer | Tick, now: float) -> list[Call | Assigned]:
        """Takes in an offer; returns whom to call next, or how it ended."""
        if self.outcome is not None:
            return []
        match event:
            case Tick():
                return [self._call(bidder, now) for bidder, (_, due) in list(self._open.items()) if due <= now]
            case Offer():
                return self._offer(event, now)

    def next_deadline(self) -> float | None:
        """When a call has to be repeated, or None."""
        due = min((due for _, due in self._open.values()), default=inf)
        return due if due < inf else None

    def _offer(self, offer: Offer, now: float) -> list[Call | Assigned]:
        called = self._open.get(offer.bidder)
        if called is None or called[0] != offer.number:
            return []  # an answer to a call that another answer has settled, or that was made anew
        if type(offer.lot) is not int or type(offer.price) is not int or not 0 <= offer.lot < self.n:
            return []  # no offer at all; the call is repeated when it is due
        if offer.price < self._prices[offer.lot] + self.epsilon:
            return [self._call(offer.bidder, now)]  # the price has risen meanwhile
        del self._open[offer.bidder]
        self._offers += 1
        displaced = self._owners[offer.lot]
        self._owners[offer.lot] = offer.bidder
        self._prices[offer.lot] = offer.price
        if displaced is not None:
            return [self._call(displaced, now)]
        self._free -= 1
        if self._free:
            return []
        return self._finish() if self.epsilon == 1 else self._next_phase(now)

    def _next_phase(self, now: float) -> list[Call | Assigned]:
        """Everybody is assigned within this epsilon: again, with a smaller one, from the prices reached."""
        self.epsilon = max(1, self.epsilon // SCALE_DOWN)
        self._owners = [None] * self.n
        self._free = self.n
        return [self._call(bidder, now) for bidder in range(self.n)]

    def _finish(self) -> list[Call | Assigned]:
        lots = [0] * self.n
        for lot, owner in enumerate(self._owners):
            if owner is not None:
                lots[owner] = lot
        prices = tuple(price / (self.n + 1) for price in self._prices)
        self.outcome = Assigned(lots=tuple(lots), prices=prices, offers=self._offers)
        return [self.outcome]

    def _call(self, bidder: int, now: float) -> Call:
        self._calls += 1
        self._open[bidder] = self._calls, now + self.patience_s
        return Call(bidder=bidder, number=self._calls, epsilon=self.epsilon, prices=tuple(self._prices))


def assign(values: Sequence[Sequence[int]], side: Side = Side.HIGHEST) -> list[int | None]:
    """The best assignment of rows to columns, by the auction, all in this process.

    Args:
        values: whole numbers, one row a bidder, one column a lot. Of n bidders and m lots min(n, m) are matched.
        side: the greatest sum of values, or the least sum of costs.

    Returns:
        The lot of each bidder, None for those that get none.

    Raises:
        ConfigurationError: rows of different lengths, or values that are not whole numbers.
    """
    rows, columns = len(values), len(values[0]) if values else 0
    for row in values:
        _check(row, columns)
    n = max(rows, columns)
    if n == 0 or columns == 0:
        return [None] * rows
    square = [[side.sign * value for value in row] + [0] * (n - columns) for row in values]
    square += [[0] * n for _ in range(n - rows)]
    bidders = [AssignmentBidder(number, row) for number, row in enumerate(square)]
    auctioneer = AssignmentAuctioneer(n, spread=max(bidder.spread for bidder in bidders))
    calls = deque(auctioneer.start(0.0))
    while calls:
        call = calls.popleft()
        for offer in bidders[call.bidder].handle(call, 0.0):
            calls.extend(effect for effect in auctioneer.handle(offer, 0.0) if isinstance(effect, Call))
    assert auctioneer.outcome is not None
    return [lot if lot < columns else None for lot in auctioneer.outcome.lots[:rows]]


def _check(values: Sequence[object], length: int) -> None:
    if len(values) != length or not values:
        raise ConfigurationError(f"{len(values)} values for {length} lots: give each bidder a value for each lot")
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_AMOUNT:
            raise ConfigurationError(f"{value!r} is not a whole number that fits 64 bits: round values to ticks")
