"""CBBA, the consensus-based bundle algorithm: a team shares out tasks, and nobody is the auctioneer. Pure.

Each agent greedily puts the tasks that gain it most into its bundle, tells its neighbours who it believes wins which
task and for how much, and believes them by Table 1 of the paper: the greater bid wins, newer news beat older ones. Who
is outbid drops that task and those it took after it, whose gain was counted on it, and chooses again. When gains
diminish (a task gains no more when more are in the bundle) all agree on an assignment without conflicts that is worth
at least half of the optimum. For other gains a bid is no higher than the one before it in the bundle, so that it still
ends (Johnson et al. 2010), though without that promise.

Messages may be lost and reordered: each carries its sender's number, older ones than what is known are not read, and
everybody says all it knows in each round. A bundle of one is the consensus-based auction algorithm (CBAA).

Source: H.-L. Choi, L. Brunet, J. P. How, Consensus-based decentralized auctions for robust task allocation, IEEE
Transactions on Robotics 25(4), 2009. The bids are believed: agents that lie about them are not dealt with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import NamedTuple

from ..errors import ConfigurationError
from .model import Tick

MAX_TASKS = 10_000


class Claim(NamedTuple):
    """Who is believed to win a task, and by what bid. `winner` is empty: nobody."""

    winner: str
    bid: float

    def beats(self, other: Claim) -> bool:
        """Whether this bid wins against the other; of equal ones the lesser name does."""
        if not other.winner:
            return self.bid > other.bid
        return self.bid > other.bid or (self.bid == other.bid and self.winner < other.winner)


NOBODY = Claim("", 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beliefs:
    """What an agent tells its neighbours in a round.

    Attributes:
        sender: its name.
        claims: who wins what, to its knowledge; a task that is missing is nobody's.
        heard: of which round of each agent its newest news are; its own round included.
    """

    sender: str
    claims: Mapping[str, Claim]
    heard: Mapping[str, int]


class Tell(NamedTuple):
    """Effect: send beliefs to a neighbour."""

    to: str
    beliefs: Beliefs


class BundleAgent:
    """One agent of the team.

    Args:
        name: unique in the team.
        tasks: what there is to do.
        value: what a path, that is tasks in the order of doing them, is worth to this agent; the same whenever it is
            asked. A new task is put where it gains most. One whose gain is not finite and above 0 is not bid for.
        neighbours: whom it can talk to; the team has to be connected.
        capacity: the most tasks in its bundle.
        period_s: seconds from round to round.
        rounds: how many it takes part in; then it is silent, and its bundle is final. Without losses a team agrees
            within ``min(tasks, agents * capacity) * diameter`` rounds (section VI of the paper), and much sooner as a
            rule; with them as many times later as it takes a message to get through.
        now: the time; later calls give the same clock's.

    Attributes:
        bundle: its tasks in the order in which they were taken.
        path: the same in the order of doing them.
        round: how many rounds it has begun.
        changed: the last round in which it changed its mind about anything.
    """

    def __init__(
        self,
        name: str,
        tasks: Iterable[str],
        value: Callable[[tuple[str, ...]], float],
        *,
        neighbours: Iterable[str],
        now: float,
        capacity: int = 1,
        period_s: float = 0.1,
        rounds: int = 1_000,
    ) -> None:
        self.name = name
        self.tasks = tuple(dict.fromkeys(tasks))
        if not name or capacity < 1 or not 0 < period_s < inf or len(self.tasks) > MAX_TASKS:
            raise ConfigurationError(
                f"agent {name!r}, capacity {capacity}, period_s {period_s}, {len(self.tasks)} tasks: an agent has a "
                f"name, a capacity of 1 or more, a period above 0 and at most {MAX_TASKS} tasks"
            )
        self.capacity = capacity
        self.period_s = period_s
        self.rounds = rounds
        self.bundle: tuple[str, ...] = ()
        self.path: tuple[str, ...] = ()
        self.round = 0
        self.changed = 0
        self._value = value
        self._neighbours = tuple(neighbours)
        self._claims = dict.fromkeys(self.tasks, NOBODY)
        self._heard: dict[str, int] = {}
        self._bids: list[float] = []
        self._first: dict[str, float] = {}
        self._due_s = now

    def handle(self, event: Beliefs | Tick, now: float) -> list[Tell]:
        """Takes in what a neighbour believes, or begins the round that is due."""
        match event:
            case Beliefs():
                self._hear(event)
                return []
            case Tick():
                if self.done or now < self._due_s:
                    return []
                self._due_s = now + self.period_s
                self.round += 1
                self._release()
                self._build()
                return self._tell()

    @property
    def done(self) -> bool:
        """Whether its rounds are over."""
        return self.round >= self.rounds

    @property
    def claims(self) -> Mapping[str, Claim]:
        """Who wins what, to its knowledge."""
        return dict(self._claims)

    def settled(self, rounds: int) -> bool:
        """Whether it has not changed its mind for so many rounds: more than the team's diameter, and than losses
        delay news, and nobody will."""
        return self.round - self.changed >= rounds

    def next_deadline(self) -> float | None:
        """When the next round is due, or None: its rounds are over."""
        return None if self.done else self._due_s

    # -- the bundle ------------------------------------------------------------------------------------------------

    def _release(self) -> None:
        """Drops the first task that somebody else won, and all that were taken after it."""
        for place, task in enumerate(self.bundle):
            if self._claims[task].winner == self.name:
                continue
            for later in self.bundle[place + 1 :]:
                if self._claims[later].winner == self.name:
                    self._claims[later] = NOBODY
            kept = self.bundle[:place]
            self.path = tuple(each for each in self.path if each in kept)
            self.bundle = kept
            del self._bids[place:]
            self.changed = self.round
            return

    def _build(self) -> None:
        while len(self.bundle) < self.capacity:
            ceiling = self._bids[-1] if self._bids else inf
            best = NOBODY
            chosen, where = "", 0
            before = _finite(self._value(self.path)) if self.path else 0.0
            for task in self.tasks:
                if task in self.bundle:
                    continue
                gain, place = self._gain(task, before)
                claim = Claim(self.name, min(gain, ceiling))
                if claim.bid > best.bid and claim.beats(self._claims[task]):
                    best, chosen, where = claim, task, place
            if not chosen:
                return
            self.bundle += (chosen,)
            self.path = (*self.path[:where], chosen, *self.path[where:])
            self._bids.append(best.bid)
            self._claims[chosen] = best
            self.changed = self.round

    def _gain(self, task: str, before: float) -> tuple[float, int]:
        """What a task gains where it gains most, and where that is."""
        if not self.path:
            if task not in self._first:
                self._first[task] = _finite(self._value((task,)))
            return self._first[task], 0
        options = ((*self.path[:place], task, *self.path[place:]) for place in range(len(self.path) + 1))
        gains = [_finite(self._value(path)) - before for path in options]
        best = max(gains)
        return best, gains.index(best)

    # -- consensus -------------------------------------------------------------------------------------------------

    def _tell(self) -> list[Tell]:
        self._heard[self.name] = self.round
        beliefs = Beliefs(sender=self.name, claims=dict(self._claims), heard=dict(self._heard))
        return [Tell(to, beliefs) for to in self._neighbours]

    def _hear(self, news: Beliefs) -> None:
        sender, now_of = news.sender, news.heard.get(news.sender, 0)
        if sender == self.name or now_of < self._heard.get(sender, 0):
            return  # an echo, or older than what is known of the sender
        for task, mine in self._claims.items():
            theirs = news.claims.get(task, NOBODY)
            if theirs is mine or theirs == mine or not isfinite(theirs.bid):
                continue
            believed = self._weigh(mine, theirs, sender, news.heard)
            if believed is not mine:
                self._claims[task] = believed
                self.changed = self.round
        for agent, when in news.heard.items():
            if agent != self.name and when > self._heard.get(agent, 0):
                self._heard[agent] = when

    def _weigh(self, mine: Claim, theirs: Claim, sender: str, heard: Mapping[str, int]) -> Claim:
        """Table 1 of the paper: what to believe of one task."""

        def newer(agent: str) -> bool:
            return heard.get(agent, 0) > self._heard.get(agent, 0)

        me, they, holder = self.name, theirs.winner, mine.winner
        if they == sender:  # the sender believes that it wins itself
            if holder == me:
                return theirs if theirs.beats(mine) else mine
            if holder in {sender, ""}:
                return theirs
            return theirs if newer(holder) or theirs.beats(mine) else mine
        if they == me:  # the sender believes that it is mine
            if holder == sender or (holder not in {me, ""} and newer(holder)):
                return NOBODY
            return mine
        if not they:  # the sender believes that it is nobody's
            return theirs if holder == sender or (holder not in {me, ""} and newer(holder)) else mine
        if holder == me:  # the sender believes in a third
            return theirs if newer(they) and theirs.beats(mine) else mine
        if holder == sender:
            return theirs if newer(they) else NOBODY
        if holder in {they, ""}:
            return theirs if newer(they) else mine
        if newer(they) and (newer(holder) or theirs.beats(mine)):
            return theirs
        return NOBODY if newer(holder) and not newer(they) else mine


def _finite(value: float) -> float:
    return value if isfinite(value) else 0.0
