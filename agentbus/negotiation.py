"""The contract net: call for proposals, bids, award, result. Pure: events in, effects out.

`Negotiation` is one job as its buyer sees it. Bidding closes when all that are known to bid for the type have
answered, or with the window; the best bid is accepted; a winner that fails or goes silent is replaced by the next
best. Those who have not won are told the price when the job is done, not before: until then they may have to
replace the winner, and a rejection is final.

Invariants: a bidder gets at most one of `Accept` and `Reject`; no more than `winners` work on the job at a time, unless
one was silent for too long; `Ended` comes once, and nothing after it. With n bidders a job takes at most n + 4 messages
(the call, n bids, the acceptance, the result, one rejection that all hear), never more than the 2n + 2 of one rejection
to each, and at most two more for each winner that failed.

Source: FIPA Contract Net Interaction Protocol, SC00029H, its refuse, not-understood, failure and cancel branches
included. R. G. Smith, "The Contract Net Protocol", IEEE Transactions on Computers C-29 (1980).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, KeysView
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Literal, NamedTuple, SupportsFloat

from .awards import AwardRule, Bid, Ranked
from .errors import AgentBusError, AllFailed, DeadlineExceeded, InvalidBid, NoBids, NoResponders, Refused

PATIENCE = 0.5
"""The share of the time left that a winner has while another could replace it, unless the buyer says seconds."""
LONGEST = 80
"""Characters of a wrong number that are told."""


class Terms(NamedTuple):
    """What a call says beside the job.

    Attributes:
        value: the most that the buyer pays; None: it has not said.
        team: whom the job is for; may be empty.
        second_price: the price is made of the others' bids.
        again: it is offered once more, by who has won it and is busy.
    """

    value: float | None = None
    team: str = ""
    second_price: bool = False
    again: bool = False


# -- events ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proposed:
    """A bid has come."""

    bid: Bid


@dataclass(frozen=True, slots=True)
class Declined:
    """Somebody refuses, or has not understood."""

    bidder: str
    why: AgentBusError


@dataclass(frozen=True, slots=True)
class Nobody:
    """Nobody hears calls for this type."""


@dataclass(frozen=True, slots=True)
class Performed:
    """A winner has done the job."""

    bidder: str


@dataclass(frozen=True, slots=True)
class Fell:
    """A winner can't do the job, or can't be reached."""

    bidder: str
    why: AgentBusError


@dataclass(frozen=True, slots=True)
class Lost:
    """A winner is believed dead."""

    bidder: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The buyer wants the job no longer."""


@dataclass(frozen=True, slots=True)
class Tick:
    """`next_deadline` has come."""


Event = Proposed | Declined | Nobody | Performed | Fell | Lost | Withdrawn | Tick


# -- effects -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accept:
    """To tell the bidder to do the job, within `timeout_s`."""

    ranked: Ranked
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Reject:
    """To tell these bidders what the job went for; None: it was not done."""

    bidders: tuple[str, ...]
    price: float | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """To tell a winner that its work is not wanted any more."""

    bidder: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The job is over.

    Attributes:
        error: why it was not done, or None.
        winners: who did it, the best bid first.
    """

    error: AgentBusError | None
    winners: tuple[Ranked, ...] = ()


Effect = Accept | Reject | Cancel | Ended


def invalid(what: str, number: object, most: float | None = None, whose: str = "") -> InvalidBid | None:
    """What is wrong with a number that has to be finite, at least 0 and at most `most`, or None."""
    highest = inf if most is None else most
    if isinstance(number, float):  # as most are; to ask for the Protocol takes twenty times as long
        if 0 <= number <= highest and number != inf:
            return None
    elif isinstance(number, SupportsFloat):
        with suppress(
            ArithmeticError, ValueError, TypeError
        ):  # of an int beyond all floats, or what only looks like one
            if 0 <= float(number) <= highest and float(number) != inf:
                return None
    limit = "" if most is None else f" to {most:g}"
    if whose:
        what = f"{what} {whose!r}"
    try:
        told = repr(number)[:LONGEST]
    except Exception:  # Python writes no int of 4,301 digits; what has come may be anything
        told = f"an {type(number).__name__} that can't be written"
    return InvalidBid(f"{what} is {told}: it has to be a number from 0{limit}")


class Negotiation:
    """One job.

    Args:
        rule: who gets it.
        value: the most that the buyer pays.
        expected: names of those who are known to bid for its type; when none is, bidding goes on for the window.
        now: seconds.
        window_s: how long bids may take.
        deadline_s: how long all may take.
        patience_s: how long a winner that could be replaced may be silent; by default half of the time that is left.

    Attributes:
        phase: what it is at.
        answered: who has bid or declined.
        refusals: whose answer was no bid that counts, and why.
        failures: which winners failed, and how.
    """

    def __init__(
        self,
        rule: AwardRule,
        *,
        value: float | None,
        expected: Collection[str],
        now: float,
        window_s: float,
        deadline_s: float,
        patience_s: float | None = None,
    ) -> None:
        self.phase: Literal["bidding", "doing", "ended"] = "bidding"
        self.answered: set[str] = set()
        self.refusals: dict[str, AgentBusError] = {}
        self.failures: dict[str, AgentBusError] = {}
        self._rule = rule
        self._value = value
        self._awaited = set(expected)
        self._deadline_s = deadline_s
        self._ends_s = now + deadline_s
        self._window_s = min(window_s, deadline_s)
        self._closes_s = min(now + window_s, self._ends_s)
        self._patience_s = patience_s
        self._proposers: dict[str, None] = {}
        self._bids: list[Bid] = []
        self._next: deque[Ranked] = deque()
        self._rank: list[Ranked] = []
        self._accepted: dict[str, Ranked] = {}
        self._until: dict[str, float] = {}
        self._done: list[str] = []
        self._silent: set[str] = set()
        self._dead: dict[str, None] = {}

    @property
    def doing(self) -> KeysView[str]:
        """Who has the job and has not answered."""
        return self._until.keys()

    def next_deadline(self) -> float | None:
        """When `Tick` is due, or None."""
        if self.phase == "bidding":
            return self._closes_s
        if self.phase == "doing":
            return min((self._ends_s, *self._until.values()))
        return None

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What follows from an event."""
        if self.phase == "ended":
            return []
        match event:
            case Proposed():
                return self._proposed(event.bid, now)
            case Declined(bidder, why):
                return self._answers(bidder, why, now)
            case Performed(bidder):
                return self._performed(bidder)
            case Fell(bidder, why):
                return self._fell(bidder, why, now) if bidder in self._until else []
            case Lost(bidder):
                if bidder not in self._until:
                    return []
                self._dead[bidder] = None
                return self._unheard(bidder, NoResponders("it is believed dead"), now)
            case Tick():
                return self._tick(now)
            case Nobody():
                if self.phase == "bidding" and not self.answered:
                    return self._end(NoBids("nobody bids for this type: is an agent with a policy for it running?"))
                return []
            case Withdrawn():
                return self._end(Refused("the buyer has withdrawn the job"))

    # -- bidding ---------------------------------------------------------------------------------------------------

    def _proposed(self, bid: Bid, now: float) -> list[Effect]:
        bidder = bid.bidder
        if bidder in self.answered:
            return []
        self._proposers[bidder] = None
        if self.phase == "doing":
            return self._answers(bidder, Refused("its bid came too late"), now)
        if wrong := (
            invalid("the bid of", bid.bid, self._value, bidder) or invalid("the weight of", bid.weight, 1.0, bidder)
        ):
            return self._answers(bidder, wrong, now)
        self._bids.append(bid)
        return self._heard(bidder, now)

    def _answers(self, bidder: str, why: AgentBusError, now: float) -> list[Effect]:
        if bidder in self.answered:
            return []
        self.refusals[bidder] = why
        return self._heard(bidder, now)

    def _heard(self, bidder: str, now: float) -> list[Effect]:
        self.answered.add(bidder)
        if self.phase == "bidding" and bidder in self._awaited:
            self._awaited.discard(bidder)
            if not self._awaited:
                return self._close(now)
        return []

    def _close(self, now: float) -> list[Effect]:
        ranked, unranked = self._rule.rank(self._bids, self._value)
        self.refusals.update(unranked)
        wanted = self._rule.winners
        if len(ranked) < wanted:
            few = f"{len(ranked)} bids of at least {wanted}" if ranked else "no bid"
            said = "; ".join(f"{name}: {why}" for name, why in list(self.refusals.items())[:3])
            nobody = "nobody else answered" if ranked else "nobody answered"
            nobody += f" within {self._window_s:g} s: bid_window_s= says how long bids may take"
            return self._end(NoBids(f"{few}: {said or nobody}", refusals=self.refusals))
        self.phase = "doing"
        self._rank = ranked
        self._next.extend(ranked)
        return [self._accept(now) for _ in range(wanted)]

    # -- doing -----------------------------------------------------------------------------------------------------

    def _accept(self, now: float) -> Accept:
        ranked = self._next.popleft()
        until_s = self._ends_s
        if self._next:
            patience_s = (until_s - now) * PATIENCE if self._patience_s is None else self._patience_s
            until_s = min(until_s, now + patience_s)
        self._accepted[ranked.bid.bidder] = ranked
        self._until[ranked.bid.bidder] = until_s
        return Accept(ranked, until_s - now)

    def _performed(self, bidder: str) -> list[Effect]:
        if bidder not in self._accepted or bidder in self._done:
            return []
        if bidder not in self._until and bidder not in self._silent:
            return []  # it has said that it failed
        self.failures.pop(bidder, None)
        self._until.pop(bidder, None)
        self._done.append(bidder)
        return self._end(None) if len(self._done) == self._rule.winners else []

    def _unheard(self, bidder: str, why: AgentBusError, now: float) -> list[Effect]:
        """A winner is replaced without a word from it: its result counts if it comes all the same."""
        self._silent.add(bidder)
        return self._fell(bidder, why, now)

    def _fell(self, bidder: str, why: AgentBusError, now: float) -> list[Effect]:
        del self._until[bidder]
        self.failures[bidder] = why
        if self._next:
            return [self._accept(now)]
        if len(self._until) + len(self._done) >= self._rule.winners:
            return []
        said = "; ".join(f"{name}: {type(error).__name__}: {error}" for name, error in list(self.failures.items())[:3])
        many = f"each of {len(self.failures)} winners failed"
        if self._until or self._done:
            many = f"{len(self.failures)} of {len(self._accepted)} winners failed, and nobody is left to replace it"
        return self._end(AllFailed(f"{many}: {said}", failures=self.failures))

    # -- time ------------------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> list[Effect]:
        if self.phase == "bidding":
            return self._close(now) if now >= self._closes_s else []
        if now >= self._ends_s:
            who = ", ".join(map(repr, self._until))
            failed = f" ({len(self.failures)} failed before)" if self.failures else ""
            return self._end(DeadlineExceeded(f"no result within {self._deadline_s:g} s: {who} had the job{failed}"))
        effects: list[Effect] = []
        for bidder in [name for name, until_s in self._until.items() if until_s <= now]:
            effects += self._unheard(bidder, DeadlineExceeded("it was silent for too long, and was replaced"), now)
        return effects

    def _end(self, error: AgentBusError | None) -> list[Effect]:
        self.phase = "ended"
        winners = tuple(entry for entry in self._rank if entry.bid.bidder in self._done) if error is None else ()
        effects: list[Effect] = []
        if not isinstance(error, DeadlineExceeded):  # then nobody needs to be told: all have the same deadline
            price = max((winner.price for winner in winners), default=None)
            effects += [Cancel(bidder) for bidder in (*self._until, *self._dead) if bidder not in self._done]
            if lost := tuple(bidder for bidder in self._proposers if bidder not in self._accepted):
                effects.append(Reject(lost, price))
        self._until.clear()
        return [*effects, Ended(error, winners)]
