"""Reputation by EigenTrust: how far each agent is to be trusted, by what all tell of their dealings. Pure.

Each rater's opinion of others is what went well less what went badly, old dealings counting less, and never below 0;
opinions of one rater add up to 1, so shouting gains nothing. Trust is the opinion of those who are trusted, that is the
left principal eigenvector of the opinions, mixed with a share `alpha` for the pre-trusted: they are what a collective
of liars that praise one another can't talk away. Whoever has no opinion has that of the pre-trusted.

Invariants: trust is never negative and adds up to 1; nobody's word on itself counts.

Source: S. D. Kamvar, M. T. Schlosser, H. Garcia-Molina, The EigenTrust algorithm for reputation management in P2P
networks, WWW 2003: sections 4.1 to 4.5. It is the personalised PageRank of the graph of opinions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import ceil, fsum, inf, isfinite, log, log1p

from ..awards import Bid as Offered
from ..errors import ConfigurationError

MAX_AGENTS = 100_000
MAX_OPINIONS = 1_000_000
MIN_ALPHA = 0.001
FORGOTTEN = 1e-6
"""An opinion that has decayed to less than this, dealings that went well, is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReputationConfig:
    """The knobs.

    Attributes:
        pretrusted: whom everybody trusts before anything is known, at least one agent. **If one of them lies, all is
            lost**: name few that are your own.
        alpha: the share of trust that goes to the pre-trusted whatever others say, 0.001 to below 1. A collective that
            only praises itself multiplies the trust that leaks into it by ``1 / alpha`` at most: with PageRank's 0.15
            spies make matters worse than choosing at random, with 0.5 better (``bench.market``). The greater, the
            more work goes to the pre-trusted.
        half_life_s: after how many seconds a dealing counts half. Infinite: for ever.
        tolerance: by how much (sum of differences) an iteration may still move trust at the end; trust is then within
            ``tolerance / alpha`` of the truth.
    """

    pretrusted: frozenset[str]
    alpha: float = 0.5
    half_life_s: float = inf
    tolerance: float = 1e-14

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ConfigurationError: one of them can't work.
        """
        if not self.pretrusted:
            raise ConfigurationError("EigenTrust needs somebody to begin with: name at least one pre-trusted agent")
        if not MIN_ALPHA <= self.alpha < 1.0:
            raise ConfigurationError(f"alpha={self.alpha}: at least {MIN_ALPHA} and below 1, 0.5 as a rule")
        if not self.half_life_s > 0.0:
            raise ConfigurationError(f"half_life_s={self.half_life_s}: seconds above 0, or infinity")
        if not 1e-15 <= self.tolerance < 1.0:
            raise ConfigurationError(f"tolerance={self.tolerance}: 1e-15 to 1")

    @property
    def iterations(self) -> int:
        """How many are enough for any opinions: each leaves ``1 - alpha`` of the distance, which is 2 at most, so
        ``log(tolerance / 2) / log(1 - alpha)``."""
        return ceil(log(self.tolerance / 2.0) / log1p(-self.alpha))


@dataclass(slots=True)
class _Opinion:
    balance: float
    at_s: float


class Reputation:
    """What is told of dealings, and the trust that comes of it."""

    def __init__(self, config: ReputationConfig) -> None:
        self.config = config
        self._opinions: dict[str, dict[str, _Opinion]] = {}
        self._agents: dict[str, None] = dict.fromkeys(sorted(config.pretrusted))
        self._count = 0

    def meet(self, agents: Iterable[str]) -> None:
        """Lets agents be known, of whom nothing has been told: they have no trust, but are listed."""
        for agent in agents:
            self._admit(agent)

    def record(self, rater: str, rated: str, satisfaction: float, now: float) -> bool:
        """A dealing, as the rater tells it.

        Args:
            rater: who tells. The caller has made sure that it is that one: a name is a claim.
            rated: of whom.
            satisfaction: 1 for a job well done, -1 for one that failed, or between; weights for larger jobs are the
                caller's: call it with what the job is worth to the whole.
            now: seconds; never less than in earlier calls.

        Returns:
            Whether it counts: nobody's word on itself does.

        Raises:
            ConfigurationError: the satisfaction is no number from -1 to 1, or there are too many agents or opinions.
        """
        if not -1.0 <= satisfaction <= 1.0:
            raise ConfigurationError(f"a satisfaction of {satisfaction}: from -1 (failed) to 1 (well done)")
        if rater == rated:
            return False
        self._admit(rater)
        self._admit(rated)
        row = self._opinions.setdefault(rater, {})
        opinion = row.get(rated)
        if opinion is None:
            if self._count >= MAX_OPINIONS:
                raise ConfigurationError(f"{MAX_OPINIONS} opinions are kept already: forget some agents")
            self._count += 1
            opinion = row[rated] = _Opinion(0.0, now)
        opinion.balance = self._decayed(opinion, now) + satisfaction
        opinion.at_s = max(now, opinion.at_s)
        return True

    def forget(self, agent: str) -> None:
        """Drops all that an agent told and all that was told of it. Pre-trusted agents stay listed."""
        self._count -= len(self._opinions.pop(agent, {}))
        for row in self._opinions.values():
            self._count -= row.pop(agent, None) is not None
        if agent not in self.config.pretrusted:
            self._agents.pop(agent, None)

    def opinions(self, rater: str, now: float) -> Mapping[str, float]:
        """A rater's opinions of others, above 0, adding up to 1; empty: it has none."""
        row = self._opinions.get(rater, {})
        positive: dict[str, float] = {}
        for rated, opinion in list(row.items()):
            balance = self._decayed(opinion, now)
            if abs(balance) < FORGOTTEN and opinion.at_s < now:
                del row[rated]
                self._count -= 1
            elif balance > 0.0:
                positive[rated] = balance
        total = fsum(positive.values())
        return {rated: balance / total for rated, balance in positive.items()}

    def trust(self, now: float) -> Mapping[str, float]:
        """How far each known agent is trusted: shares of 1.

        One call costs up to `ReputationConfig.iterations` walks over all opinions, 48 by default: keep the answer for
        as long as it may be old.
        """
        names = list(self._agents)
        place = {name: number for number, name in enumerate(names)}
        share = 1.0 / len(self.config.pretrusted)
        start = [share if name in self.config.pretrusted else 0.0 for name in names]
        rows: list[list[tuple[int, float]]] = []
        for name in names:
            rows.append([(place[rated], weight) for rated, weight in self.opinions(name, now).items()])
        trust = start
        for _ in range(self.config.iterations):
            after = self._step(trust, rows, start)
            moved = fsum(abs(new - old) for new, old in zip(after, trust, strict=True))
            trust = after
            if moved <= self.config.tolerance:
                break
        return dict(zip(names, trust, strict=True))

    def _step(self, trust: list[float], rows: list[list[tuple[int, float]]], start: list[float]) -> list[float]:
        """``t' = (1 - alpha) C^T t + alpha p``, with p for the row of whoever has no opinion."""
        gained = [0.0] * len(trust)
        silent = 0.0
        for held, row in zip(trust, rows, strict=True):
            if not row:
                silent += held
            elif held:
                for rated, weight in row:
                    gained[rated] += held * weight
        kept = 1.0 - self.config.alpha
        mixed = [kept * (gain + silent * p) + self.config.alpha * p for gain, p in zip(gained, start, strict=True)]
        total = fsum(mixed)
        return [each / total for each in mixed]

    def _decayed(self, opinion: _Opinion, now: float) -> float:
        age_s = max(0.0, now - opinion.at_s)
        return opinion.balance * 0.5 ** (age_s / self.config.half_life_s) if isfinite(age_s) else 0.0

    def _admit(self, agent: str) -> None:
        if agent not in self._agents:
            if len(self._agents) >= MAX_AGENTS:
                raise ConfigurationError(f"{MAX_AGENTS} agents are known already: forget some")
            self._agents[agent] = None


def expected_gain(value: float, trust: Mapping[str, float], *, newcomer: float = 0.1) -> Callable[[Offered], float]:
    """A score by price and reputation, for `agentbus.awards.best`: what the job is worth to a buyer that pays only for
    what is done, ``chance * (value - bid)``.

    The chance that a bidder does the job is its trust against the middle one of those who are trusted at all: 1 from
    there on, and never less than a newcomer's. Who is listed without any trust has lost it, and has no chance.

    Args:
        value: of the job, done, in the units of the bids.
        trust: of those of whom anything is known, as `Reputation.trust` tells. Read at each call, so that it may be
            renewed in place.
        newcomer: the chance of who is not listed, 0 to 1.

    Raises:
        ConfigurationError: a number can't be.
    """
    if not 0.0 <= newcomer <= 1.0 or not 0.0 < value < inf:
        raise ConfigurationError(f"expected_gain(value={value!r}, newcomer={newcomer!r}): above 0, and from 0 to 1")

    def score(offered: Offered) -> float:
        positive = sorted(held for held in trust.values() if held > 0.0)
        middle = positive[len(positive) // 2] if positive else inf
        held = trust.get(offered.bidder)
        chance = newcomer if held is None else max(newcomer, min(1.0, held / middle)) if held > 0.0 else 0.0
        return chance * (value - offered.bid)

    return score
