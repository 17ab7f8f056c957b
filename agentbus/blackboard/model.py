"""What a board hears, says and decides. Frozen values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from .crdt import Item, Value


class PacketKind(IntEnum):
    """What a packet is for; the numbers are the wire's."""

    BEAT = 1
    BUCKETS = 2
    HAVE = 3
    ITEMS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One message between two boards.

    Attributes:
        source, life: the node that sends, in one of its lives.
        items: deltas: what is new (`BEAT`), or what the other lacks (`ITEMS`).
        root: the sender's, to be compared; None: not to be compared.
        sums: of all buckets (`BUCKETS`).
        opened: numbers of buckets that differ (`HAVE`).
        have: fingerprints of all that the sender has in those.
        want: fingerprints of what the sender lacks (`ITEMS`).
    """

    kind: PacketKind
    source: str
    life: int
    items: Sequence[Item] = ()
    root: int | None = None
    sums: Sequence[int] = ()
    opened: Sequence[int] = ()
    have: Sequence[int] = ()
    want: Sequence[int] = ()


class Put(NamedTuple):
    """Event: this node writes a note; without a value it deletes one."""

    key: str
    value: Value | None


class Add(NamedTuple):
    """Event: this node adds to a counter, or takes from it."""

    counter: str
    amount: int


class Peers(NamedTuple):
    """Event: the other nodes of the team that are believed alive."""

    nodes: Sequence[str]


Event = Packet | Put | Add | Peers


class Send(NamedTuple):
    """Effect: send a packet to a node."""

    to: str
    packet: Packet


class Changed(NamedTuple):
    """Effect: there is another note under a key, or none any more."""

    key: str


Effect = Send | Changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How much is on a board, and how it is kept.

    Attributes:
        node, team: whose.
        root: 64 bits; equal to another node's when both boards are the same.
        notes, deleted, tallies: entries of each kind.
        bytes: of all, about.
        others: nodes of the team that are believed alive.
        messages_sent, bytes_sent: gossip, without frames.
        refused_ahead: notes that came from a clock too far ahead; each time that they came.
        refused_full: entries that others wrote and this board had no room for; each time that they came.
        malformed: messages that made no sense.
    """

    node: str
    team: str
    root: int
    notes: int
    deleted: int
    tallies: int
    bytes: int
    others: int
    messages_sent: int
    bytes_sent: int
    refused_ahead: int
    refused_full: int
    malformed: int
