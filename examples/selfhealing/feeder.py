"""The feeder: stores the batches in the job's input stream, at the pace that was asked for."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from agentbus import AgentBusError
from agentbus.sharding.journal import Journal

from .answer import Batch, PlainLoop
from .plan import Plan

AGAIN_S = 0.2
"""Seconds until a batch that was not stored is stored again, under the same id: it is never stored twice."""


class Feeder:
    """Deals batches until it is told that there are no more faults, and all records have been dealt once.

    Args:
        plan: the pace.
        plain: deals.
        journal: the job's streams.

    Attributes:
        inputs: for each shard, the stream number of each batch.
        last: set when no more faults are to come.
    """

    def __init__(self, plan: Plan, plain: PlainLoop, journal: Journal) -> None:
        self._plan = plan
        self._plain = plain
        self._journal = journal
        self.inputs: list[list[int]] = [[] for _ in range(plan.shards)]
        self.last = asyncio.Event()

    @property
    def stored(self) -> int:
        """Batches that are in the stream."""
        return sum(len(shard) for shard in self.inputs)

    async def run(self) -> None:
        """Until all is dealt."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while not (self.last.is_set() and self._plain.passes):
            batch = self._plain.deal()
            await self._store(batch)
            due_s += batch.records / (self._plan.rush if self.last.is_set() else self._plan.pace)
            due_s = max(due_s, loop.time() - 1.0)  # what a dead broker has held up is not all made up for at once
            await asyncio.sleep(due_s - loop.time())

    async def _store(self, batch: Batch) -> None:
        while True:
            with suppress(AgentBusError):
                number = await self._journal.put(
                    batch.shard, batch.body, message_id=f"{self._plan.seed}/{batch.shard}/{batch.index}"
                )
                self.inputs[batch.shard].append(number)
                return
            await asyncio.sleep(AGAIN_S)
