"""States that outlive who had them: saved in chunks, whole or not at all, with version and digest.

* `CheckpointedAgent`: an agent whose state is kept; it writes `snapshot` and `restore` (`Checkpointed`)
* `Checkpoints`, `Checkpoint`: the same for any state, on any store
"""

from __future__ import annotations

from .agent import Checkpointed, CheckpointedAgent
from .checkpoints import Checkpoint, Checkpoints

__all__ = ["Checkpoint", "Checkpointed", "CheckpointedAgent", "Checkpoints"]
