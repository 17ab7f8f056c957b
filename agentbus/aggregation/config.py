"""The knobs, and the formula beside each."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, log, sqrt
from typing import Literal

from ..errors import ConfigurationError

PUSH_PULL_SHRINKS = 1.0 / (2.0 * sqrt(exp(1.0)))
"""What a cycle of push-pull leaves of the variance: 0.3033 (Jelasity et al., TOCS 2005, section 3.2)."""
PUSH_SUM_SHRINKS = 0.5
"""What a round of push-sum leaves of the potential (Kempe et al., FOCS 2003, lemma 2.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregationConfig:
    """All knobs. `local`, `lan` and `wan` differ in the period.

    Attributes:
        mode: ``"push-pull"``: two nodes take the mean of what they hold; ``"push-sum"``: a node gives half away.
        period_s: seconds between two rounds of a node.
        precision: an epoch is believed after `settle_rounds`, when estimates differ by about this share.
        epochs: an epoch ends after so many times `settle_rounds`. Then extrema that are gone are forgotten, and what
            a broken node has done, too.
        spread_rounds: up to so many rounds more, by chance, so that few nodes begin the next epoch at once.
        repeats: pushes that had no reply are repeated, so many a round at most.
        max_keys: numbers that a node may contribute in all: 3 a series and one a bin.
    """

    mode: Literal["push-pull", "push-sum"] = "push-pull"
    period_s: float = 0.5
    precision: float = 1e-5
    epochs: float = 2.0
    spread_rounds: int = 8
    repeats: int = 4
    max_keys: int = 8_192

    def __post_init__(self) -> None:
        if self.mode not in ("push-pull", "push-sum"):
            raise ConfigurationError(f"aggregation: mode={self.mode!r}: write 'push-pull' or 'push-sum'")
        if self.period_s <= 0.0 or not 0.0 < self.precision < 1.0 or self.epochs < 1.0:
            raise ConfigurationError("aggregation: period_s > 0, 0 < precision < 1 and epochs >= 1 must hold")
        if self.spread_rounds < 0 or self.repeats < 1 or self.max_keys < 4:
            raise ConfigurationError("aggregation: spread_rounds >= 0, repeats >= 1 and max_keys >= 4 must hold")

    def settle_rounds(self, members: int) -> int:
        """Rounds until the estimates among so many nodes differ by `precision`.

        The deviation shrinks by a constant factor a round; it begins, for the number of nodes, at sqrt(n) times the
        mean: ``ceil(log(precision / sqrt(n)) / log(sqrt(shrinks)))``.
        """
        shrinks = PUSH_PULL_SHRINKS if self.mode == "push-pull" else PUSH_SUM_SHRINKS
        return ceil(log(self.precision / sqrt(max(1, members))) / log(sqrt(shrinks)))

    def epoch_rounds(self, members: int) -> int:
        """Rounds until an epoch ends, at the least."""
        return ceil(self.epochs * self.settle_rounds(members))


def local() -> AggregationConfig:
    """One machine: 128 nodes agree after 5 s."""
    return AggregationConfig(period_s=0.2)


def lan() -> AggregationConfig:
    """A data centre: 128 nodes agree after 12 s."""
    return AggregationConfig()


def wan() -> AggregationConfig:
    """Between continents: 128 nodes agree after 48 s."""
    return AggregationConfig(period_s=2.0)
