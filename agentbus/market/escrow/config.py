"""The knobs of an escrow ledger."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...errors import ConfigurationError
from ...storage.leases.config import LeaseConfig
from ...transport import MAX_BATCH

RECORDS = 4
"""What one command writes at most: its transaction, two accounts and a hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowConfig:
    """How a ledger is written; the same at all that host it.

    Attributes:
        batch: records that one commit writes at most, the head among them.
        waiting: commands that wait for the writer at most; one more is answered with `Busy`.
        remember: records that the writer keeps in memory, some 700 bytes each; others are read when needed. The
            repeat of a transaction that it does not remember costs a second look at the whole batch.
        commit_s: seconds that one commit, or one read, may take; losing a stream's leader takes up to 10.
        replicas: copies of the ledger in a cluster.
        max_bytes: what it may hold; a transfer takes some 320 bytes for ever. Above it everything is refused. -1: no
            limit.
        leases: the lease's knobs. A writer whose process has died is replaced within half a second, whatever they are;
            one that hangs after some 4 s, or as soon as `agentbus.membership` says so.
    """

    batch: int = MAX_BATCH
    waiting: int = 10_000
    remember: int = 50_000
    commit_s: float = 5.0
    replicas: int = 1
    max_bytes: int = 256 << 20
    leases: LeaseConfig = field(default_factory=lambda: LeaseConfig(poll_s=0.25))

    def __post_init__(self) -> None:
        if not RECORDS < self.batch <= MAX_BATCH:
            raise ConfigurationError(f"batch={self.batch}: use {RECORDS + 1} to {MAX_BATCH}")
        if min(self.waiting, self.remember) < 1:
            raise ConfigurationError(f"{self}: waiting and remember are at least 1")
        if self.commit_s <= 0:
            raise ConfigurationError(f"commit_s={self.commit_s}: use seconds above 0")
