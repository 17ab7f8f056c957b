"""Who is alive, as the hall asks it: the agents of all nodes that are believed alive."""

from __future__ import annotations

from collections.abc import Sequence

from ..peers import Peer, PeerId, PeerView
from .beliefs import Beliefs
from .members import Member


class MembershipView:
    """A `PeerView`: this node's own agents as they are now, and others' as they were last told.

    Args:
        local: the view of this node's agents.
    """

    def __init__(self, local: PeerView) -> None:
        self.local = local
        self._beliefs: Beliefs | None = None
        self._others: list[Peer] | None = None
        self._best: dict[str, Peer] = {}

    def show(self, beliefs: Beliefs) -> None:
        """From now on it shows these."""
        self._beliefs = beliefs
        self.changed()

    def changed(self) -> None:
        """Something in the beliefs has changed."""
        self._others = None

    def alive(self) -> Sequence[Peer]:
        """The agents of all nodes believed alive, by name and epoch."""
        return sorted([*self.local.alive(), *self._remote()], key=lambda peer: peer.id)

    def get(self, name: str) -> Peer | None:
        """The agent of that name with the highest epoch."""
        self._remote()
        own, other = self.local.get(name), self._best.get(name)
        if own is None or (other is not None and other.id.epoch > own.id.epoch):
            return other
        return own

    def nodes(self) -> Sequence[str]:
        """The names of the other nodes believed alive."""
        return [] if self._beliefs is None else sorted(self._beliefs.members.living)

    def _remote(self) -> list[Peer]:
        if self._others is None:
            members = [] if self._beliefs is None else list(self._beliefs.members)
            self._others = [peer for member in members if not member.dead for peer in _peers(member)]
            self._best = {peer.id.name: peer for peer in sorted(self._others, key=lambda peer: peer.id)}
        return self._others


def _peers(member: Member) -> list[Peer]:
    return [
        Peer(id=PeerId(agent.name, member.word.epoch), node=member.name, answers=agent.answers, tags=agent.tags)
        for agent in member.agents
    ]
