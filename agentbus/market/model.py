"""What auctions are told and what they answer: frozen values, amounts in whole ticks, refusals by name.

**Amounts are integers**: ticks, the smallest amount of money there is. Sums are exact, equal bids are equal, and NaN
and infinity have no spelling. `Ticks` turns prices into amounts and back.

**Auctions are written as sales**, in which the highest bid wins; `Side.LOWEST` makes each of them a procurement, in
which the lowest does. Nothing else differs but the signs.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum, StrEnum

from ..errors import ConfigurationError, Refused

MAX_AMOUNT = 2**63 - 1
"""The largest amount, price or quantity: an int64's."""
MAX_BIDDERS = 10_000
"""How many may bid in one auction, unless told otherwise."""


class Side(Enum):
    """Whose bid wins."""

    HIGHEST = 1
    """Bids are what bidders would pay: a sale."""
    LOWEST = -1
    """Bids are what bidders want to be paid: a procurement."""

    @property
    def sign(self) -> int:
        """What to multiply an amount by, so that more is better."""
        return self.value

    def reaches(self, amount: int, mark: int) -> bool:
        """Whether an amount is as good as a mark for the one who holds the auction."""
        return self.sign * amount >= self.sign * mark


class Pricing(Enum):
    """What the winner of a sealed auction pays, or is paid."""

    FIRST = "first"
    """Its own bid."""
    SECOND = "second"
    """The best bid that it beat, or the reserve: nobody gains by a bid other than the truth (Vickrey 1961)."""


class Reason(StrEnum):
    """Why something was refused."""

    NOT_AN_AMOUNT = "not an amount"
    NEGATIVE = "negative"
    TOO_LARGE = "too large"
    TOO_EARLY = "too early"
    TOO_LATE = "too late"
    TOO_LITTLE = "too little"
    TWICE = "twice"
    NOT_INVITED = "not invited"
    FULL = "full"
    NOT_A_COMMITMENT = "not a commitment"
    NO_COMMITMENT = "no commitment"
    MISMATCH = "mismatch"
    NO_SUCH_ORDER = "no such order"
    NOT_YOURS = "not yours"
    WRONG_EVENT = "wrong event"
    NOT_A_NAME = "not a name"
    NOT_A_DURATION = "not a duration"
    TO_ONESELF = "to oneself"
    OVERDRAFT = "overdraft"
    ID_REUSED = "id reused"
    NO_SUCH_ACCOUNT = "no such account"
    ACCOUNT_EXISTS = "account exists"
    NO_SUCH_HOLD = "no such hold"
    ENDED = "ended"
    FROZEN = "frozen"
    NOT_DISPUTED = "not disputed"
    NOT_EXPIRED = "not expired"
    NO_ARBITER = "no arbiter"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """Event: somebody bids an amount, in ticks."""

    bidder: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """Event: an invited bidder will not bid."""

    bidder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Event: somebody binds itself to a bid that nobody can read yet (`commitment`)."""

    bidder: str
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal:
    """Event: somebody shows the bid that it is bound to."""

    bidder: str
    amount: int
    nonce: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Event: time has passed; due when `next_deadline` says."""


AuctionEvent = Bid | Decline | Commit | Reveal | Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Effect: a bid counts, or a commitment (then there is no amount yet)."""

    bidder: str
    amount: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Effect: what somebody asked for changed nothing, and why."""

    party: str
    reason: Reason
    text: str

    def error(self) -> Refused:
        """The same as an error, for whoever answers a request with it."""
        return Refused(f"{self.reason}: {self.text}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Effect of an open auction: the best bid so far; what the next one has to reach; until when."""

    bidder: str
    amount: int
    least: int
    closes_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Effect of a Dutch auction: the price at which it can be had from now on."""

    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealNow:
    """Effect: commitments are closed; those named show their bids until then or forfeit."""

    bidders: tuple[str, ...]
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Effect, the last one: how an auction ended.

    Attributes:
        winner: None: nobody's bid reached the reserve.
        price: what the winner pays (in a procurement: is paid), in ticks.
        ranking: the bids that reached the reserve, best first; of equal ones the earlier first. The next one may
            replace a winner that fails.
        forfeits: who had committed and did not reveal.
    """

    winner: str | None
    price: int | None
    ranking: tuple[Bid, ...] = ()
    forfeits: tuple[str, ...] = ()


AuctionEffect = Accepted | Refusal | Standing | Asking | RevealNow | Outcome


def wrong_amount(party: str, amount: object, *, least: int = 0) -> Refusal | None:
    """The refusal of what is not an amount: NaN, infinities, fractions, negative and huge numbers."""
    if not isinstance(amount, int) or isinstance(amount, bool):
        return Refusal(party=party, reason=Reason.NOT_AN_AMOUNT, text=f"{amount!r} is not a whole number of ticks")
    if amount < 0:
        return Refusal(party=party, reason=Reason.NEGATIVE, text=f"{amount} is below 0")
    if amount < least:
        return Refusal(party=party, reason=Reason.TOO_LITTLE, text=f"{amount} is below {least}")
    if amount > MAX_AMOUNT:
        return Refusal(party=party, reason=Reason.TOO_LARGE, text=f"an amount is at most {MAX_AMOUNT}")
    return None


def checked(what: str, amount: object, *, least: int = 0) -> None:
    """Raises `ConfigurationError` unless it is an amount."""
    wrong = wrong_amount(what, amount, least=least)
    if wrong is not None:
        raise ConfigurationError(f"{what}: {wrong.text}")


class Ticks:
    """Prices as amounts: ``Ticks("0.01").amount("12.50") == 1250``, and back.

    Args:
        size: what one tick is worth; a decimal number above 0. A float is taken as it is written.
    """

    def __init__(self, size: Decimal | str | float) -> None:
        self.size = _decimal(size)
        if self.size <= 0:
            raise ConfigurationError(f"a tick of {size} is worth nothing: give a number above 0")

    def amount(self, price: Decimal | str | float) -> int:
        """The amount of a price, in ticks.

        Raises:
            ConfigurationError: the price is no finite number, negative, or not a whole number of ticks.
        """
        value = _decimal(price)
        ticks = int(value / self.size)
        if ticks * self.size != value:
            raise ConfigurationError(f"{price} is not a whole number of ticks of {self.size}: round it first")
        checked(str(price), ticks)
        return ticks

    def price(self, amount: int) -> Decimal:
        """The price of an amount."""
        return amount * self.size


def _decimal(value: Decimal | str | float) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ConfigurationError(f"{value!r} is not a finite number")
    return number
