"""agentbus: agents without a centre.

Agents are coroutines that talk protobuf over NATS, written with decorators. A map of the house:

* write agents: `Agent`, `on`, `rpc`, `every`, `on_start`, `on_stop`, `Context`, `Backoff`, `Supervision`
* run them: `Node`, `run`, `StreamLimits`
* what comes back: `Reply`, `Replies`, `Endpoint`, `Delivery`, `PeerView`
* what can go wrong: `agentbus.errors`, one tree under `AgentBusError`
* wrap handlers: `agentbus.middleware`; test without a broker: `agentbus.testing`; from the shell: ``agentbus --help``
"""

from __future__ import annotations

from .agent import Agent
from .behaviors import Backoff, Endpoint, every, on, on_start, on_stop, rpc
from .calls import Replies, Reply
from .context import Context, Delivery
from .errors import (
    AgentBusError,
    Busy,
    DeadlineExceeded,
    HandlerFailed,
    NoResponders,
    NotConnected,
    Refused,
    TooFewReplies,
)
from .node import Node, run
from .peers import Peer, PeerId, PeerView
from .supervision import Supervision
from .transport import StreamLimits

__all__ = [
    "Agent",
    "AgentBusError",
    "Backoff",
    "Busy",
    "Context",
    "DeadlineExceeded",
    "Delivery",
    "Endpoint",
    "HandlerFailed",
    "NoResponders",
    "Node",
    "NotConnected",
    "Peer",
    "PeerId",
    "PeerView",
    "Refused",
    "Replies",
    "Reply",
    "StreamLimits",
    "Supervision",
    "TooFewReplies",
    "every",
    "on",
    "on_start",
    "on_stop",
    "rpc",
    "run",
]

__version__ = "0.1.0"
