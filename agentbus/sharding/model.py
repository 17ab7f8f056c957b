"""What sharded work is made of: the job, the messages of a shard's result log, findings. Frozen values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum

from ..errors import ConfigurationError
from ..peers import PeerId
from ..subjects import check_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardJob:
    """Work that is cut into shards: how many is fixed, whatever the number of workers.

    Attributes:
        name: the job's, ``[A-Za-z0-9_-]+``.
        shards: how many; numbered from 0.
        replicas: copies of its streams and leases in a cluster.
    """

    name: str
    shards: int
    replicas: int = 1

    def __post_init__(self) -> None:
        check_name(self.name, "job")
        if self.shards < 1:
            raise ConfigurationError(f"job {self.name!r}: shards={self.shards}: use at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The first message of a new holder. Segments of its log after number `rewind_to` are void."""

    holder: PeerId
    node: str
    token: int
    rewind_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of work, committed whole.

    Attributes:
        token: the holder's fencing token.
        previous: the log's number of the segment it went on from; 0: the beginning.
        inputs: stream numbers, ascending.
        results: one for each input.
        digest: SHA-256 of the snapshot.
        checkpoint: the snapshot of the state after it.
    """

    token: int
    previous: int
    inputs: tuple[int, ...]
    results: tuple[bytes, ...]
    digest: bytes
    checkpoint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Attest:
    """`by` has done segment number `segment` again and found the same."""

    segment: int
    by: PeerId


Entry = Claim | Segment | Attest


class Finding(Enum):
    """What doing it again has shown of an accusation."""

    CONFIRMED = "confirmed"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A worker is there, and holds these shards."""

    job: str
    peer: PeerId
    node: str
    holds: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where one shard stands, to the knowledge of one worker.

    Attributes:
        holder: by the log; None before the first claim.
        position: stream number of the last committed input; 0 for none.
        committed, verified: inputs, all and those in verified segments.
        void_segments: segments that were made void.
        backlog: inputs that wait.
    """

    shard: int
    holder: PeerId | None
    node: str
    token: int
    position: int
    committed: int
    verified: int
    void_segments: int
    backlog: int


def digest_of(checkpoint: bytes) -> bytes:
    """SHA-256 of a snapshot."""
    return hashlib.sha256(checkpoint).digest()


def evidence_of(job: str, shard: int, sequence: int) -> str:
    """How an accusation names a segment: ``job/shard/sequence``."""
    return f"{job}/{shard}/{sequence}"


def parse_evidence(evidence: str) -> tuple[str, int, int] | None:
    """Job, shard and sequence; None for anything else."""
    parts = evidence.split("/")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts[1:]):
        return None
    return parts[0], int(parts[1]), int(parts[2])
