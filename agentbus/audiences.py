"""Who is known to bid: whom a call for proposals waits for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

LOOK_S = 0.5
"""Seconds for which what the peers' view said of bidders is taken for true."""
REMEMBER = 4096
"""Bidders that an `Audience` remembers at most."""


@dataclass(slots=True)
class Audience:
    """Who is known to bid for jobs of one type: whom the peers' view names, and who has answered before. Who is
    silent when bidding closes is not waited for again until it is heard, or begins a new life.

    Attributes:
        looked_s: when the peers' view was last looked at.
        lives: whom it named then, and the epoch of each; a new mapping with each look.
        known: who has answered before.
    """

    looked_s: float = float("-inf")
    lives: Mapping[str, int] = field(default_factory=dict[str, int])
    known: dict[str, None] = field(default_factory=dict[str, None])
    _silent: dict[str, int] = field(default_factory=dict[str, int])
    _expected: frozenset[str] | None = None

    def look(self, lives: Mapping[str, int], now: float) -> None:
        """The peers' view names these agents, each in the life of that epoch."""
        self.looked_s = now
        self.lives = dict(lives)
        self._silent = {name: epoch for name, epoch in self._silent.items() if name in lives}
        self._expected = None

    def expected(self) -> frozenset[str]:
        """Who should answer the next call."""
        if self._expected is None:
            viewed = (name for name, epoch in self.lives.items() if self._silent.get(name) != epoch)
            self._expected = frozenset((*self.known, *viewed))
        return self._expected

    def heard(self, name: str) -> None:
        """That agent has answered, for the first time or again after a silence."""
        self._expected = None
        self._silent.pop(name, None)
        if len(self.known) < REMEMBER:
            self.known[name] = None

    def missed(self, names: Collection[str]) -> None:
        """These have not answered."""
        for name in names:
            self._expected = None
            self.known.pop(name, None)
            if name in self.lives:
                self._silent[name] = self.lives[name]
