"""Which segments of others a worker checks: drawn with its own chance, after they are committed. Pure.

Invariants: a segment is drawn for once when it is seen, and again each `recheck_s` as long as it counts and is not
verified; it is checked at most once, but for an answer that could not be had; whoever is found wrong is accused again
each `recheck_s` until the segment is void, or its author quarantined, or others have verified it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .config import ShardConfig
from .model import Finding

Key = tuple[int, int]
"""Shard, and number of a segment in its log."""


@dataclass(slots=True)
class Pending:
    """A segment that is not verified yet."""

    due_s: float
    finding: Finding | None = None


class Checks:
    """One worker's.

    Args:
        config: the knobs.
        draw: uniform in [0, 1): the worker's own chance.
    """

    def __init__(self, config: ShardConfig, draw: Callable[[], float]) -> None:
        self._config = config
        self._draw = draw
        self._pending: dict[Key, Pending] = {}
        self._queue: dict[Key, None] = {}

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def waiting(self) -> int:
        """Checks that were drawn and not made yet."""
        return len(self._queue)

    def seen(self, key: Key, now: float) -> None:
        """Another's segment counts from now on."""
        self._pending.setdefault(key, Pending(now))

    def settle(self, needed: Callable[[Key], bool], others: int, now: float) -> list[Key]:
        """Draws where it is time to.

        Args:
            needed: whether a segment still counts and is not verified.
            others: workers that are not the author, this one among them.
            now: seconds.

        Returns:
            Segments that were found wrong, to be accused again.
        """
        accuse: list[Key] = []
        probability = self._config.draw_probability(others)
        for key, pending in list(self._pending.items()):
            if now < pending.due_s:
                continue
            if not needed(key) or pending.finding is Finding.DENIED:
                self.forget(key)
                continue
            pending.due_s = now + self._config.recheck_s
            if pending.finding is Finding.CONFIRMED:
                accuse.append(key)
            elif self._draw() < probability:
                self._queue[key] = None
        while len(self._queue) > self._config.max_checks:
            del self._queue[next(iter(self._queue))]
        return accuse

    def next(self) -> Key | None:
        """The segment to check now, the one drawn first."""
        key = next(iter(self._queue), None)
        if key is not None:
            del self._queue[key]
        return key

    def found(self, key: Key, finding: Finding) -> None:
        """What the check has shown: `CONFIRMED` that it is wrong. `UNKNOWN` leaves it to a later draw."""
        pending = self._pending.get(key)
        if pending is not None and finding is not Finding.UNKNOWN:
            pending.finding = finding

    def forget(self, key: Key) -> None:
        """It counts no more."""
        self._pending.pop(key, None)
        self._queue.pop(key, None)

    def wrong(self, key: Key) -> bool:
        """Whether this worker has found it wrong."""
        pending = self._pending.get(key)
        return pending is not None and pending.finding is Finding.CONFIRMED
