"""What is to be run: how many agents, what work, which faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agentbus.sharding.model import ShardJob

from .scoring import Floats

FAULTS = ("kill", "stop", "lie", "slow", "broker", "partition")
SERVERS = 3
JOB = "telemetry"
REALM = "selfhealing"
RUSH = 3000.0
"""Records a second once all faults were healed, at least."""
AGENTS = ("membership", "detection", "healer")
"""What each agent's node hosts beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lie:
    """How a liar lies.

    Attributes:
        liars: how many at once.
        share: of the records of its shards, 0 to 1.
        poison: its scores are right, and its checkpoints are not.
        accuse: it finds everybody else's work wrong, too.
    """

    liars: int = 1
    share: float = 1.0
    poison: bool = False
    accuse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run.

    Attributes:
        records: one row a record.
        source: where they are from, for people.
        faults: the kinds, in order.
        agents: how many; the last third of them is behind the relay.
        shards: how many.
        batch: records in a batch.
        pace: records a second that are dealt while there are faults to come.
        rush: records a second that are dealt after the last fault, until all records were dealt once.
        seed: of all choices of the demo: whom faults are done to.
        lie: how liars lie.
        secure: in a realm of identities.
        liars: how many liars the agents are to withstand (f): a quorum is f + 1.
        stop_s: seconds of a SIGSTOP.
        cut_s: seconds of a partition.
        down_s: seconds until a dead broker is started again.
        patience_s: seconds that a fault may take to be healed.
        settle_s: seconds that everybody must have been there before the next fault: then shards have gone back to those
            who are the first for them.
        rest_s: seconds without a shard that changes hands before the next fault.
    """

    records: Floats
    source: str
    faults: Sequence[str] = FAULTS
    agents: int = 12
    shards: int = 16
    batch: int = 40
    pace: float = 300.0
    rush: float = RUSH
    seed: int = 1
    lie: Lie = field(default_factory=Lie)
    secure: bool = False
    liars: int = 1
    stop_s: float = 10.0
    cut_s: float = 8.0
    down_s: float = 3.0
    patience_s: float = 45.0
    settle_s: float = 4.0
    rest_s: float = 2.0

    @property
    def names(self) -> tuple[str, ...]:
        """The agents' nodes."""
        return tuple(f"agent-{number}" for number in range(1, self.agents + 1))

    @property
    def behind(self) -> tuple[str, ...]:
        """Those behind the relay: a third, and never the greater part."""
        return self.names[self.agents - self.agents // 3 :]

    @property
    def brokers(self) -> tuple[str, ...]:
        """The nats-servers."""
        return tuple(f"server-{index}" for index in range(SERVERS))

    @property
    def job(self) -> ShardJob:
        """The work."""
        return ShardJob(name=JOB, shards=self.shards, replicas=SERVERS)

    @property
    def about(self) -> str:
        """In one line."""
        return (
            f"{self.agents} agents, {SERVERS} brokers, {len(self.records):,} records of {self.source} in "
            f"{self.shards} shards; seed {self.seed}{'; with identities' if self.secure else ''}"
        )
