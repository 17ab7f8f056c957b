"""One number of one agent through time: its own normal, and since when it is far from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import median

from .config import WatchConfig
from .model import Measured

NORMAL = 1.4826
"""Standard deviations of a normal distribution in its median absolute deviation."""
SPREAD = 0.1
"""Least standard deviation of a history, as a share of its mean: the luck of few alike values is no norm."""
LARGE = 16
"""Agents of a group from which on it is large."""


class Fleet:
    """The values of one measure of all agents of one group, in the eyes of one observer.

    A value is compared with the others'. In a large fleet it is compared with all: one value more moves no median.

    Args:
        values: of all.
        config: the knobs.
    """

    def __init__(self, values: Sequence[float], config: WatchConfig) -> None:
        self._values = values
        self._config = config
        self._all = self._describe(values) if len(values) > LARGE else None

    def others(self, value: float) -> tuple[float, float] | None:
        """The others' median, and the value above which one is far from it; None when they are too few."""
        if self._all is not None:
            return self._all
        others = list(self._values)
        others.remove(value)
        return self._describe(others) if len(others) >= self._config.least else None

    def _describe(self, values: Sequence[float]) -> tuple[float, float]:
        middle = median(values)
        spread = median(abs(value - middle) for value in values)
        far = max(middle + self._config.deviations * NORMAL * spread, self._config.ratio * middle)
        return middle, far


@dataclass(slots=True)
class History:
    """What an observer knows of one measure of one agent.

    Attributes:
        last: the newest value.
        at: when it came.
        far_since: since when it has been far, without a break; `inf` when it is not.
        near_since: since when it has been clearly not far; `inf` when it is not.
        far: values since then.
        fresh: the newest value was not judged yet.
    """

    last: Measured
    at: float
    mean: float = 0.0
    variance: float = 0.0
    seen: int = 0
    far_since: float = inf
    near_since: float = inf
    far: int = 0
    fresh: bool = True

    def judge(self, fleet: Fleet, config: WatchConfig, now: float) -> None:
        """Takes the newest value in. Without enough others to compare with nothing is said either way."""
        value = self.last.value
        others = fleet.others(value)
        if others is None:
            self.forget()
            return
        middle, top = others[0], max(others[1], self.last.floor)
        if value > top and self._is_unlike_itself(value, config):
            self.far_since = min(self.far_since, now)
            self.near_since = inf
            self.far += 1
            return
        self.far_since, self.far = inf, 0
        self.near_since = min(self.near_since, now) if value <= (middle + top) / 2 else inf
        if value <= top:
            self._learn(value, config)

    def forget(self) -> None:
        """Begins anew: neither far nor near."""
        self.far_since = self.near_since = inf
        self.far = 0

    def is_far(self, config: WatchConfig, now: float, share: float = 1.0) -> bool:
        """Whether it has been far for `share` of the time that it takes."""
        return self.far >= 3 * share and now - self.far_since >= config.persist_s * share

    def is_near(self, config: WatchConfig, now: float) -> bool:
        """Whether it has been clearly normal as long as it would take to be abnormal."""
        return now - self.near_since >= config.persist_s

    def _is_unlike_itself(self, value: float, config: WatchConfig) -> bool:
        if self.seen < config.warm:
            return True
        deviation = max(sqrt(self.variance), SPREAD * self.mean)
        return value > self.mean + config.z * deviation

    def _learn(self, value: float, config: WatchConfig) -> None:
        # Finch, "Incremental calculation of weighted mean and variance", 2009, section 9.
        alpha = config.alpha if self.seen else 1.0
        step = value - self.mean
        self.mean += alpha * step
        self.variance = (1 - alpha) * (self.variance + alpha * step * step)
        self.seen += 1
