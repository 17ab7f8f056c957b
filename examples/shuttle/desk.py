"""The alarm desk: notes one score for each record, and raises an alarm for those at or above the threshold.

A score that comes twice, since a detector died before its work was acknowledged, is recognized by the record's
number and counted as a repeat; it must be equal to the first, or it is counted as a conflict. The first one stays.
"""

from __future__ import annotations

import math
import os
from array import array

from agentbus import Agent, Context, Refused, Supervision, every, on_stop, rpc

from .v1.shuttle_pb2 import (
    ROLE_ALARM_DESK,
    Alarm,
    DetectorCount,
    Ledger,
    LedgerRequest,
    Noted,
    Progress,
    Scores,
    Tally,
    TallyRequest,
)

THRESHOLD = 0.5
"""Finds 87% of the Shuttle's anomalies; 82% of its alarms are right."""
MOST_RECORDS = 10_000_000
LONGEST_PAGE = 20_000
"""Records in one answer: what fits into a message."""
NOBODY = -1


class AlarmDesk(Agent):
    """Collects the scores, each record's once.

    Args:
        threshold: scores from here on, 0 to 1, are alarms.
    """

    supervision = Supervision(max_restarts=0)  # one that began again would have forgotten all scores

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        self.scores = array("d")
        self.scored_by = array("i")
        self.names: list[str] = []
        self.counts: list[int] = []
        self.alarms = self.repeats = self.conflicts = 0
        self.began_s = self.last_s = 0.0

    @rpc(Scores, Noted)
    async def note(self, batch: Scores, ctx: Context) -> Noted:
        """Notes the scores of a batch."""
        end = batch.first + len(batch.scores)
        if end > MOST_RECORDS:
            raise Refused(f"record {end}: this desk keeps {MOST_RECORDS} records at most")
        if not self.names:
            self.began_s = ctx.now()
        if batch.detector not in self.names:
            self.names.append(batch.detector)
            self.counts.append(0)
        who = self.names.index(batch.detector)
        missing = max(0, end - len(self.scores))
        self.scores.extend([math.nan] * missing)
        self.scored_by.extend([NOBODY] * missing)
        for record, score in enumerate(batch.scores, batch.first):
            if self.scored_by[record] != NOBODY:
                self.repeats += 1
                self.conflicts += score != self.scores[record]
                continue
            self.scores[record], self.scored_by[record] = score, who
            self.counts[who] += 1
            self.last_s = ctx.now()
            if score >= self.threshold:
                self.alarms += 1
                await ctx.publish(Alarm(record=record, score=score, detector=batch.detector))
        return Noted()

    @every(0.2)
    async def report(self, ctx: Context) -> None:
        """Tells whoever watches how far it is."""
        await ctx.publish(
            Progress(
                records=sum(self.counts),
                alarms=self.alarms,
                repeats=self.repeats,
                conflicts=self.conflicts,
                elapsed_s=self.last_s - self.began_s,
                detectors=[DetectorCount(name=n, records=c) for n, c in zip(self.names, self.counts, strict=True)],
            )
        )

    @rpc(LedgerRequest, Ledger)
    async def show(self, request: LedgerRequest, ctx: Context) -> Ledger:
        """Shows what it has noted of some records."""
        if request.count > LONGEST_PAGE:
            raise Refused(f"{request.count} records are too many for one answer: ask for {LONGEST_PAGE} at most")
        page = slice(request.first, request.first + request.count)
        by = self.scored_by[page]
        scores = [score if who != NOBODY else -1.0 for score, who in zip(self.scores[page], by, strict=True)]
        return Ledger(names=self.names, scores=scores, detectors=by)

    @on_stop
    async def close(self, ctx: Context) -> None:
        """Logs the totals, for whoever runs the desk by hand."""
        ctx.log.info("ledger", records=sum(self.counts), alarms=self.alarms, repeats=self.repeats)

    @rpc(TallyRequest, Tally)
    async def tally(self, request: TallyRequest, ctx: Context) -> Tally:
        """Tells how many scores came, repeats included."""
        return Tally(role=ROLE_ALARM_DESK, records=sum(self.counts) + self.repeats, process=os.getpid())
