"""agentbus: agents without a centre.

Agents are coroutines that talk protobuf over NATS, written with decorators. A map of the house:

* write agents: `Agent`, `on`, `rpc`, `every`, `on_start`, `on_stop`, `Context`, `Backoff`, `Supervision`
* let them bid for jobs: `cooperative`, `competitive`, `hybrid`, `lowest_bid`, `second_price`
* run them: `Node`, `run`, `StreamLimits`
* what comes back: `Reply`, `Replies`, `Endpoint`, `Delivery`, `PeerView`
* what can go wrong: `agentbus.errors`, one tree under `AgentBusError`
* wrap handlers: `agentbus.middleware`; test without a broker: `agentbus.testing`; from the shell: ``agentbus --help``

A name is imported when it is first used, so that ``agentbus --help`` does not wait for asyncio, NATS and protobuf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .agent import Agent
    from .awards import lowest_bid, second_price
    from .behaviors import every, on, on_start, on_stop, rpc
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
    from .node import Node
    from .peers import Peer, PeerId, PeerView
    from .policies import competitive, cooperative, hybrid
    from .running import run
    from .specs import Backoff, Endpoint
    from .stored import StreamLimits
    from .supervision import Supervision

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
    "competitive",
    "cooperative",
    "every",
    "hybrid",
    "lowest_bid",
    "on",
    "on_start",
    "on_stop",
    "rpc",
    "run",
    "second_price",
]

__version__ = "0.1.0"

if not TYPE_CHECKING:  # a checker that saw these would believe that every name exists
    _ROOMS = {
        "agent": ("Agent",),
        "awards": ("lowest_bid", "second_price"),
        "behaviors": ("every", "on", "on_start", "on_stop", "rpc"),
        "calls": ("Replies", "Reply"),
        "context": ("Context", "Delivery"),
        "errors": (
            "AgentBusError",
            "Busy",
            "DeadlineExceeded",
            "HandlerFailed",
            "NoResponders",
            "NotConnected",
            "Refused",
            "TooFewReplies",
        ),
        "node": ("Node",),
        "peers": ("Peer", "PeerId", "PeerView"),
        "policies": ("competitive", "cooperative", "hybrid"),
        "running": ("run",),
        "specs": ("Backoff", "Endpoint"),
        "stored": ("StreamLimits",),
        "supervision": ("Supervision",),
    }
    _ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

    def __getattr__(name):
        from importlib import import_module

        if name in _ROOM_OF:
            value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
            globals()[name] = value
            return value
        if not name.startswith("_"):
            module = f"{__name__}.{name}"
            try:
                return import_module(module)
            except ModuleNotFoundError as error:
                if error.name != module:
                    raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})
