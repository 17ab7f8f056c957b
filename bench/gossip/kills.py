"""Real processes, killed with SIGKILL: a spot check of what is simulated."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from statistics import median
from typing import Any

from agentbus.membership import local
from agentbus.testing.cluster import Cluster

from ..processes import Child, ChildFailed, child
from .figure import Asked, Figure, Line, quantile

NODES = 16
KILLS = 100
KNOWN_S = 20.0
"""The longest that a kill may stay unknown to somebody."""


class Crew:
    """The processes, what they say, and the one that is dead on purpose."""

    def __init__(self, url: str, nodes: int, stack: AsyncExitStack) -> None:
        self.url = url
        self.names = [f"n{number}" for number in range(nodes)]
        self.victim = ""
        self.false: list[str] = []
        self.known: dict[str, float] = {}
        self.children: dict[str, Child] = {}
        self.ready: dict[str, asyncio.Event] = {}
        self._all_know = asyncio.Event()
        self._stack = stack
        self._listeners: dict[str, asyncio.Task[None]] = {}

    async def start(self, name: str) -> None:
        """One more process."""
        options: dict[str, Any] = {"url": self.url, "name": name, "total": len(self.names)}
        started = await self._stack.enter_async_context(child("bench.gossip.roles:one", options, deadline_s=3_000.0))
        self.children[name] = started
        self.ready[name] = asyncio.Event()
        self._listeners[name] = asyncio.create_task(self._listen(name, started), name=f"listen to {name}")

    async def kill(self, name: str) -> tuple[float, float]:
        """Kills it. Returns the seconds until the first other knows, and until all others do."""
        self.victim, self.known = name, {}
        self._all_know.clear()
        at = time.monotonic()
        await self.children[name].kill()
        async with asyncio.timeout(KNOWN_S):
            await self._all_know.wait()
        return min(self.known.values()) - at, max(self.known.values()) - at

    async def end(self) -> None:
        """Kills them all."""
        for listener in self._listeners.values():
            listener.cancel()
        for running in self.children.values():
            await running.kill()

    async def _listen(self, name: str, speaker: Child) -> None:
        with suppress(ChildFailed):
            while True:
                heard = await speaker.hear()
                if heard["word"] == "ready":
                    self.ready[name].set()
                elif heard["node"] != self.victim:
                    self.false.append(f"{name}: {heard['node']}")
                else:
                    self.known.setdefault(name, heard["at"])
                    if len(self.known) == len(self.names) - 1:
                        self._all_know.set()


async def measure(nodes: int, kills: int, asked: Asked) -> tuple[list[float], list[float], int]:
    """Seconds to the first verdict and to the last, of each kill; and how many verdicts were wrong."""
    firsts: list[float] = []
    lasts: list[float] = []
    async with Cluster(1) as cluster, AsyncExitStack() as stack:
        crew = Crew(cluster.url, nodes, stack)
        try:
            for name in crew.names:
                await crew.start(name)
            async with asyncio.timeout(120.0):
                await asyncio.gather(*(ready.wait() for ready in crew.ready.values()))
            for number in range(kills):
                asked.told(f"kill {number + 1} of {kills}")
                name = crew.names[number % nodes]
                first, last = await crew.kill(name)
                firsts.append(first)
                lasts.append(last)
                await crew.start(name)
                async with asyncio.timeout(60.0):
                    await crew.ready[name].wait()
        finally:
            await crew.end()
    return firsts, lasts, len(crew.false)


def run(asked: Asked) -> list[Line]:
    """Kills one after the other, and starts each again."""
    nodes, kills = asked.count(NODES, 4), asked.count(KILLS, 2)
    firsts, lasts, false = asyncio.run(measure(nodes, kills, asked))
    apart = [last - first for first, last in zip(firsts, lasts, strict=True)]
    formula = local().expected_detection_s(nodes)
    return [
        Line(title="SIGKILLs", value=len(firsts), least=kills, reference=f"{nodes} processes"),
        Line(
            title="first verdict, median",
            value=median(firsts),
            unit="s",
            most=2.0,
            reference=f"{formula:.2f} s by formula",
        ),
        Line(title="first verdict, slowest", value=max(firsts), unit="s", most=4.0),
        Line(title="every node knows, after the first: median", value=median(apart), unit="s", most=0.5),
        Line(title="every node knows, after the first: p99", value=quantile(apart, 0.99), unit="s"),
        Line(title="verdicts on living nodes", value=false, most=0),
    ]


FIGURE = Figure(
    name="kills",
    title="Processes are killed",
    method=f"{NODES} processes with a node each, preset local(), on one nats-server; one is killed, and started again "
    "when all know it.",
    real=True,
    run=run,
)
