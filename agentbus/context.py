"""What a running behavior may touch: who it is, what it handles, and the verbs to speak with.

A context belongs to one message, or to one tick or start. It may be kept for as long as the agent lives; words said
through it count as caused by that message (hops, trace, deadline).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from .contracts import Contract
from .decisions import Decided
from .inbound import Inbound
from .messages import Frame
from .peers import Electorate, PeerView
from .port import Port
from .speaking import Speaker
from .statistics import NodeStatistics
from .transport import Transport


class Surroundings(Protocol):
    """What an agent's host gives to its contexts."""

    name: str
    port: Port

    @property
    def node(self) -> str:
        """The node's name."""
        ...

    @property
    def epoch(self) -> int:
        """When this life of the node began, milliseconds since 1970, and 20 bits of chance below them."""
        ...

    @property
    def rng(self) -> random.Random:
        """The agent's own source of chance."""
        ...

    @property
    def log(self) -> FilteringBoundLogger:
        """The agent's logger."""
        ...

    @property
    def peers(self) -> PeerView:
        """Who is alive."""
        ...

    @property
    def electorate(self) -> Electorate | None:
        """Who has a vote."""
        ...

    def node_statistics(self) -> NodeStatistics:
        """The node's counts."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a message came: which delivery of a durable event this is, and, where frames are signed, its place among
    those of its sender to its subject.

    Attributes:
        attempt: 1 for the first, and for live messages.
        last: whether a failure now leads to the dead letters.
        sequence: the event's number in its stream; 0 for live messages.
        number: of the frame that it came in among the frames of this sender, in this life of it, to this subject, from
            1; 0 where frames are not signed.
        skipped: live frames just before it that had not come when it did: a gap. In a queue group they are most
            often those that other members got.
        late: whether a later live frame had come before it: an inversion.
    """

    attempt: int
    last: bool
    sequence: int
    number: int = 0
    skipped: int = 0
    late: bool = False


class Context(Speaker):
    """Handed to every behavior."""

    __slots__ = ("_host", "_inbound", "_index", "_max_deliver")

    def __init__(
        self, host: Surroundings, inbound: Inbound | None = None, index: int = 0, max_deliver: int = 0
    ) -> None:
        self._host = host
        self._inbound = inbound
        self._index = index
        self._max_deliver = max_deliver

    def __repr__(self) -> str:
        return f"<Context of {self.me}, message {self.message_id or 'none'}>"

    # -- who and what ----------------------------------------------------------------------------------------------

    @property
    def me(self) -> str:
        """This agent's name."""
        return self._host.name

    @property
    def node(self) -> str:
        """The node's name."""
        return self._host.node

    @property
    def epoch(self) -> int:
        """When this life of the node began, milliseconds since 1970, and 20 bits of chance below them."""
        return self._host.epoch

    @property
    def realm(self) -> str:
        """The realm's name."""
        return self._host.port.bus.subjects.realm

    @property
    def sender(self) -> str:
        """Who sent the message; empty for a foreign client, and outside a message."""
        return self._inbound.frame.source if self._inbound else ""

    @property
    def sender_key(self) -> bytes:
        """The public key that has signed the message, 32 bytes; empty where frames are not signed."""
        opened = self._inbound.opened if self._inbound else None
        return opened.key if opened is not None else b""

    @property
    def sender_epoch(self) -> int:
        """The life of the node that sent the message; 0 for a foreign client's, and outside a message."""
        inbound = self._inbound
        return inbound.frame.epoch if inbound and inbound.frame.source else 0

    @property
    def message_id(self) -> str:
        """``sender:epoch:sequence`` of the message; empty for a foreign client's, and outside a message."""
        inbound = self._inbound
        return str(inbound.frame.message_id(self._index)) if inbound and inbound.frame.source else ""

    @property
    def subject(self) -> str:
        """The subject that the message came on; empty outside a message."""
        return self._inbound.subject if self._inbound else ""

    @property
    def topic(self) -> str:
        """The topic of the event; empty when it has none."""
        return self._host.port.bus.subjects.topic(self._inbound.subject) if self._inbound else ""

    @property
    def hops(self) -> int:
        """How many messages caused one another before this one."""
        return self._inbound.frame.hops if self._inbound else 0

    @property
    def trace(self) -> str:
        """The W3C traceparent that came with the message, or empty."""
        return self._inbound.frame.traces[self._index] if self._inbound and self._inbound.frame.traces else ""

    @property
    def deadline_s(self) -> float | None:
        """Seconds that remain until the requester stops waiting; None when nobody waits."""
        return self._remaining_s()

    @property
    def delivery(self) -> Delivery | None:
        """Which attempt at a durable event this is, or the place of a signed message among its sender's; None for
        messages that are neither, and outside a message."""
        inbound = self._inbound
        if inbound is None or (inbound.job is None and inbound.opened is None):
            return None
        job, opened = inbound.job, inbound.opened
        attempt, last, sequence = (
            (job.attempt, job.attempt >= self._max_deliver, job.sequence) if job else (1, False, 0)
        )
        if opened is None:
            return Delivery(attempt, last, sequence)
        return Delivery(attempt, last, sequence, opened.number, opened.skipped, opened.late)

    @property
    def contract(self) -> Contract | None:
        """The award by which this job came; None for what was asked without a call for proposals."""
        engagement = self._inbound.engagement if self._inbound else None
        return engagement.contract if engagement else None

    # -- the surroundings ------------------------------------------------------------------------------------------

    def now(self) -> float:
        """The event loop's time, in seconds: monotonic, and virtual in a simulation."""
        return self._host.port.bus.loop.time()

    def clock(self) -> float:
        """The node's clock: seconds since 1970, virtual in a simulation. It may jump: measure with `now`."""
        return self._host.port.bus.clock_us() / 1e6

    @property
    def rng(self) -> random.Random:
        """This agent's source of chance: seeded in a simulation."""
        return self._host.rng

    @property
    def log(self) -> FilteringBoundLogger:
        """A structlog logger bound to realm, node, agent and, in a message, its id."""
        message_id = self.message_id
        return self._host.log.bind(message_id=message_id) if message_id else self._host.log

    @property
    def peers(self) -> PeerView:
        """Who is alive, as far as this node knows."""
        return self._host.peers

    @property
    def electorate(self) -> Electorate | None:
        """Who has a vote in the realm: one an enrolled identity. None on a node without an identity, where names are
        all there is."""
        return self._host.electorate

    def hear_decisions(self, take: Callable[[Decided], None]) -> Callable[[], None]:
        """Hands on each decision about a job that this node's agents make, as it is made, until what it returns is
        called. `take` must not wait. For logs: see `ledger`."""
        return self._host.port.bus.decisions.hand_to(take)

    def hear_sent(self, take: Callable[[str, Frame], None]) -> Callable[[], None]:
        """Hands on each frame of messages that this node sends, with its subject, just before it goes, until what it
        returns is called. `take` must neither wait nor raise. What is sent as plain protobuf is in no frame."""
        return self._host.port.bus.hand_sealed_to(take)

    def statistics(self) -> NodeStatistics:
        """The node's counts of this moment, those of all its agents among them."""
        return self._host.node_statistics()

    @property
    def transport(self) -> Transport:
        """The wire, for rooms that keep streams of their own."""
        return self._host.port.bus.transport

    # -- speaking --------------------------------------------------------------------------------------------------

    def _port(self) -> Port:
        return self._host.port

    def _peers(self) -> PeerView:
        return self._host.peers

    def _logger(self) -> FilteringBoundLogger:
        return self._host.log

    def _cause(self) -> tuple[int, str]:
        inbound = self._inbound
        if inbound is None:
            return 0, ""
        frame = inbound.frame
        return frame.hops + 1, frame.traces[self._index] if frame.traces else ""

    def _remaining_s(self) -> float | None:
        inbound = self._inbound
        if inbound is None or not inbound.frame.deadlines_ms:
            return None
        deadline = inbound.frame.deadlines_ms[self._index]
        return inbound.received_s + deadline / 1000 - self.now() if deadline else None
