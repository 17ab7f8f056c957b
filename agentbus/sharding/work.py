"""The work itself, as its user writes it, and doing it again to see whether a segment is right."""

from __future__ import annotations

import asyncio
from typing import Generic, Protocol, TypeVar

from .journal import Journal
from .model import Finding, Segment, digest_of

S = TypeVar("S")


class Work(Protocol[S]):
    """A function of the shard's inputs, in order, and of nothing else: no clock, no chance, no outside world."""

    def begin(self, shard: int) -> S:
        """The state before the first input."""
        ...

    def step(self, state: S, batch: bytes) -> bytes:
        """Takes in one input; changes the state; returns the result."""
        ...

    def snapshot(self, state: S) -> bytes:
        """The state as bytes: the same bytes for the same state."""
        ...

    def restore(self, data: bytes) -> S:
        """The state of a snapshot; going on from it must give what going on without it gives, bit for bit."""
        ...


class Recomputation(Generic[S]):
    """Does segments again.

    Args:
        work: what is done.
        journal: where the segments are.
    """

    def __init__(self, work: Work[S], journal: Journal) -> None:
        self._work = work
        self._journal = journal

    async def judge(self, shard: int, sequence: int) -> Finding:
        """Whether segment number `sequence` is wrong: `CONFIRMED` when its inputs are not the next ones, or a result,
        the state's digest or the checkpoint is not what comes out of the checkpoint before. `UNKNOWN` when that can't
        be told: a message is gone, or the work can't be done from the checkpoint before.

        Raises:
            StorageFailed, NotConnected: the streams did not answer.
        """
        segment = await self._journal.entry(shard, sequence)
        if not isinstance(segment, Segment):
            return Finding.UNKNOWN
        before, after = None, 0
        if segment.previous:
            before = await self._journal.entry(shard, segment.previous)
            if not isinstance(before, Segment) or not before.inputs:
                return Finding.UNKNOWN
            after = before.inputs[-1]
        inputs = await self._journal.inputs(shard, after, len(segment.inputs))
        if tuple(number for number, _ in inputs) != segment.inputs:
            kept = await self._journal.oldest_input()
            return Finding.CONFIRMED if 0 < kept <= segment.inputs[0] else Finding.UNKNOWN
        if len(segment.results) != len(inputs):
            return Finding.CONFIRMED
        try:
            state = self._work.restore(before.checkpoint) if before else self._work.begin(shard)
            return await self._compare(segment, state, [body for _, body in inputs])
        except Exception:  # whatever a poisoned checkpoint makes the user's code raise, now or on the way
            return Finding.UNKNOWN

    async def _compare(self, segment: Segment, state: S, bodies: list[bytes]) -> Finding:
        for body, result in zip(bodies, segment.results, strict=True):
            if self._work.step(state, body) != result:
                return Finding.CONFIRMED
            await asyncio.sleep(0)
        snapshot = self._work.snapshot(state)
        right = snapshot == segment.checkpoint and digest_of(snapshot) == segment.digest
        return Finding.DENIED if right else Finding.CONFIRMED
