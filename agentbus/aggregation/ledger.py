"""What one node holds, what it has given to whom, and what it was given: so that no mass is lost or made.

Each pair of nodes keeps, both ways, the sum of all that was given. A packet carries that sum, not the last gift: one
that is lost is made good by the next, one that comes twice or late changes nothing. Whoever leaves is struck out, and
with it all that it gave and was given: then what the others hold adds up to what they contributed, without a restart.

References: P. Jesus, C. Baquero, P. S. Almeida, Fault-Tolerant Aggregation by Flow Updating, DAIS 2009; P. S. Almeida
et al., Fault-Tolerant Aggregation: Flow-Updating Meets Mass-Distribution, OPODIS 2011.

Invariant: held = own + all taken - all given.
"""

from __future__ import annotations

from collections.abc import Mapping

from .model import Key, Mass


class Link:
    """One other node.

    Attributes:
        given: to it, in all.
        taken: from it, in all.
        heard: life and sequence of the packet that said so.
        asked: life and number of its last push that was answered.
    """

    __slots__ = ("asked", "given", "heard", "taken")

    def __init__(self) -> None:
        self.given: Mass = {}
        self.taken: Mapping[Key, float] = {}
        self.heard: tuple[int, int] = (0, 0)
        self.asked: tuple[int, int] = (0, 0)


class Ledger:
    """One node's.

    Attributes:
        own: what it contributes.
        held: what it holds now.
        links: by name of the other.
    """

    __slots__ = ("held", "links", "own")

    def __init__(self) -> None:
        self.own: Mass = {}
        self.held: Mass = {}
        self.links: dict[str, Link] = {}

    def contribute(self, part: Mapping[Key, float], instead: Mapping[Key, float]) -> None:
        """Adds `part` to the own contribution, and takes off what was there in its place."""
        for mass in (self.own, self.held):
            _add(mass, instead, -1.0)
            _add(mass, part, 1.0)
        for key in instead:
            if key not in part:
                del self.own[key]

    def link(self, name: str) -> Link:
        """The link to another node."""
        link = self.links.get(name)
        if link is None:
            link = self.links[name] = Link()
        return link

    def give(self, link: Link, gift: Mapping[Key, float]) -> None:
        """Gives; what is negative is taken."""
        _add(link.given, gift, 1.0)
        _add(self.held, gift, -1.0)

    def take(self, link: Link, given: Mapping[Key, float], life: int, sequence: int) -> bool:
        """Takes note of what the other has given in all. Returns whether that was news."""
        if (life, sequence) <= link.heard:
            return False
        _add(self.held, link.taken, -1.0)
        _add(self.held, given, 1.0)
        link.taken = given
        link.heard = (life, sequence)
        return True

    def reborn(self, link: Link, life: int) -> None:
        """The other begins another life: what the one before gave is gone with it."""
        if life > link.heard[0]:
            self.take(link, {}, life, 0)

    def strike(self, name: str) -> bool:
        """Strikes another out, with all that was given. Returns whether there was a link."""
        link = self.links.pop(name, None)
        if link is None:
            return False
        _add(self.held, link.given, 1.0)
        _add(self.held, link.taken, -1.0)
        return True

    def restart(self) -> None:
        """A new epoch: everybody holds its own again."""
        self.held = dict(self.own)
        self.links = {}


def _add(mass: Mass, other: Mapping[Key, float], factor: float) -> None:
    for key, value in other.items():
        mass[key] = mass.get(key, 0.0) + factor * value
