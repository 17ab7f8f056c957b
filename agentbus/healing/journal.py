"""What is still to be stored of the log: in order, bounded, kept while the stream can't be written to. Pure."""

from __future__ import annotations

from collections import deque

from .codec import HealingAction

WAITING = 1024
"""Steps kept while they can't be stored; of more the oldest are dropped, and counted."""
FIRST_RETRY_S = 0.5
LAST_RETRY_S = 10.0


class Journal:
    """Steps that wait to be stored."""

    def __init__(self) -> None:
        self._waiting: deque[HealingAction] = deque()
        self._failures = 0
        self._next_s = 0.0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, action: HealingAction) -> None:
        """One more, to be stored after the others."""
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(action)

    def first(self, now: float) -> HealingAction | None:
        """What is to be stored now, if anything."""
        return self._waiting[0] if self._waiting and now >= self._next_s else None

    def stored(self, action: HealingAction) -> None:
        """It is in the stream."""
        self._failures = 0
        if self._waiting and self._waiting[0] is action:
            self._waiting.popleft()

    def failed(self, now: float) -> None:
        """The stream could not be written to: not before a while, longer each time."""
        self._next_s = now + min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(self._failures, 16))
        self._failures += 1
