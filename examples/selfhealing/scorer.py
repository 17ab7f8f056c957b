"""The agent that does the work: it scores the shards that it holds, and checks the others' by doing theirs again."""

from __future__ import annotations

from agentbus import Supervision
from agentbus.peers import StandingView
from agentbus.sharding import ShardConfig, ShardJob, ShardWorker

from .mischief import Mischief
from .scoring import Learner, Scoring, unpack


class Scorer(ShardWorker):
    """Scores telemetry.

    Args:
        job, config, standing: as in `ShardWorker`.
        scoring: the work itself.
        mischief: what the demo makes of it.
    """

    supervision = Supervision(max_restarts=0, then="escalate")  # the process ends, and whoever started it begins anew

    def __init__(
        self,
        job: ShardJob,
        *,
        config: ShardConfig,
        standing: StandingView,
        scoring: Scoring,
        mischief: Mischief,
    ) -> None:
        super().__init__(job, config=config, standing=standing)
        self.scoring = scoring
        self.mischief = mischief

    def begin(self, shard: int) -> Learner:
        """Nothing is known."""
        return self.scoring.begin(shard)

    def step(self, state: Learner, batch: bytes) -> bytes:
        """Scores of a batch."""
        result = self.scoring.step(state, batch)
        return self.mischief.results(batch, result, own=unpack(batch).shard in self.held)

    def snapshot(self, state: Learner) -> bytes:
        """The checkpoint."""
        return self.scoring.snapshot(self.mischief.state(state, own=state.shard in self.held))

    def restore(self, data: bytes) -> Learner:
        """From a checkpoint."""
        return self.scoring.restore(data)
