"""A burst of jobs to a queue group, against the ideal."""

from __future__ import annotations

import asyncio

from ..frame import Comparison, Figure, Ground, Measures, Side
from ..processes import ChildFailed, child

OURS = "bench.sides.ours"
AGENTS = 4
"""In each of two processes."""
JOB_S = 0.01
PATIENCE_S = 20.0


async def ours(ground: Ground) -> Measures:
    """Two processes of four workers each, and one that publishes."""
    count = ground.count(800, 80)
    common = {"url": ground.url, "realm": ground.fresh("jobs")}
    async with (
        child(f"{OURS}:work", {**common, "agents": AGENTS}) as one,
        child(f"{OURS}:work", {**common, "agents": AGENTS}) as other,
        child(f"{OURS}:burst", {**common, "count": count}) as publisher,
    ):
        workers = (one, other)
        for waited in (*workers, publisher):
            await waited.expect("ready")
        publisher.tell(go=True)
        began = float((await publisher.expect("done"))["began_s"])
        done, last = 0, 0.0
        async with asyncio.timeout(PATIENCE_S):
            while done < count:
                await asyncio.sleep(0.02)
                for worker in workers:
                    worker.tell(count=True)
                counts = [await worker.expect("done so far") for worker in workers]
                done = sum(int(counted["count"]) for counted in counts)
                last = max(float(counted["last_s"]) for counted in counts)
        for worker in workers:
            worker.tell(stop=True)
            await worker.expect("done")
    if done > count:
        raise ChildFailed(f"{done} jobs were done where {count} were published")
    ideal = count * JOB_S / (2 * AGENTS)
    return {"took_s": last - began, "to_ideal": (last - began) / ideal}


FIGURE = Figure(
    name="jobs",
    title="A burst of 800 jobs of 10 ms to a queue group of 8",
    method=(
        "Four workers in each of two processes; published in one go with spread=True. From the first publish to the "
        "end of the last job, as a multiple of 800 * 10 ms / 8."
    ),
    sides=(Side("agentbus", ours),),
    comparisons=(
        Comparison(
            title="burst of 800 jobs, time to the ideal",
            measure="to_ideal",
            unit="x ideal",
            ours="agentbus",
            better="less",
            bar=1.5,
        ),
    ),
)
