"""Who else is there, and how far it is to be trusted: the Protocols by which the hall and its rooms ask one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, order=True)
class PeerId:
    """An agent's name in one life of its node: the epoch grows with each start."""

    name: str
    epoch: int

    def __str__(self) -> str:
        return f"{self.name}@{self.epoch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """An agent that is believed to be alive.

    Attributes:
        id: name and epoch.
        node: the node that hosts it.
        answers: full names of the request types it answers.
        tags: what else it says of itself.
    """

    id: PeerId
    node: str
    answers: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class PeerView(Protocol):
    """Who is alive, to the best of this node's knowledge: it may lag behind, and two nodes may differ."""

    def alive(self) -> Sequence[Peer]:
        """The peers believed alive, this node's own agents among them, ordered by name and epoch."""
        ...

    def get(self, name: str) -> Peer | None:
        """The living peer of that name with the highest epoch."""
        ...


@runtime_checkable
class PeerProvider(Protocol):
    """An agent that knows who is alive beyond its node. A node that hosts one takes its view for its own."""

    def peer_view(self, local: PeerView) -> PeerView:
        """Who is alive, given the view that holds the agents of this node. Called when the agent is built."""
        ...


class Electorate(Protocol):
    """Who has a vote in the realm: one each, whatever number of names, agents and lives it has."""

    def votes(self, node: str, key: bytes | None = None) -> bool:
        """Whether that node has a vote; with a key, whether it has it under that key."""
        ...


class Standing(Enum):
    """How far an agent is to be trusted in one life."""

    TRUSTED = "trusted"
    PROBATION = "probation"
    QUARANTINED = "quarantined"


class StandingView(Protocol):
    """How far others are to be trusted, to the best of this node's knowledge."""

    def standing(self, peer: PeerId) -> Standing:
        """The standing of that life of that agent; `TRUSTED` for one that nothing is known of."""
        ...
