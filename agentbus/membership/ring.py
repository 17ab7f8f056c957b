"""Members to choose from, in O(1): each once before any twice, shuffled (SWIM, section 4.3), or at random."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


class Ring:
    """A set of names, drawn from.

    Args:
        rng: chance.
    """

    __slots__ = ("_names", "_next", "_places", "_rng")

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._names: list[str] = []
        self._places: dict[str, int] = {}
        self._next = 0  # names before it have had their turn

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def add(self, name: str) -> None:
        """Takes a name in, at a random place among those whose turn is still to come."""
        if name in self._places:
            return
        self._places[name] = len(self._names)
        self._names.append(name)
        self._swap(self._next + int(self._rng.random() * (len(self._names) - self._next)), len(self._names) - 1)

    def discard(self, name: str) -> None:
        """Takes a name out. The others keep or lose their turn as before."""
        place = self._places.get(name)
        if place is None:
            return
        if place < self._next:
            self._next -= 1
            self._swap(place, self._next)
            place = self._next
        self._swap(place, len(self._names) - 1)
        self._names.pop()
        del self._places[name]

    def turn(self) -> str | None:
        """The next in turn; after the last a new round, shuffled anew. None when nobody is there."""
        names = self._names
        if self._next >= len(names):
            if not names:
                return None
            self._rng.shuffle(names)
            self._places = {name: place for place, name in enumerate(names)}
            self._next = 0
        self._next += 1
        return names[self._next - 1]

    def pick(self) -> str | None:
        """One at random. None when nobody is there."""
        names = self._names
        return names[int(self._rng.random() * len(names))] if names else None

    def sample(self, count: int, but: Collection[str] = ()) -> list[str]:
        """So many distinct names at random, or all there are, without those in `but`."""
        names, random = self._names, self._rng.random
        size = len(names)
        if size <= count + len(but):
            chosen = [name for name in names if name not in but]
            self._rng.shuffle(chosen)
            return chosen[:count]
        chosen: list[str] = []
        while len(chosen) < count:
            name = names[int(random() * size)]
            if name not in chosen and name not in but:
                chosen.append(name)
        return chosen

    def _swap(self, one: int, other: int) -> None:
        if one == other:
            return
        names = self._names
        names[one], names[other] = names[other], names[one]
        self._places[names[one]] = one
        self._places[names[other]] = other
