"""The known answer: records dealt to the shards in batches, and the plain loop over the same.

Batch k holds the next records of the stream and belongs to shard k mod `shards`; at the end of the records the stream
begins again with the first. The plain loop is the same scoring with nothing between: what comes out of it is what has
to come out of twelve agents of which some die, stop and lie, bit for bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from .scoring import Floats, Scoring, pack, scores_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A piece of the stream.

    Attributes:
        shard: whose it is.
        index: how many batches of that shard came before.
        first: number of its first record in the stream, from 0.
        records: how many it holds.
        body: as the shard's input.
    """

    shard: int
    index: int
    first: int
    records: int
    body: bytes


class PlainLoop:
    """Deals the batches, and scores each as it deals it.

    Args:
        records: one row a record.
        scoring: the work.
        shards: how many.
        batch: records in a batch; the last one of a pass may be smaller.

    Attributes:
        dealt: records so far.
        batches: for each shard, those so far.
        results: for each shard, what is right for each of its batches.
        digests: for each shard, the digest of the state after each of its batches.
    """

    def __init__(self, records: Floats, scoring: Scoring, *, shards: int, batch: int) -> None:
        self._records = records
        self._scoring = scoring
        self._shards = shards
        self._batch = batch
        self._states = [scoring.begin(shard) for shard in range(shards)]
        self._next = 0
        self._row = 0
        self.dealt = 0
        self.batches: list[list[Batch]] = [[] for _ in range(shards)]
        self.results: list[list[bytes]] = [[] for _ in range(shards)]
        self.digests: list[list[bytes]] = [[] for _ in range(shards)]

    @property
    def passes(self) -> int:
        """How often the whole stream has been dealt."""
        return self.dealt // len(self._records)

    def deal(self) -> Batch:
        """The next batch."""
        shard = self._next % self._shards
        rows = self._records[self._row : self._row + self._batch]
        batch = Batch(
            shard=shard,
            index=len(self.batches[shard]),
            first=self.dealt,
            records=len(rows),
            body=pack(self.dealt, shard, rows),
        )
        self._next += 1
        self._row = (self._row + len(rows)) % len(self._records)
        self.dealt += len(rows)
        self.batches[shard].append(batch)
        state = self._states[shard]
        self.results[shard].append(self._scoring.step(state, batch.body))
        self.digests[shard].append(hashlib.sha256(self._scoring.snapshot(state)).digest())
        return batch


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the agents answered, held against the plain loop.

    Attributes:
        records: of the stream.
        equal: records whose score is the same, bit for bit, and that were counted once.
        lost: records without a result.
        twice: results beyond one a record.
        differing: records with another score.
    """

    records: int
    equal: int
    lost: int
    twice: int
    differing: int

    @property
    def ok(self) -> bool:
        """Whether the answer is the plain loop's."""
        return self.equal == self.records and not (self.lost or self.twice or self.differing)


@dataclass(slots=True)
class _Tally:
    equal: int = 0
    twice: int = 0
    differing: int = 0
    seen: set[int] = field(default_factory=set[int])


def compare(plain: PlainLoop, answered: Sequence[Sequence[tuple[int, bytes]]]) -> Comparison:
    """Record for record.

    Args:
        plain: the loop.
        answered: for each shard, index of a batch and its result, in whatever order and number they were counted.
    """
    tally = _Tally()
    for shard, results in enumerate(answered):
        for index, result in results:
            _count(tally, plain, shard, index, result)
    return Comparison(
        records=plain.dealt,
        equal=tally.equal,
        lost=plain.dealt - len(tally.seen),
        twice=tally.twice,
        differing=tally.differing,
    )


def _count(tally: _Tally, plain: PlainLoop, shard: int, index: int, result: bytes) -> None:
    batches = plain.batches[shard]
    if not 0 <= index < len(batches):
        tally.twice += 1  # of a batch that nobody has dealt
        return
    batch, right = batches[index], scores_of(plain.results[shard][index])
    scores = scores_of(result)
    for offset in range(batch.records):
        record = batch.first + offset
        if record in tally.seen:
            tally.twice += 1
        elif offset < len(scores):
            tally.seen.add(record)
            same = bool(scores[offset] == right[offset])
            tally.equal += same
            tally.differing += not same
    tally.twice += max(0, len(scores) - batch.records)
