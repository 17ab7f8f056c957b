"""How long a suspected node has to refute (Lifeguard, section IV.B: dynamic suspicion timeouts)."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, log, log10


def scale(members: int) -> float:
    """How timeouts grow with the number of members: ``max(1, log10(n))``."""
    return max(1.0, log10(max(1, members)))


def retransmissions(factor: int, members: int) -> int:
    """How often a node passes one word on: ``lambda * ceil(log10(n + 1))``."""
    return factor * ceil(log10(members + 1))


class Suspicion:
    """One node under suspicion.

    The time shrinks from `longest_s` to `shortest_s` as nodes accuse independently::

        timeout = max(min, max - (max - min) * log(C + 1) / log(K + 1))

    where C counts the accusers after the first, and K is how many of them are enough.

    Args:
        began: when, by the machine's time.
        shortest_s, longest_s: seconds.
        enough: K; with 0 the shortest time holds from the start.
        accusers: who accuses it by now.

    Attributes:
        deadline: when it is declared failed.
        accusers: who has accused it.
    """

    __slots__ = ("_enough", "_longest_s", "_shortest_s", "accusers", "began", "deadline")

    def __init__(
        self, began: float, *, shortest_s: float, longest_s: float, enough: int, accusers: Iterable[str]
    ) -> None:
        self.began = began
        self._shortest_s = shortest_s
        self._longest_s = longest_s
        self._enough = enough
        self.accusers = set(accusers)
        self._settle()

    @property
    def settled(self) -> bool:
        """Whether further accusers make no difference."""
        return len(self.accusers) > self._enough

    def confirm(self, accusers: Iterable[str]) -> bool:
        """More have accused it. Returns whether that was news; beyond K further ones are not."""
        if self.settled:
            return False
        before = len(self.accusers)
        self.accusers.update(accusers)
        if len(self.accusers) == before:
            return False
        self._settle()
        return True

    def postpone(self, seconds: float) -> None:
        """Time that does not count: this node could not have heard a refutation."""
        self.began += seconds
        self._settle()

    def _settle(self) -> None:
        timeout = self._shortest_s
        if self._enough:
            confirmations = max(0, len(self.accusers) - 1)
            share = log(confirmations + 1) / log(self._enough + 1)
            timeout = max(timeout, self._longest_s - (self._longest_s - self._shortest_s) * share)
        self.deadline = self.began + timeout
