"""Draining on SIGTERM, under load."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time

from ..frame import Comparison, Figure, Ground, Measures, Side
from ..processes import child

OURS = "bench.sides.ours"
LOADED_S = 1.0
"""Seconds under load before the signal."""


async def ours(ground: Ground) -> Measures:
    """An agent with events and requests to handle, and a process that presses it."""
    common = {"url": ground.url, "realm": ground.fresh("drain")}
    async with (
        child(f"{OURS}:serve_until_terminated", common) as served,
        child(f"{OURS}:press", {**common, "rate": 2_000.0, "width": 64}) as presser,
    ):
        await served.expect("ready")
        await presser.expect("ready")
        await asyncio.sleep(ground.count(100, 50) / 100 * LOADED_S)
        began = time.monotonic()
        os.kill(served.pid, signal.SIGTERM)
        await served.expect("done")
        await served.ended(timeout_s=10.0)
        took = time.monotonic() - began
        presser.tell(stop=True)
        ends = dict[str, int]((await presser.expect("done"))["ends"])
    unanswered = ends.pop("DeadlineExceeded", 0)
    if not ends.get("answered"):
        raise RuntimeError(f"no request was answered: {json.dumps(ends)}")
    return {"took_s": took, "lost": float(unanswered), **{f"requests {end}": float(n) for end, n in ends.items()}}


FIGURE = Figure(
    name="drain",
    title="Draining on SIGTERM, under load",
    method=(
        "2,000 events a second of 1 ms each and 64 requests at once of 1 ms each, for 1 s; then SIGTERM. From the "
        "signal to the end of the process. A request that ends in DeadlineExceeded, neither answered nor refused, "
        "counts as lost."
    ),
    sides=(Side("agentbus", ours),),
    comparisons=(
        Comparison(
            title="from SIGTERM to the end of the process",
            measure="took_s",
            unit="s",
            ours="agentbus",
            better="less",
            bar=1.0,
        ),
    ),
)
