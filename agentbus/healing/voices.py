"""What others tell: believed when enough of them say the same. Pure.

Of f + 1 distinct nodes one at least is honest, and has found it out itself or heard it from f + 1 others.
"""

from __future__ import annotations

from ..peers import Standing
from .config import HealingConfig
from .model import Belief

MAX_TOLD = 1024
"""Standings that are told of and not believed yet."""
MAX_VOICES = 64

_Key = tuple[str, str, int, Standing]


class Voices:
    """Who has told what.

    Args:
        config: the knobs.
    """

    def __init__(self, config: HealingConfig) -> None:
        self._config = config
        self._told: dict[_Key, dict[str, float]] = {}
        self._settled: dict[tuple[str, int], None] = {}

    def hear(self, belief: Belief, by: str, now: float) -> tuple[str, ...]:
        """Counts a voice; returns all that have said the same within the window."""
        key = (belief.life.agent, belief.life.node, belief.life.epoch, belief.standing)
        voices = self._told.pop(key, {})
        voices[by] = now
        since = now - self._config.window_s
        self._told[key] = voices = {who: at for who, at in list(voices.items())[-MAX_VOICES:] if at >= since}
        if len(self._told) > MAX_TOLD:
            del self._told[next(iter(self._told))]
        return tuple(sorted(voices))

    def adds(self, belief: Belief, known: Belief | None) -> bool:
        """Whether to take it over. A probation only when nothing was ever believed of that life: it ends at slightly
        different times on different nodes, and must not begin again by hearsay."""
        if belief.standing is Standing.QUARANTINED:
            return known is None or known.standing is not Standing.QUARANTINED
        if belief.standing is not Standing.PROBATION or known is not None:
            return False
        key = (belief.life.agent, belief.life.epoch)
        if key in self._settled:
            return False
        self.settle(belief)
        return True

    def settle(self, belief: Belief) -> None:
        """Something is, or was, believed of that life."""
        self._settled[belief.life.agent, belief.life.epoch] = None
        if len(self._settled) > MAX_TOLD:
            del self._settled[next(iter(self._settled))]
