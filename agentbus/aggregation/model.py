"""What machines hold and tell one another: masses, and packets of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from .sketch import Summary

Key = tuple[str, str, int]
"""A place in a mass: series, what (see below), and which bin."""
Mass = dict[Key, float]
"""A sparse vector. What is spread over a fleet, and adds up."""
Extrema = dict[str, tuple[float, float]]
"""Least and greatest value of each series."""

COUNT, TOTAL, SQUARES, BIN = "n", "s", "q", "b"
WEIGHT: Key = ("", "weight", 0)
"""Each node puts in 1: how much of the fleet a mass stands for."""
ROOT: Key = ("", "root", 0)
"""The node that began the epoch puts in 1: divided by it, shares become sums."""


def series(name: str, tag: str) -> str:
    """A series: what has one name and one kind of bins."""
    return f"{name}|{tag}"


class EpochId(NamedTuple):
    """Which run of the protocol; of two, the greater one counts."""

    number: int
    starter: str


class PacketKind(IntEnum):
    """What a packet is for."""

    PUSH = 1
    REPLY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One message between two nodes.

    Attributes:
        kind: a push wants a reply.
        source: the sender's name.
        life: the sender's life; it grows with each start.
        epoch: what run of the protocol it belongs to.
        sequence: grows with each packet of the sender.
        ask: the number of the push, or of the push that is answered. A push that is repeated keeps it.
        given: all that the sender has given to the receiver in this epoch, less what it took.
        held: all that the sender holds; in a push of push-pull only.
        extrema: as far as the sender knows.
    """

    kind: PacketKind
    source: str
    life: int
    epoch: EpochId
    sequence: int
    ask: int
    given: Mapping[Key, float]
    held: Mapping[Key, float]
    extrema: Mapping[str, tuple[float, float]]


class Send(NamedTuple):
    """Effect: send a packet to a node."""

    to: str
    packet: Packet


Effect = Send


class Contribute(NamedTuple):
    """Event: this node's part of what is known under a name; in place of its part before."""

    name: str
    summary: Summary


class Withdraw(NamedTuple):
    """Event: this node has no part any more in what is known under a name."""

    name: str


class Peers(NamedTuple):
    """Event: the other nodes that take part, and their lives."""

    lives: Mapping[str, int]


Event = Packet | Contribute | Withdraw | Peers


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What the fleet knows under a name.

    Attributes:
        nodes: how many nodes take part, those that contribute nothing to this name included.
        summary: of all their numbers.
        epoch: the run of the protocol that it comes from.
        rounds: rounds that run has had here.
    """

    nodes: float
    summary: Summary
    epoch: EpochId
    rounds: int

    @property
    def count(self) -> float:
        """How many numbers there are in the fleet."""
        return self.summary.count

    @property
    def total(self) -> float:
        """Their sum."""
        return self.summary.total

    @property
    def mean(self) -> float:
        """Their mean."""
        return self.summary.mean

    @property
    def variance(self) -> float:
        """Their variance."""
        return self.summary.variance

    @property
    def deviation(self) -> float:
        """Their standard deviation."""
        return self.summary.deviation

    @property
    def minimum(self) -> float:
        """The least of them, in this epoch."""
        return self.summary.minimum

    @property
    def maximum(self) -> float:
        """The greatest of them, in this epoch."""
        return self.summary.maximum

    def quantile(self, share: float) -> float:
        """The value below which `share` of them lie: see `Summary.quantile`."""
        return self.summary.quantile(share)
