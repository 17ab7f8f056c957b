"""A hybrid logical clock: stamps that keep the order of causes, and stay near the wall's time. Pure.

S. Kulkarni, M. Demirbas, D. Madappa, B. Avva, M. Leone, "Logical physical clocks", OPODIS 2014. What is written after
something was read has the greater stamp, whatever the nodes' clocks show.

Invariant: a reading is ahead of this node's own clock by `max_ahead_s` at the most, since no stamp is taken in that is:
else one bad clock would write last for ever (the same paper, section 5).
"""

from __future__ import annotations

from .crdt import Stamp

MAX_LOGICAL = (1 << 32) - 1


class HybridClock:
    """One actor's.

    Args:
        actor: whose stamps these are.
        max_ahead_s: seconds by which another's stamp may be ahead of this node's clock.
    """

    def __init__(self, actor: str, max_ahead_s: float) -> None:
        self.actor = actor
        self._max_ahead_ms = max_ahead_s * 1000.0
        self._last = (0, 0)

    def next(self, wall: float) -> Stamp:
        """A stamp greater than all that were made or heard.

        Args:
            wall: this node's clock, seconds since 1970. It may go back.
        """
        wall_ms, logical = self._last
        wall_now = max(0, int(wall * 1000.0))
        if wall_now > wall_ms:
            self._last = (wall_now, 0)
        else:
            self._last = (wall_ms, logical + 1) if logical < MAX_LOGICAL else (wall_ms + 1, 0)
        return Stamp(*self._last, self.actor)

    def credible(self, stamp: Stamp, wall: float) -> bool:
        """Whether a stamp is not too far ahead. What is not now may be later, when it comes again."""
        return stamp.wall_ms <= wall * 1000.0 + self._max_ahead_ms

    def hear(self, stamp: Stamp) -> None:
        """Another's stamp, a credible one: later stamps will be greater."""
        self._last = max(self._last, (stamp.wall_ms, stamp.logical))
