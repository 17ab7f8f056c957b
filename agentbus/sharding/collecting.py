"""The outcome of a job, read from its streams: each input's result, once."""

from __future__ import annotations

from dataclasses import dataclass

from ..transport import Transport
from .journal import Journal
from .log import ShardLog, Trust, everybody
from .model import Segment, ShardJob


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardOutcome:
    """What has come out of one shard.

    Attributes:
        results: (stream number of the input, its result), in order; only of segments that count.
        inputs: how many inputs the shard has.
        verified: how many of `results`, from the first on, are verified.
        void_segments: segments that were made void.
        ignored: messages of the log that counted for nothing: what somebody wrote after it was fenced, say.
    """

    shard: int
    results: tuple[tuple[int, bytes], ...]
    inputs: int
    verified: int
    void_segments: int
    ignored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What has come out of a job."""

    shards: tuple[ShardOutcome, ...]

    @property
    def complete(self) -> bool:
        """Whether each input has its result."""
        return all(len(shard.results) == shard.inputs for shard in self.shards)

    @property
    def unverified(self) -> int:
        """How many results are provisional."""
        return sum(len(shard.results) - shard.verified for shard in self.shards)

    def results(self) -> list[bytes]:
        """All results, by the order in which the inputs were stored."""
        found = [pair for shard in self.shards for pair in shard.results]
        return [result for _, result in sorted(found)]


async def collect(
    transport: Transport, job: ShardJob, *, realm: str = "default", liars: int = 1, trusted: Trust = everybody
) -> Outcome:
    """Reads the logs of all shards, as far as they have come.

    Args:
        transport: the wire, connected: ``ctx.transport``, ``node.transport``.
        job: which.
        realm: the job's.
        liars: f; a segment is verified when f + 1 others have found the same.
        trusted: whose attestations count.

    Raises:
        StorageFailed: there is no such job, or no answer.
    """
    journal = Journal(transport, realm, job)
    counts = await journal.counts()
    shards = [await _read(journal, shard, counts.get(shard, 0), liars, trusted) for shard in range(job.shards)]
    return Outcome(shards=tuple(shards))


async def _read(journal: Journal, shard: int, inputs: int, liars: int, trusted: Trust) -> ShardOutcome:
    log, segments, at = ShardLog(), dict[int, Segment](), 0
    while (found := await journal.next(shard, at)) is not None:
        at, entry = found
        if log.apply(at, entry) and isinstance(entry, Segment):
            segments[at] = entry
    at = 0
    while (said := await journal.next_attest(shard, at)) is not None:
        at, attest = said
        log.apply(at, attest)
    live = [segments[link.sequence] for link in log.links]
    return ShardOutcome(
        shard=shard,
        results=tuple(pair for one in live for pair in zip(one.inputs, one.results, strict=True)),
        inputs=inputs,
        verified=sum(link.inputs for link in log.links[: log.verified(liars, trusted)]),
        void_segments=log.void,
        ignored=log.ignored,
    )
