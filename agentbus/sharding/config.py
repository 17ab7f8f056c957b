"""The knobs of sharded work, and their formulas."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import ConfigurationError
from ..storage.leases.config import LeaseConfig
from ..transport import StreamLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardConfig:
    """How work is shared, committed and verified.

    Attributes:
        liars: how many workers may lie at once (f). A segment is verified when f + 1 have found the same.
        checked: q, the least probability with which a committed segment is checked by an honest worker.
        segment_inputs: inputs that one commit holds at most.
        segment_bytes: bytes of results and checkpoint that one commit should not exceed: it is cut off after the
            input that does. What a message may hold beyond it is for the checkpoint.
        idle_s: seconds between two looks for new input by a holder that has done all.
        report_s: seconds between two reports of a worker to the others.
        decide_s: seconds between two looks at who should hold what.
        patience_s: seconds that the worker of rank k waits k times for those before it, when a shard is free.
        settle_s: seconds for which a worker must have been there until another gives its shard back to it; doubled
            for each time it went away within the last `flap_memory_s`, 32 times at most.
        flap_memory_s: seconds.
        watchers: ranks that look at a lease that somebody alive holds.
        probation_weight: the share of work of a worker on probation, where 1 is everybody's.
        limit: shards that one worker holds at most; 0: no limit.
        recheck_s: seconds after which a segment that is not verified is drawn for again.
        max_checks: segments that wait for their check at one worker; the oldest drawn is dropped, to be drawn again.
        commit_s: seconds that one attempt to commit may take.
        leases: the leases' knobs.
        limits: of each of the job's two streams, but for the copies, which the job says. By default nothing is dropped
            because of its age: a log without its beginning tells nothing.
    """

    liars: int = 1
    checked: float = 0.8
    segment_inputs: int = 16
    segment_bytes: int = 256 << 10
    idle_s: float = 0.1
    report_s: float = 1.0
    decide_s: float = 0.25
    patience_s: float = 1.0
    settle_s: float = 5.0
    flap_memory_s: float = 60.0
    watchers: int = 3
    probation_weight: float = 0.25
    limit: int = 0
    recheck_s: float = 2.0
    max_checks: int = 256
    commit_s: float = 5.0
    leases: LeaseConfig = field(default_factory=LeaseConfig)
    limits: StreamLimits = field(default_factory=lambda: StreamLimits(max_age_s=0.0))

    def __post_init__(self) -> None:
        times = (
            self.idle_s,
            self.report_s,
            self.decide_s,
            self.patience_s,
            self.settle_s,
            self.recheck_s,
            self.commit_s,
        )
        if min(times) <= 0:
            raise ConfigurationError(f"{self}: every ..._s is a number of seconds above 0")
        if not 0.0 < self.checked < 1.0:
            raise ConfigurationError(f"checked={self.checked}: use a probability between 0 and 1")
        if self.liars < 0 or self.limit < 0 or min(self.segment_inputs, self.watchers, self.max_checks) < 1:
            raise ConfigurationError(f"{self}: liars and limit are at least 0; counts at least 1")
        if not 0.0 < self.probation_weight <= 1.0:
            raise ConfigurationError(f"probation_weight={self.probation_weight}: use above 0, at most 1")

    def draw_probability(self, others: int) -> float:
        """With which a worker checks a segment of another.

        Of n others up to f lie and may never check. So that at least one of the h = n - f honest ones does with
        probability q, each has to with at least p = 1 - (1 - q)^(1/h); so that f + 1 of them do on average,
        with (f + 1)/h. The greater of both; 1 when h < 1.

        Args:
            others: workers that are not the segment's author.
        """
        honest = others - self.liars
        if honest < 1:
            return 1.0
        return min(1.0, max(1.0 - (1.0 - self.checked) ** (1.0 / honest), (self.liars + 1) / honest))


def local() -> ShardConfig:
    """Many processes on one machine, or in a simulation: everything a little faster."""
    return ShardConfig(report_s=0.5, decide_s=0.1, patience_s=0.5, settle_s=3.0, idle_s=0.05, recheck_s=1.0)
