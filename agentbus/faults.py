"""What rooms tell one another of trouble: the events `PeerEvent` and `Fault`.

A room publishes them to the topic of its own node (``ctx.publish(fault, topic=ctx.node)``), and the agents of that
node hear them by ``@on(Fault, topic="{node}")``: each node believes what it has found out itself, and no room has to
know another. The kinds of faults that agentbus's own rooms tell stand here; an application may add words of its own.
"""

from __future__ import annotations

from .wire.v1.faults_pb2 import (
    PEER_EVENT_KIND_FAILED,
    PEER_EVENT_KIND_JOINED,
    PEER_EVENT_KIND_LEFT,
    PEER_EVENT_KIND_REJOINED,
    PEER_EVENT_KIND_SUSPECTED,
    Fault,
    PeerEvent,
    PeerEventKind,
)

__all__ = [
    "ERRING",
    "FAILED",
    "FALSE_ACCUSER",
    "LYING",
    "MISBEHAVING",
    "OVERLOADED",
    "PEER_EVENT_KIND_FAILED",
    "PEER_EVENT_KIND_JOINED",
    "PEER_EVENT_KIND_LEFT",
    "PEER_EVENT_KIND_REJOINED",
    "PEER_EVENT_KIND_SUSPECTED",
    "SILENT",
    "SLOW",
    "Fault",
    "PeerEvent",
    "PeerEventKind",
]

FAILED = "failed"
"""A node that does not answer: membership's verdict."""
LYING = "lying"
"""An agent whose answers are not what comes out when the work is done again."""
SLOW = "slow"
"""An agent that takes much longer than the others of its fleet."""
ERRING = "erring"
"""An agent whose handlers fail much more often than others'."""
OVERLOADED = "overloaded"
"""An agent whose mailboxes fill."""
SILENT = "silent"
"""An agent that says nothing though its node is alive."""
FALSE_ACCUSER = "false-accuser"
"""An agent whose accusations nobody could reproduce."""
MISBEHAVING = "misbehaving"
"""A node whose key is heard no more: it floods, signs what is not acceptable, or breaks its word."""
