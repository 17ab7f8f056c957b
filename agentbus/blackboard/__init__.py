"""What a team knows, at hand on each of its nodes: notes and counters that merge, spread by gossip.

* `Blackboard`: the agent; host one on each node, under the team's name; docs/guides/blackboard.md
* `Seat`, `Watch`: where a policy reads and writes while it shares what it knows
* `Board`, `Note`, `Tally`, `Stamp`: the state, without a network: join-semilattices; pure
* `Gossip`: whom to tell what; pure
"""

from __future__ import annotations

from .config import BlackboardConfig, lan, local, wan
from .crdt import Board, Note, Stamp, Tally, Value
from .machine import Gossip
from .model import Status
from .seat import Seat
from .service import Blackboard
from .watch import Watch

__all__ = [
    "Blackboard",
    "BlackboardConfig",
    "Board",
    "Gossip",
    "Note",
    "Seat",
    "Stamp",
    "Status",
    "Tally",
    "Value",
    "Watch",
    "lan",
    "local",
    "wan",
]
