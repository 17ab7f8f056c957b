"""What a node tells of its agents: on ``$SRV`` who they are, on ``{realm}.why`` what they decided about a job, and to
its own contexts the peers it knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from .agent import policy_of
from .cell import AgentCell
from .decisions import Decisions, written
from .discovery import AgentInfo, asked, response, subjects
from .errors import AgentBusError
from .messages import EPOCH_CHANCE_BITS, full_name
from .peers import Peer, PeerId
from .specs import PolicySpec
from .subjects import Subjects
from .transport import Headers, Subscription, Transport


class Presence:
    """One node's. As a `PeerView` it knows what it knows without asking anybody: the node's own running agents.

    Args:
        node, realm, epoch: whose.
        cells: its agents, by name; read when asked.
    """

    def __init__(self, node: str, realm: str, epoch: int, cells: Mapping[str, AgentCell]) -> None:
        self._node = node
        self._realm = realm
        self._epoch = epoch
        self._cells = cells
        self._transport: Transport | None = None
        self._inboxes_only = False
        self._decisions: Decisions | None = None
        self._subscriptions: list[Subscription] = []

    def open(self, transport: Transport, decisions: Decisions, *, inboxes_only: bool = False) -> None:
        """Begins to answer; if so told, only into inboxes of the realm: whoever asks unsigned may name any subject."""
        self._transport = transport
        self._inboxes_only = inboxes_only
        self._decisions = decisions
        why = transport.subscribe(Subjects(self._realm).why(), self._tell_why)
        self._subscriptions = [why, *(transport.subscribe(subject, self._answer) for subject in subjects())]

    def close(self) -> None:
        """Ends answering; a second call does nothing."""
        for subscription in self._subscriptions:
            subscription.unsubscribe()
        self._subscriptions = []

    def alive(self) -> Sequence[Peer]:
        """This node's running agents, by name."""
        return [
            Peer(
                id=PeerId(name, self._epoch),
                node=self._node,
                answers=tuple(full_name(spec.type) for spec in cell.agent.behaviors.rpc),
            )
            for name, cell in sorted(self._cells.items())
            if cell.running
        ]

    def get(self, name: str) -> Peer | None:
        """This node's running agent of that name."""
        return next((peer for peer in self.alive() if peer.id.name == name), None)

    def info(self, cell: AgentCell) -> AgentInfo:
        """What an agent tells of itself."""
        return AgentInfo(
            name=cell.name,
            id=f"{self._node}-{cell.name}-{self._epoch:x}",
            node=self._node,
            realm=self._realm,
            epoch=self._epoch,
            version=cell.agent.version,
            description=cell.agent.description,
            started=datetime.fromtimestamp((self._epoch >> EPOCH_CHANCE_BITS) / 1000, UTC)
            .isoformat()
            .replace("+00:00", "Z"),
            behaviors=cell.agent.behaviors,
            policies={
                spec.name: policy_of(cell.agent, spec.name).word
                for spec in cell.agent.behaviors.rpc
                if isinstance(spec, PolicySpec)
            },
        )

    def _answer(self, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        question = asked(subject)
        if question is None or not self._may_answer(reply) or self._transport is None:
            return
        verb, name, identity = question
        for cell in [self._cells.get(name)] if name else list(self._cells.values()):
            if cell is None or cell.ended:
                continue
            info = self.info(cell)
            if identity in ("", info.id):
                with suppress(AgentBusError):  # best effort: no link, or more behaviors than a message holds
                    self._transport.send(reply, response(verb, info, cell.statistics()))

    def _may_answer(self, reply: str) -> bool:
        return bool(reply) and (not self._inboxes_only or Subjects(self._realm).is_inbox(reply))

    def _tell_why(self, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        """A message for each decision: what a node knows of a job with a thousand bidders may not fit into one."""
        if not self._may_answer(reply) or self._transport is None or self._decisions is None:
            return
        with suppress(AgentBusError):  # best effort: no link
            for entry in self._decisions.of(body.decode("utf-8", "replace")):
                self._transport.send(reply, written(self._node, entry))
