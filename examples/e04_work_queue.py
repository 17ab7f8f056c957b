"""A work queue: several workers share the jobs, and each job goes to one of them.

``@on(Job, queue="workers")`` makes the listeners of that name one group: the broker hands each message to one member,
wherever it runs. Add workers by starting more. A burst of events travels together, and a group gets what travels
together as one; ``spread=True`` sends each job on its own, so that all members get their share of the burst.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from agentbus import Agent, Context, Node, on

from .starting import start
from .work.v1.work_pb2 import Job, Result

JOBS = 60


class Worker(Agent):
    """Squares numbers, slowly."""

    @on(Job, queue="workers")
    async def work(self, job: Job, ctx: Context) -> None:
        """Does one job, and tells whoever wants to know."""
        await asyncio.sleep(0.005)  # an agent that waits leaves the others running
        await ctx.publish(Result(number=job.number, value=job.number**2, worker=ctx.me))


class Boss(Agent):
    """Counts what has been done."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.done = asyncio.Event()

    @on(Result)
    async def note(self, result: Result, ctx: Context) -> None:
        """Notes a result; with the last one the work is done."""
        self.results.append(result)
        if len(self.results) == JOBS:
            self.done.set()


async def main(url: str | None) -> None:
    """A boss on one node, two workers on each of two others."""
    boss = Boss()
    workers = [{f"worker-{n}": Worker() for n in pair} for pair in ((1, 2), (3, 4))]
    async with (
        Node(url, realm="e04", agents=workers[0]),
        Node(url, realm="e04", agents=workers[1]),
        Node(url, realm="e04", agents=[boss]) as node,
    ):
        for number in range(JOBS):
            await node.publish(Job(number=number), spread=True)
        async with asyncio.timeout(10.0):
            await boss.done.wait()
    for worker, count in sorted(Counter(result.worker for result in boss.results).items()):
        print(f"{worker} did {count} jobs")
    numbers = {result.number for result in boss.results}
    right = all(result.value == result.number**2 for result in boss.results)
    print(f"{len(boss.results)} results for {len(numbers)} jobs, all right: {right}")


if __name__ == "__main__":
    start(main)
