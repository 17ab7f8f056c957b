"""The work: how abnormal is a record, given what the last window of the same shard looked like?

Half-space trees, the ones of the Shuttle example (`examples.shuttle.forest`): each record is scored against the masses
of its shard's last complete window, and counted for the next. The state is a function of the shard's records and of
nothing else, and so are the scores: no clock, no chance, nothing that other shards have learned.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from examples.shuttle.forest import LEAVES, TREES, WINDOW, Counts, Floats, Forest, Ranges, masses

HEAD = struct.Struct("<QHHH")
"""Before the records of a batch: number of the first in the stream, shard, how many there are, values of each."""
SAVED = struct.Struct("<4sHHHB")
"""Before a saved state: its mark, shard, records in the window, values of a record, whether a window was complete."""
MARK = b"HST1"
FLOAT, COUNT = np.dtype("<f8"), np.dtype("<u2")
SAVED_BYTES = 1 << 20
"""More than any saved state has."""


@dataclass(slots=True)
class Learner:
    """What is known of one shard.

    Attributes:
        shard: its number.
        counted: records in the window that is being counted.
        leaves: how many of them ended in each leaf of each tree.
        last: the leaves of the last complete window; None before there is one.
        masses: of all nodes, that window's.
        ranges: of all records so far; None before the first.
    """

    shard: int
    counted: int
    leaves: Counts
    last: Counts | None
    masses: Counts | None
    ranges: Ranges | None


class Scoring:
    """Scores batches, shard by shard. It holds no state but the trees, which are the same for everybody.

    Args:
        channels: values of a record.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._forest = Forest(channels)

    def begin(self, shard: int) -> Learner:
        """The state before the first record."""
        return Learner(shard, 0, _no_counts(), None, None, None)

    def step(self, state: Learner, batch: bytes) -> bytes:
        """Scores a batch, one number of eight bytes a record, and learns from it."""
        records = unpack(batch).records
        if records.shape[1] != self._channels:
            raise ValueError(f"no batch: {records.shape[1]} values a record, not {self._channels}")
        return b"".join(self._take(state, part) for part in _parts(records, WINDOW - state.counted))

    def snapshot(self, state: Learner) -> bytes:
        """The state as bytes."""
        channels = 0 if state.ranges is None else len(state.ranges.low)
        body = [state.leaves.astype(COUNT).tobytes()]
        if state.last is not None:
            body.append(state.last.astype(COUNT).tobytes())
        if state.ranges is not None:
            body += [state.ranges.low.astype(FLOAT).tobytes(), state.ranges.high.astype(FLOAT).tobytes()]
        head = SAVED.pack(MARK, state.shard, state.counted, channels, state.last is not None)
        return head + zlib.compress(b"".join(body), 1)

    def restore(self, data: bytes) -> Learner:
        """The state that was saved. Raises `ValueError` for anything else."""
        try:
            mark, shard, counted, channels, complete = SAVED.unpack_from(data)
            unpacker = zlib.decompressobj()
            body = unpacker.decompress(data[SAVED.size :], SAVED_BYTES)
        except (struct.error, zlib.error) as error:
            raise ValueError(f"no saved state: {error}") from None
        leaves_bytes = TREES * LEAVES * COUNT.itemsize
        expected = leaves_bytes * (2 if complete else 1) + 2 * channels * FLOAT.itemsize
        if mark != MARK or len(body) != expected or not unpacker.eof or counted > WINDOW:
            raise ValueError("no saved state: it has another length, or is of another version")
        leaves = _counts(body[:leaves_bytes])
        last = _counts(body[leaves_bytes : 2 * leaves_bytes]) if complete else None
        ranges = None
        if channels:
            edges = np.frombuffer(body[-2 * channels * FLOAT.itemsize :], FLOAT).reshape(2, channels)
            ranges = Ranges(edges[0].copy(), edges[1].copy())
        return Learner(shard, counted, leaves, last, None if last is None else masses(last), ranges)

    def _take(self, state: Learner, records: Floats) -> bytes:
        forest = self._forest
        seen = Ranges.of(records)
        state.ranges = ranges = seen if state.ranges is None else state.ranges | seen
        paths = forest.walk(ranges.scale(records))
        scores = np.zeros(len(records)) if state.masses is None else forest.score(paths, state.masses)
        state.leaves = state.leaves + forest.count(paths)
        state.counted += len(records)
        if state.counted == WINDOW:
            state.last, state.masses = state.leaves, masses(state.leaves)
            state.leaves, state.counted = _no_counts(), 0
        return scores.astype(FLOAT).tobytes()


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A batch: the number of its first record in the stream, its shard, and the records, one row each."""

    first: int
    shard: int
    records: Floats


def pack(first: int, shard: int, records: Floats) -> bytes:
    """A batch as a shard's input."""
    return HEAD.pack(first, shard, *records.shape) + records.astype(FLOAT).tobytes()


def unpack(batch: bytes) -> Unpacked:
    """What was packed. Raises `ValueError` for anything else."""
    if len(batch) < HEAD.size or (len(batch) - HEAD.size) % FLOAT.itemsize:
        raise ValueError(f"no batch: {len(batch)} bytes")
    first, shard, count, channels = HEAD.unpack_from(batch)
    records = np.frombuffer(batch, FLOAT, offset=HEAD.size)
    if not count or not channels or records.size != count * channels:
        raise ValueError(f"no batch: {records.size} values for {count} records of {channels}")
    return Unpacked(first, shard, records.reshape(count, channels).astype(np.float64))


def scores_of(result: bytes) -> Floats:
    """The scores in a result. What is no whole number is left out."""
    return np.frombuffer(result[: len(result) // FLOAT.itemsize * FLOAT.itemsize], FLOAT)


def _parts(records: Floats, first: int) -> list[Floats]:
    """The records up to the end of the window, and the further windows."""
    ends = range(first, len(records), WINDOW)
    return [part for part in np.split(records, list(ends)) if len(part)]


def _no_counts() -> Counts:
    return np.zeros((TREES, LEAVES), dtype=np.int64)


def _counts(data: bytes) -> Counts:
    return np.frombuffer(data, COUNT).reshape(TREES, LEAVES).astype(np.int64)
