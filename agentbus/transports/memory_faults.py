"""What goes wrong on the in-memory network: delay, loss, duplication, reordering, partitions.

Invariants: all chance comes from one generator, drawn in the order of the messages, so a seed gives the same faults
again; without faults nothing is drawn. A message passes when its sender, its receiver and the broker all reach one
another at the time it is sent, and still do when it arrives.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from random import Random

from ..errors import ConfigurationError
from .memory_link import BROKER

REORDER_S = 0.01
"""Seconds by which a reordered message is late, at most, on a link without delay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFaults:
    """What a link does to messages.

    Attributes:
        delay_s: least and most seconds from sender to receiver; drawn evenly for each message. Order is kept.
        loss: probability that a message is dropped.
        duplicate: probability that a live message arrives twice.
        reorder: probability that a live message is late, and others overtake it.

    Raises:
        ConfigurationError: a delay below zero or the wrong way round, or a probability outside 0 to 1.
    """

    delay_s: tuple[float, float] = (0.0, 0.0)
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.delay_s
        if not 0.0 <= low <= high:
            raise ConfigurationError(f"delay_s={self.delay_s}: write (least, most) in seconds, from 0 upwards")
        for name in ("loss", "duplicate", "reorder"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigurationError(f"{name}={getattr(self, name)}: write a probability from 0 to 1")


NO_FAULTS = LinkFaults()


class Weather:
    """The faults that hold now."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self._groups: dict[str, int] = {}
        self._alone = False
        self._links: dict[tuple[str, ...], LinkFaults] = {}

    @property
    def calm(self) -> bool:
        """Whether every message passes at once."""
        return not self._groups and not self._links

    def link(self, members: tuple[str, ...], faults: LinkFaults) -> None:
        """Sets the faults between two members, of all links of one, or of all. `NO_FAULTS` for one or two members is
        kept, as an exception from the wider rule."""
        if len(members) > 2:
            raise ConfigurationError(f"a link has at most two ends, not {members}")
        key = tuple(sorted(members))
        if faults == NO_FAULTS and (not key or () not in self._links):
            self._links.pop(key, None)
        else:
            self._links[key] = faults

    def partition(self, groups: tuple[Collection[str], ...]) -> None:
        """Who is named in one group does not reach who is named in another. Who is not named reaches all; but a
        single group is cut off from all who are not in it. The broker is on all sides unless a group names it."""
        self._groups = {}
        for index, group in enumerate(groups):
            for name in sorted(group):
                if name in self._groups:
                    raise ConfigurationError(f"partition: {name!r} is in two groups")
                self._groups[name] = index
        self._alone = len(groups) == 1

    def heal(self) -> None:
        """Ends the partition; the links' faults stay."""
        self._groups = {}

    def apart(self, one: str, other: str) -> bool:
        """Whether a partition lies between two members or between either and the broker."""
        if not self._groups:
            return False
        return self._parted(one, other) or self._parted(one, BROKER) or self._parted(BROKER, other)

    def between(self, one: str, other: str) -> LinkFaults:
        """The faults between two members: of the pair, else of either's links, else of all."""
        links = self._links
        if not links:
            return NO_FAULTS
        pair = (one, other) if one <= other else (other, one)
        for key in (pair, (one,), (other,)):
            faults = links.get(key)
            if faults is not None:
                return faults
        return links.get((), NO_FAULTS)

    def happens(self, probability: float) -> bool:
        """Draws, unless there is nothing to draw."""
        return probability > 0.0 and self.rng.random() < probability

    def delay(self, faults: LinkFaults) -> float:
        """Seconds that one message takes."""
        low, high = faults.delay_s
        return low if low == high else self.rng.uniform(low, high)

    def lateness(self, faults: LinkFaults) -> float:
        """Seconds that a reordered message is late beyond its delay."""
        return self.rng.uniform(0.0, faults.delay_s[1] or REORDER_S)

    def _parted(self, one: str, other: str) -> bool:
        groups = self._groups
        mine, its = groups.get(one), groups.get(other)
        if mine is not None and its is not None:
            return mine != its
        if not self._alone or (BROKER in (one, other) and BROKER not in groups):
            return False
        return mine != its
