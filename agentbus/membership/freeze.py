"""When this node must not judge others, as it may be the one that is not well.

Three signs: a timer fires late (the process was stopped, or is starved); nothing that this node sent was answered, not
even by itself (the link, or the broker, is gone); the transport says that there is no link. Meanwhile, and for a
while after, no verdict is given, and the time does not count for the suspicions that run.
"""

from __future__ import annotations

from .config import MembershipConfig


class Freeze:
    """Says whether verdicts are frozen.

    Each of `late`, `proof` and `link` returns the seconds by which running suspicions are to be put off.

    Args:
        config: the knobs.
        now: when the machine begins.

    Attributes:
        proved: when the last packet was sent that is known to have been answered.
        until: when the present freeze ends, or the last one ended.
    """

    __slots__ = ("_config", "_down", "proved", "until")

    def __init__(self, config: MembershipConfig, now: float) -> None:
        self._config = config
        self._down = False
        self.proved = now
        self.until = now

    @property
    def down(self) -> bool:
        """Whether there is no link."""
        return self._down

    def frozen(self, now: float) -> bool:
        """Whether no verdict may be given now."""
        return self._down or now < self.until

    def doubtful(self, now: float, allowed_s: float) -> bool:
        """Whether nothing was answered for longer than it should take."""
        return self._config.freeze and now - self.proved > allowed_s

    def late(self, now: float, late_s: float) -> float:
        """A timer fired late."""
        self.proved = max(self.proved, now - self._config.period_s)  # nothing was sent meanwhile
        return self._extend(now - late_s, now + self._config.settle_s)

    def proof(self, sent: float, now: float, allowed_s: float) -> float:
        """Something sent at `sent` was answered."""
        before, self.proved = self.proved, max(self.proved, sent)
        if sent - before <= allowed_s:
            return 0.0
        return self._extend(before, now + self._config.outage_settle_s)

    def link(self, up: bool, now: float) -> float:
        """The link went down, or is up again."""
        if up == (not self._down):
            return 0.0
        self._down = not up
        if self._down:
            return 0.0
        before, self.proved = self.proved, now
        return self._extend(before, now + self._config.outage_settle_s)

    def nobody_asked(self, now: float) -> None:
        """Nothing was sent that could have been answered."""
        self.proved = max(self.proved, now)

    def _extend(self, since: float, until: float) -> float:
        if not self._config.freeze or until <= self.until:
            return 0.0
        lost = until - max(self.until, since)
        self.until = until
        return lost
