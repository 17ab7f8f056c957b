"""Who a member is, what is said of it, and what a machine takes and gives: frozen values.

The unit is the node. All that is said of one name has a total order, its **rank**: (life, incarnation, state). Of two
words the one of the higher rank is true, whichever comes first; so a word may come late, twice, or in another order.
A life is numbered by its epoch, and by more than that when the clock was set back (see `Word.life`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import NamedTuple

OVERHEAD = 48
"""Bytes that a word takes on the wire beside its texts, at most."""


class State(IntEnum):
    """What is believed of a node, in the order of rank: the later overrides the earlier of one incarnation."""

    ALIVE = 0
    SUSPECT = 1
    FAILED = 2
    LEFT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEntry:
    """An agent as its node tells of it.

    Attributes:
        name: the agent's.
        answers: full names of the request types that it answers.
        tags: what else it says of itself.
    """

    name: str
    answers: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def size(self) -> int:
        """Bytes on the wire, roughly and at most."""
        texts = (self.name, *self.answers, *self.tags, *self.tags.values())
        return 4 + sum(3 + len(text.encode()) for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What is said of one node (SWIM's Alive, Suspect and Confirm messages).

    Attributes:
        state: what it is said to be.
        node: its name.
        epoch: which life of it is meant: the epoch of that node.
        life: the order of that life among the lives of the name. A node begins with its epoch, and takes a higher
            number when it finds that an earlier life had one: then the clock was set back between them.
        incarnation: the number of the node's last word of itself: only the node itself raises it, to refute, or to
            tell of other agents.
        by: the nodes that accuse it, for `SUSPECT` and `FAILED`, ordered.
        agents: what it hosts, for `ALIVE`.
        rank: the order of all words about this name.
        size: bytes on the wire, roughly and at most.
    """

    state: State
    node: str
    epoch: int
    life: int
    incarnation: int
    by: tuple[str, ...] = ()
    agents: tuple[AgentEntry, ...] = ()
    rank: tuple[int, int, int] = field(init=False, compare=False, repr=False)
    size: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rank", (self.life, self.incarnation, int(self.state)))
        texts = sum(2 + len(text) for text in self.by)
        size = OVERHEAD + len(self.node) + texts + sum(agent.size for agent in self.agents)
        object.__setattr__(self, "size", size)


class PacketKind(IntEnum):
    """What a packet is for."""

    PING = 1
    ACK = 2
    PING_REQUEST = 3
    NACK = 4
    GOSSIP = 5
    ASK = 6
    """Push-pull: all I know; tell me what you know."""
    TELL = 7
    """Push-pull: all I know."""
    ECHO = 8
    """To oneself, by way of the broker: is my own link well?"""
    JOIN = 9
    """To everybody: I am here; with sequence 1: and know nobody's table yet."""


class Packet(NamedTuple):
    """One message between two nodes. A named tuple, as one is made for each message.

    Attributes:
        kind: what for.
        source: the sender's name.
        epoch: the sender's life.
        sequence: which ping is meant, by the numbers of whoever waits for the answer.
        target: of a ping request: whom to ping; of an ack and a nack: who was pinged.
        words: what rides along.
    """

    kind: PacketKind
    source: str
    epoch: int
    sequence: int = 0
    target: str = ""
    words: tuple[Word, ...] = ()


class ChangeKind(Enum):
    """What became of a node, in the eyes of this one."""

    JOINED = "joined"
    SUSPECTED = "suspected"
    REFUTED = "refuted"
    """It was suspected, and has spoken."""
    FAILED = "failed"
    LEFT = "left"
    REJOINED = "rejoined"
    """It had failed or left, or its life before had ended unseen."""
    CHANGED = "changed"
    """It hosts other agents."""
    SUPERSEDED = "superseded"
    """This node itself: a later life of its name is at work. It has fallen silent."""


class Send(NamedTuple):
    """Effect: send a packet to a node; `to` may be this node itself (an echo, by way of the broker)."""

    to: str
    packet: Packet


class Broadcast(NamedTuple):
    """Effect: publish a packet to everybody in the realm."""

    packet: Packet


class Notify(NamedTuple):
    """Effect: tell the application that a node has changed.

    Attributes:
        kind: what became of it.
        word: what is now believed of it.
        agents: what it hosts, as far as is known.
        reason: why, for people.
    """

    kind: ChangeKind
    word: Word
    agents: tuple[AgentEntry, ...]
    reason: str


Effect = Send | Broadcast | Notify


class Leave(NamedTuple):
    """Event: this node is about to stop. Its last effects are to be sent; the machine is silent from then on."""


class Describe(NamedTuple):
    """Event: this node hosts these agents from now on."""

    agents: tuple[AgentEntry, ...]


class Link(NamedTuple):
    """Event: the link to the broker went down, or is up again."""

    up: bool


Event = Packet | Leave | Describe | Link
