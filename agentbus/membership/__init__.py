"""Who is alive: SWIM with Lifeguard.

``Node(url, agents=[Membership(lan()), ...])`` is all: the node's `peers` are then the agents of every node of the realm
that runs one, and its agents hear `PeerEvent` and `Fault` on the topic ``{node}`` (`agentbus.faults`). `Swim` is the
protocol itself, pure, for simulations.
"""

from __future__ import annotations

from .config import MembershipConfig, lan, local, wan
from .machine import Swim
from .service import Membership

__all__ = ["Membership", "MembershipConfig", "Swim", "lan", "local", "wan"]
