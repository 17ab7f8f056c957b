"""Which segments of others a worker checks: drawn with its own chance, after they are committed. Pure.

Invariants: a segment is drawn for once when it is seen, and again each `recheck_s` as long as it counts and is not
verified; it is checked at most once, but for an answer that could not be had; whoever is found wrong is accused again
each `recheck_s` until the segment is void, or its author quarantined, or others have verified it.

Those that were drawn take turns by author, so that one who commits a lot hides nobody; of an author the newest and the
oldest are checked in turn: the newest, so that a lie is found soon however many checks wait; the oldest, so that what
is verified grows without a gap. Who has been found wrong comes last: it is known what he is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..peers import PeerId
from .config import ShardConfig
from .model import Finding

Key = tuple[int, int]
"""Shard, and number of a segment in its log."""


@dataclass(slots=True)
class Pending:
    """A segment that is not verified yet."""

    author: PeerId
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
        self._queues: dict[PeerId, dict[Key, None]] = {}  # whose turn is next comes first
        self._newest = True

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def waiting(self) -> int:
        """Checks that were drawn and not made yet."""
        return sum(len(queue) for queue in self._queues.values())

    def seen(self, key: Key, author: PeerId, now: float) -> None:
        """Another's segment counts from now on."""
        self._pending.setdefault(key, Pending(author, now))

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
                self._queues.setdefault(pending.author, {})[key] = None
        for _ in range(self.waiting - self._config.max_checks):
            longest = max(self._queues, key=lambda author: len(self._queues[author]))
            self._take(longest, newest=False)
        return accuse

    def next(self) -> Key | None:
        """The segment to check now."""
        if not self._queues:
            return None
        wrong = {pending.author for pending in self._pending.values() if pending.finding is Finding.CONFIRMED}
        author = next((author for author in self._queues if author not in wrong), next(iter(self._queues)))
        self._newest = not self._newest
        key = self._take(author, newest=not self._newest)
        if author in self._queues:
            self._queues[author] = self._queues.pop(author)  # behind the others
        return key

    def found(self, key: Key, finding: Finding) -> None:
        """What the check has shown: `CONFIRMED` that it is wrong. `UNKNOWN` leaves it to a later draw."""
        pending = self._pending.get(key)
        if pending is not None and finding is not Finding.UNKNOWN:
            pending.finding = finding

    def forget(self, key: Key) -> None:
        """It counts no more."""
        pending = self._pending.pop(key, None)
        queue = self._queues.get(pending.author) if pending else None
        if pending is not None and queue is not None:
            queue.pop(key, None)
            if not queue:
                del self._queues[pending.author]

    def _take(self, author: PeerId, *, newest: bool) -> Key:
        queue = self._queues[author]
        key = next(reversed(queue)) if newest else next(iter(queue))
        del queue[key]
        if not queue:
            del self._queues[author]
        return key
