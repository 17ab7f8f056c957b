"""Key-value stores, leases and checkpoints over the streams of any transport.

* `Bucket`: a store with compare-and-set, atomic commits and watches; `Store` is what it promises
* `Entry`, `Put`, `Delete`, `Watch`: what it holds, what is written, what is told
* `CheckpointedAgent`, `Checkpointed`, `Checkpoints`, `Checkpoint`: states that outlive who had them
* `agentbus.storage.leases`: leases with fencing tokens
"""

from __future__ import annotations

from .bucket import Bucket
from .checkpoints import Checkpoint, Checkpointed, CheckpointedAgent, Checkpoints
from .model import Delete, Entry, Put
from .store import Store
from .watch import Watch

__all__ = [
    "Bucket",
    "Checkpoint",
    "Checkpointed",
    "CheckpointedAgent",
    "Checkpoints",
    "Delete",
    "Entry",
    "Put",
    "Store",
    "Watch",
]
