"""Who else is there: the Protocol by which the hall asks, and rooms such as `membership` answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


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
