"""The feeder: replays a stream of records, one window at a time.

It is a learner, too, so it knows when a window is complete; then it publishes the next. At most one window is under
way, so no detector waits for a window that another batch in the stream has yet to complete.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Iterator

from agentbus import Context, Supervision, every, rpc

from .data import Telemetry, load
from .forest import WINDOW
from .reference import PARTS, Learner
from .v1.shuttle_pb2 import ROLE_ALARM_DESK, ROLE_DETECTOR, ROLE_FEEDER, Batch, Tally, TallyRequest

STALLED_S = 6.0
"""Seconds without a profile after which a window's missing parts are published once more."""


class Feeder(Learner):
    """Replays a stream of records as durable events, once: a realm sees one replay.

    Args:
        data: a CSV file; None for the Shuttle's telemetry.
        label: the column of that file that says what is an anomaly, if there is one; nobody is told.
        limit: records to replay; None for all.
        detectors: how many must be there before it begins.
    """

    supervision = Supervision(max_restarts=0)  # a replay that began again would be another one

    def __init__(
        self, data: str | None = None, label: str | None = None, limit: int | None = None, detectors: int = 1
    ) -> None:
        super().__init__()
        self.telemetry: Telemetry = load(data, label, limit)
        self.detectors = detectors
        self.window = -1

    @every(1.0, immediately=True)
    async def replay(self, ctx: Context) -> None:
        """The replay: one tick that lasts until all is scored. (Published from here, a window counts as caused by no
        message; published on hearing a profile it would end a chain that is as long as the stream.)"""
        if self.window >= 0:
            return
        await self._gather_crew(ctx)
        ctx.log.info("begins", records=len(self.telemetry.records), source=self.telemetry.source)
        for window in range(math.ceil(len(self.telemetry.records) / WINDOW)):
            self.window = window
            await self._feed(window, ctx)
            while not await self.book.wait(window, STALLED_S):
                ctx.log.warning("stalled: asks for what it may have missed", window=window)
                if not await self.catch_up(window, ctx):
                    await self._feed(window, ctx)
        ctx.log.info("all records have been scored")

    @rpc(TallyRequest, Tally)
    async def tally(self, request: TallyRequest, ctx: Context) -> Tally:
        """Tells how far the replay is."""
        records = min((self.window + 1) * WINDOW, len(self.telemetry.records))
        return Tally(role=ROLE_FEEDER, records=records, process=os.getpid())

    async def _gather_crew(self, ctx: Context) -> None:
        """Until the desk and enough detectors are there."""
        while True:
            answers = await ctx.gather(TallyRequest(), Tally, timeout_s=0.5, at_most=self.detectors + 2)
            roles = [answer.message.role for answer in answers]
            if roles.count(ROLE_DETECTOR) >= self.detectors and ROLE_ALARM_DESK in roles:
                return
            await asyncio.sleep(0.05)

    async def _feed(self, window: int, ctx: Context) -> None:
        """Stores the parts of a window that have not been heard of."""
        missing = [batch for batch in self._batches(window) if batch.part not in self.book.parts]
        await asyncio.gather(*(ctx.publish(batch, durable=True) for batch in missing))

    def _batches(self, window: int) -> Iterator[Batch]:
        records = self.telemetry.records[window * WINDOW : (window + 1) * WINDOW]
        parts = min(len(records), PARTS if window else 1)
        for part in range(parts):
            first, last = (len(records) * end // parts for end in (part, part + 1))
            yield Batch(
                window=window,
                part=part,
                parts=parts,
                first=window * WINDOW + first,
                channels=records.shape[1],
                values=records[first:last].ravel(),
            )
