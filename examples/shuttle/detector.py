"""A detector: scores its share of the records, and tells the others what it saw.

The batches are durable events that all detectors share: each is handed to one of them, and to another if the first
dies with it. The work on a batch can be done again with the same result, and ends with the desk's confirmation; only
then are the others told (`reference`), and only then is the batch acknowledged. So a window is complete only when
the desk has all of its scores, and a crash at any point costs time, not scores.
"""

from __future__ import annotations

import os

import numpy as np

from agentbus import Busy, Context, on, rpc

from .forest import Forest, Ranges
from .reference import Learner, profile_of
from .v1.shuttle_pb2 import ROLE_DETECTOR, Batch, Noted, Scores, Tally, TallyRequest

DESK = "alarm-desk"
ACK_WAIT_S = 2.0
"""Seconds of a detector's silence after which another gets its batch."""
PATIENCE_S = 1.0
"""Seconds to wait for profiles that are under way, before the others are asked."""


class Detector(Learner):
    """Scores records by half-space trees; learns from all detectors."""

    def __init__(self) -> None:
        super().__init__()
        self.forest: Forest | None = None
        self.records = 0

    @on(Batch, durable="detectors", mailbox=1, ack_wait_s=ACK_WAIT_S, max_deliver=50)
    async def judge(self, batch: Batch, ctx: Context) -> None:
        """Scores one batch. `mailbox=1`: takes no second one before the first is done, so that nobody hoards."""
        await self._know(batch.window - 1, ctx)
        if self.book.window >= batch.window:
            return  # a repeat of what was finished long ago
        learned = self.book.learned
        records = np.array(batch.values).reshape(-1, batch.channels)
        ranges = Ranges.of(records)
        if self.forest is None:
            self.forest = Forest(batch.channels)
        paths = self.forest.walk((ranges if learned is None else learned.ranges).scale(records))
        scores = np.zeros(len(records)) if learned is None else self.forest.score(paths, learned.masses)
        noted = Scores(first=batch.first, scores=scores, detector=ctx.me)
        await ctx.request(noted, Noted, to=DESK, timeout_s=2.0)
        self.records += len(records)
        await ctx.publish(profile_of(batch, self.forest, paths, ranges))

    @rpc(TallyRequest, Tally)
    async def tally(self, request: TallyRequest, ctx: Context) -> Tally:
        """Tells how much work this process has done."""
        return Tally(role=ROLE_DETECTOR, records=self.records, process=os.getpid())

    async def _know(self, window: int, ctx: Context) -> None:
        if await self.book.wait(window, PATIENCE_S) or await self.catch_up(window, ctx):
            return
        raise Busy(f"nobody has told what window {window} looked like yet")  # the batch comes again, a little later
