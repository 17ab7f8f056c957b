"""What is reported at most once a second, with how often it happened since. Bounded."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

EVERY_S = 1.0
REMEMBER = 4096
"""Kinds of report that are told apart; the one unused for longest is forgotten."""

Key = tuple[str, str, str]


class Reports:
    """Counts what happens and says when to report it.

    Args:
        loop: whose time is meant.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._last: OrderedDict[Key, tuple[float, int]] = OrderedDict()

    def due(self, key: Key, count: int = 1, *, always: bool = False) -> int:
        """How many to report now: those since the last report, `count` among them; 0 for not yet, unless `always`."""
        now = self._loop.time()
        last, held = self._last.pop(key, (float("-inf"), 0))
        held += count
        ready = always or now - last >= EVERY_S
        self._last[key] = (now, 0) if ready else (last, held)
        if len(self._last) > REMEMBER:
            self._last.popitem(last=False)
        return held if ready else 0

    def once(self, key: Key) -> bool:
        """Whether this is the first time."""
        first = key not in self._last
        self._last[key] = (float("inf"), 0)
        return first
