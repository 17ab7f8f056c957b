"""What the shards' logs say: who claims, who commits, whether it is right; and in the end the answer. Pure.

It reads the same messages as the agents do, folds them by the same rules, and knows besides what is right.
"""

from __future__ import annotations

from collections.abc import Callable

from agentbus.sharding.log import ShardLog
from agentbus.sharding.model import Attest, Claim, Entry, Segment

from .answer import PlainLoop
from .timeline import What

Tell = Callable[..., None]
"""Called with what has happened and the facts, as `Recorder.add`."""


class Ledger:
    """Reads all shards' logs.

    Args:
        plain: what is right.
        shards: how many.
        tell: told of claims and commits.
    """

    def __init__(self, plain: PlainLoop, shards: int, tell: Tell) -> None:
        self._plain = plain
        self._tell = tell
        self._logs = [ShardLog() for _ in range(shards)]
        self._segments: list[dict[int, Segment]] = [{} for _ in range(shards)]

    @property
    def committed(self) -> int:
        """Inputs that count, in all shards."""
        return sum(log.committed for log in self._logs)

    def read(self, shard: int, sequence: int, entry: Entry | None) -> None:
        """One more message of a log, or an attestation."""
        log = self._logs[shard]
        before = log.committed
        counts = log.apply(sequence, entry)
        if not counts or isinstance(entry, Attest):
            return
        match entry:
            case Claim():
                void = self._records(shard, log.committed, before)
                self._tell(What.CLAIMED, who=entry.node, shard=shard, records=void)
            case Segment():
                self._segments[shard][sequence] = entry
                assert log.claim is not None
                self._tell(
                    What.COMMITTED,
                    who=log.claim.node,
                    shard=shard,
                    records=self._records(shard, before, log.committed),
                    right=self._is_right(shard, before, entry),
                )
            case None:
                pass

    def verified(self, liars: int) -> int:
        """Inputs in segments that f + 1 others have found right."""
        return sum(link.inputs for log in self._logs for link in log.links[: log.verified(liars)])

    def answer(self) -> list[list[tuple[int, bytes]]]:
        """For each shard, the index of each batch that counts and its result."""
        found: list[list[tuple[int, bytes]]] = []
        for log, segments in zip(self._logs, self._segments, strict=True):
            results = [result for link in log.links for result in segments[link.sequence].results]
            found.append(list(enumerate(results)))
        return found

    def inputs(self, shard: int) -> list[int]:
        """The stream numbers of the inputs that count."""
        segments = self._segments[shard]
        return [number for link in self._logs[shard].links for number in segments[link.sequence].inputs]

    def _records(self, shard: int, first: int, last: int) -> int:
        return sum(batch.records for batch in self._plain.batches[shard][first:last])

    def _is_right(self, shard: int, first: int, segment: Segment) -> bool:
        last = first + len(segment.inputs)
        results, digests = self._plain.results[shard][first:last], self._plain.digests[shard]
        return list(segment.results) == results and len(digests) >= last and segment.digest == digests[last - 1]
