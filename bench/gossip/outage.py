"""The broker dies for a while: nobody may be taken for dead, and all must be back soon."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from agentbus.testing.cluster import Cluster

from ..processes import Child, child
from .figure import Asked, Figure, Line

MEMBERS = 128
PROCESSES = 4
DOWN_S = 10.0
AFTER_S = 10.0
"""Seconds after all are back in which verdicts still count."""


async def measure(members: int, processes: int, down_s: float, after_s: float) -> dict[str, float]:
    """One outage. Returns ``deaths``, ``suspicions`` and ``back_s``."""
    each = members // processes
    async with Cluster(1) as cluster, AsyncExitStack() as stack:
        crowds: list[Child] = []
        for number in range(processes):
            options = {"url": cluster.url, "first": number * each, "count": each, "total": each * processes}
            crowds.append(await stack.enter_async_context(child("bench.gossip.roles:crowd", options, deadline_s=240.0)))
        await asyncio.gather(*(crowd.expect("ready") for crowd in crowds))
        await asyncio.sleep(3.0)
        cluster.kill(0)
        await asyncio.sleep(down_s)
        await cluster.restart(0)
        up_at = time.monotonic()
        for crowd in crowds:
            crowd.tell(at=up_at)
        backs = await asyncio.gather(*(crowd.expect("back") for crowd in crowds))
        await asyncio.sleep(after_s)
        for crowd in crowds:
            crowd.tell()
        counts = await asyncio.gather(*(crowd.expect("counted") for crowd in crowds))
        for crowd in crowds:
            crowd.tell()
        await asyncio.gather(*(crowd.expect("done") for crowd in crowds))
    return {
        "deaths": float(sum(count["deaths"] for count in counts)),
        "suspicions": float(sum(count["suspicions"] for count in counts)),
        "back_s": max(back["at"] for back in backs) - up_at,
    }


def run(asked: Asked) -> list[Line]:
    """One outage of a real nats-server."""
    members, processes = asked.count(MEMBERS, 8), asked.count(PROCESSES, 2)
    down_s = 3.0 if asked.quick else DOWN_S
    asked.told(f"{members} nodes in {processes} processes; the broker is killed for {down_s:g} s")
    found = asyncio.run(measure(members, processes, down_s, 2.0 if asked.quick else AFTER_S))
    nobody = "nobody publishes it"
    return [
        Line(title=f"death verdicts, broker killed for {down_s:g} s", value=found["deaths"], most=0, reference=nobody),
        Line(title="suspicions meanwhile", value=found["suspicions"]),
        Line(title="all back after", value=found["back_s"], unit="s", most=5.0, reference=f"{members} nodes"),
    ]


FIGURE = Figure(
    name="outage",
    title="The broker is killed",
    method=f"{MEMBERS} nodes in {PROCESSES} processes on one nats-server, killed for {DOWN_S:g} s. Back is a node that "
    "has a link, an answer from another to a ping sent since, and knows all others alive; counted from when the server "
    "answers.",
    real=True,
    run=run,
)
