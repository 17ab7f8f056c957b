"""The knobs of peer scores, and their formulas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, log

from ...errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One thing that is counted, and what it adds to a score: ``weight * max(0, min(c, cap) - free) ** power``.

    The counter c grows by one each time, and is multiplied by ``decay`` each interval; below `decay_to_zero` it is 0.

    Attributes:
        weight: above 0 for what is good, below for what is bad.
        lifetime_s: seconds after which one time is forgotten.
        cap: more is not counted: it bounds how long a fault lasts, see `ScoreConfig.recovery_s`.
        free: what costs nothing.
        power: 1, or 2 where the tenth time weighs more than the first.
    """

    weight: float
    lifetime_s: float
    cap: float
    free: float = 0.0
    power: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.lifetime_s < inf:
            raise ConfigurationError(f"lifetime_s={self.lifetime_s!r}: use a number of seconds above 0")
        if not 0 <= self.free < self.cap < inf:
            raise ConfigurationError(f"cap={self.cap!r}, free={self.free!r}: 0 <= free < cap")
        if self.power not in (1, 2) or not abs(self.weight) < inf:
            raise ConfigurationError(
                f"weight={self.weight!r}, power={self.power!r}: a finite weight, a power of 1 or 2"
            )

    def adds(self, count: float) -> float:
        """What a counter adds to the score."""
        return self.weight * max(0.0, min(count, self.cap) - self.free) ** self.power

    @property
    def most(self) -> float:
        """What it adds at its cap."""
        return self.adds(self.cap)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreConfig:
    """What is counted and where the thresholds are. Names in brackets are GossipSub v1.1's.

    The score of a key is ``min(kept_cap, sum over topics of weight * kept) + sum over topics of weight * (broken +
    invalid + flood) + forged + siblings``. It is 0 for who is unknown.

    Attributes:
        kept: promises kept (P2).
        broken: promises broken (P3b, squared).
        invalid: frames that it signed and that must not be accepted (P4, squared).
        flood: messages beyond its rate, in seconds' worth (P7, squared beyond what is free). Who sends ten times what
            it may is graylisted after 7 s, a hundred times after less than one.
        forged: frames in its name that it did not sign. Anybody can forge them, so all of them together move nobody
            below a threshold: ``forged.most >= gossip``; that is checked.
        siblings: identities that one sponsor has had enrolled, it among them (P6, squared beyond what is free). Off
            unless you say how many a sponsor may have: ``Parameter(weight=-5.0, lifetime_s=1.0, cap=32.0, free=8.0,
            power=2)``, say. It never decays; `lifetime_s` is not used.
        kept_cap: what good deeds add at most, so that nobody can save up for a crime.
        topics: weights of single topics (message types, say); all others are one, of weight 1.
        decay_interval_s: seconds from decay to decay.
        decay_to_zero: below that a counter is 0; ``decay = decay_to_zero ** (decay_interval_s / lifetime_s)``.
        gossip: a score below which what it tells of others is not taken.
        publish: below which it is given no work.
        graylist: below which nothing of it is read.
        max_keys: keys that are remembered; the best scored are forgotten first.
    """

    kept: Parameter = Parameter(weight=1.0, lifetime_s=3600.0, cap=20.0)
    broken: Parameter = Parameter(weight=-2.0, lifetime_s=600.0, cap=12.0, free=1.0, power=2)
    invalid: Parameter = Parameter(weight=-10.0, lifetime_s=600.0, cap=6.0, power=2)
    flood: Parameter = Parameter(weight=-0.04, lifetime_s=600.0, cap=100.0, free=10.0, power=2)
    forged: Parameter = Parameter(weight=-1.0, lifetime_s=60.0, cap=5.0)
    siblings: Parameter = Parameter(weight=0.0, lifetime_s=1.0, cap=32.0, free=8.0, power=2)
    kept_cap: float = 20.0
    topics: Mapping[str, float] = field(default_factory=dict[str, float])
    decay_interval_s: float = 1.0
    decay_to_zero: float = 0.01
    gossip: float = -10.0
    publish: float = -50.0
    graylist: float = -100.0
    max_keys: int = 4096

    def __post_init__(self) -> None:
        bad = (self.broken, self.invalid, self.flood, self.forged, self.siblings)
        if self.kept.weight < 0 or any(parameter.weight > 0 for parameter in bad):
            raise ConfigurationError("kept weighs 0 or more; broken, invalid, flood, forged and siblings 0 or less")
        if not self.graylist <= self.publish <= self.gossip <= 0 <= self.kept_cap:
            raise ConfigurationError("graylist <= publish <= gossip <= 0 <= kept_cap")
        if self.forged.most < self.gossip:
            raise ConfigurationError(
                f"what others forge could take a node's vote: forged adds {self.forged.most:g} at its cap; "
                f"let that stay above gossip={self.gossip:g}"
            )
        if not (0 < self.decay_interval_s < inf and 0 < self.decay_to_zero < 1 and self.max_keys >= 4):
            raise ConfigurationError("decay_interval_s > 0, 0 < decay_to_zero < 1, max_keys >= 4")
        if any(weight < 0 for weight in self.topics.values()):
            raise ConfigurationError(f"topics={dict(self.topics)}: weights of 0 or more")

    def decay(self, parameter: Parameter) -> float:
        """By what the counter is multiplied at each interval."""
        return self.decay_to_zero ** (self.decay_interval_s / parameter.lifetime_s)

    @property
    def recovery_s(self) -> float:
        """Seconds after which who does nothing more is at the score that its siblings leave it: the longest of
        ``lifetime_s * (1 + log(cap) / log(1 / decay_to_zero))``, and an interval."""
        shrink = log(1 / self.decay_to_zero)
        parameters = (self.kept, self.broken, self.invalid, self.flood, self.forged)
        longest = max(each.lifetime_s * max(0.0, 1 + log(each.cap) / shrink) for each in parameters)
        return longest + 2 * self.decay_interval_s
