"""The knobs of healing, each with its formula."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from ..errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class HealingConfig:
    """How carefully a fleet heals itself. Seconds are of the event loop's clock.

    Attributes:
        faulty: f, the nodes that may lie at the same time. What others tell is believed from f + 1 of them: one of
            those is honest. At most f nodes are taken out at once.
        max_share: of n live nodes at most ``floor(max_share * n)`` are taken out (quarantined or restarting) at once;
            with `faulty` the limit is ``min(f, floor(max_share * n))``. A third is what Byzantine quorums bear.
        probation_s: the first probation. The n-th within `window_s` is
            ``min(probation_max_s, probation_s * 2 ** (n - 1))``: who flaps waits longer each time.
        probation_max_s: the longest probation.
        probation_weight: the share of work for who is on probation, 0 to 1.
        window_s: how long a fault is remembered against the same agent of the same node.
        escalate_after: faults within the window after which the default policy restarts what it otherwise only spares.
        repeat_s: a fault of the same kind and life is not heard again within this time.
        per_agent, per_kind, per_fleet: restarts, quarantines and re-hostings within `limit_s` for one agent of one
            node, for one kind of fault, and for all.
        limit_s: the window of those limits.
        defer_s: how long a plan that a limit stopped is kept, to be tried again once a second.
        turn_s: seconds that the k-th in the rendezvous order waits for an announcement before it acts: ``k * turn_s``.
            Above the time that events need to be heard by everybody.
        restart_s: seconds within which the accused life must be over after an announced restart; then the next in
            the order asks again. Above the time a process needs to stop.
        attempts: how often a node asks for the same restart at most.
        effect_s: seconds that the effector or a callback may take.
        pull_s: seconds between two askings of some other node for what it believes.
        dry_run: plan and write down, and change nothing.
    """

    faulty: int = 3
    max_share: float = 0.34
    probation_s: float = 10.0
    probation_max_s: float = 600.0
    probation_weight: float = 0.25
    window_s: float = 600.0
    escalate_after: int = 3
    repeat_s: float = 2.0
    per_agent: int = 6
    per_kind: int = 32
    per_fleet: int = 64
    limit_s: float = 60.0
    defer_s: float = 60.0
    turn_s: float = 1.0
    restart_s: float = 10.0
    attempts: int = 3
    effect_s: float = 5.0
    pull_s: float = 5.0
    dry_run: bool = False

    def __post_init__(self) -> None:
        for name in ("per_agent", "per_kind", "per_fleet", "attempts", "escalate_after"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"HealingConfig: {name}={getattr(self, name)!r}: use a whole number from 1")
        for name in _SECONDS:
            value = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise ConfigurationError(f"HealingConfig: {name}={value!r}: use a number of seconds above 0")
        if self.faulty < 0:
            raise ConfigurationError(f"HealingConfig: faulty={self.faulty!r}: use a whole number from 0")
        for name in ("max_share", "probation_weight"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigurationError(f"HealingConfig: {name}={getattr(self, name)!r}: use a share, 0 to 1")

    def voices(self) -> int:
        """How many nodes must tell the same before it is believed: f + 1."""
        return self.faulty + 1

    def may_be_out(self, fleet: int) -> int:
        """How many of `fleet` live nodes may be taken out at once."""
        return min(self.faulty, int(self.max_share * fleet + 1e-9))

    def probation_for(self, faults: int) -> float:
        """Seconds of probation after so many faults within the window."""
        return min(self.probation_max_s, self.probation_s * 2.0 ** min(max(faults, 1) - 1, 64))

    @classmethod
    def local(cls, *, faulty: int = 3) -> HealingConfig:
        """Processes of one machine: they hear one another within milliseconds and restart within seconds."""
        return cls(faulty=faulty, turn_s=0.5, restart_s=5.0, probation_s=5.0, pull_s=2.0)

    @classmethod
    def lan(cls, *, faulty: int = 3) -> HealingConfig:
        """One data centre: the defaults."""
        return cls(faulty=faulty)

    @classmethod
    def wan(cls, *, faulty: int = 3) -> HealingConfig:
        """Continents apart: words need a second, faults are rarer and costlier to get wrong."""
        return cls(faulty=faulty, turn_s=3.0, restart_s=30.0, probation_s=30.0, repeat_s=10.0, pull_s=10.0)


_SECONDS = (
    "probation_s",
    "probation_max_s",
    "window_s",
    "repeat_s",
    "limit_s",
    "defer_s",
    "turn_s",
    "restart_s",
    "effect_s",
    "pull_s",
)
