"""Starts the processes of a load test, and adds up what they tell."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from ..processes import Child, child
from .latency import Latencies
from .roles import PATIENCE_S
from .settings import Settings
from .verdict import GeneratorStrain, Limit, TargetStrain, judge

LEAD_S = 0.2
"""Seconds between the word to start and the start, for all processes to hear it."""
MARGIN_S = 60.0
"""Seconds that processes may live beyond the time of sending."""
ROLES = "bench.load.roles"
Progress = Callable[[int, int], None]
"""Told of messages sent and failed so far."""


@dataclass(slots=True)
class Result:
    """What a load test found.

    Attributes:
        due: messages that the schedule wanted sent; without a rate, that were sent.
        sent: handed to the bus.
        received: at the agents; `distinct` of them different.
        answered: requests answered, or durable events acknowledged by the stream.
        failures: messages that ended in an error, by its type.
        open: requests without any end when the test was over.
        dropped: messages that an agent's full mailbox gave up.
        since_due: latencies from when a message was due; `since_sent`: from when it was sent.
        sent_seconds, seconds: messages that arrived, by the second.
    """

    settings: Settings
    due: int = 0
    sent: int = 0
    received: int = 0
    distinct: int = 0
    answered: int = 0
    open: int = 0
    dropped: int = 0
    took_s: float = 0.0
    bytes: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])
    since_due: Latencies = field(default_factory=Latencies)
    since_sent: Latencies = field(default_factory=Latencies)
    seconds: Counter[int] = field(default_factory=Counter[int])
    generators: list[GeneratorStrain] = field(default_factory=list[GeneratorStrain])
    targets: list[TargetStrain] = field(default_factory=list[TargetStrain])

    @property
    def delivered(self) -> int:
        """Messages that came to a good end: answered, or heard by their agent."""
        return self.answered if self.settings.pattern == "request" else self.distinct

    @property
    def lost(self) -> int:
        """Messages without any end: neither heard, nor failed with an error at the sender."""
        if self.settings.pattern == "request":
            return self.open
        return max(0, self.sent - self.distinct - sum(self.failures.values()))

    @property
    def limit(self) -> Limit:
        """What held the test back."""
        return judge(self.settings, self.due, self.sent, self.generators, self.targets)

    def discrepancies(self) -> list[str]:
        """Totals that don't add up; empty when all do."""
        found: list[str] = []
        ended = self.answered + sum(self.failures.values()) + self.open
        if self.settings.pattern != "publish" and ended != self.sent:
            found.append(f"sent {self.sent}, but {ended} answered, failed or open")
        if self.settings.pattern != "request" and self.distinct > self.sent:
            found.append(f"sent {self.sent}, but {self.distinct} different ones were heard")
        if self.settings.pattern != "durable" and self.received != self.distinct:
            found.append(f"{self.received - self.distinct} live messages were heard twice")
        if self.settings.pattern == "request" and self.distinct < self.answered:
            found.append(f"{self.answered} were answered, but only {self.distinct} heard")
        return found

    def add_generated(self, told: dict[str, Any]) -> None:
        """What one generator tells."""
        self.due += told["due"]
        self.sent += told["sent"]
        self.answered += told["answered"]
        self.open += told["open"]
        self.took_s = max(self.took_s, told["took_s"])
        self.bytes = told["bytes"]
        self.failures.update(told["failures"])
        self._merge(told, timed=self.settings.pattern == "request")
        strain = {name: told[name] for name in ("processor", "loop_lag_s", "send_lag_s", "waited_s", "took_s")}
        self.generators.append(GeneratorStrain(**strain))

    def add_hosted(self, told: dict[str, Any]) -> None:
        """What one process of agents tells."""
        self.received += told["received"]
        self.distinct += told["distinct"]
        self.dropped += told["dropped"]
        self._merge(told, timed=self.settings.pattern != "request")
        self.targets.append(TargetStrain(told["processor"], told["loop_lag_s"]))

    def _merge(self, told: dict[str, Any], *, timed: bool) -> None:
        self.since_due.merge(told["since_due"])
        self.since_sent.merge(told["since_sent"])
        if timed:
            self.seconds.update({int(second): count for second, count in told["seconds"].items()})


async def conduct(settings: Settings, progress: Progress = lambda sent, failed: None) -> Result:
    """Runs a load test.

    Raises:
        ChildFailed: a process failed; with what it wrote.
        ValueError: the settings can't work.
    """
    settings.check()
    result = Result(settings)
    deadline_s = settings.duration_s + settings.stall_s + MARGIN_S
    async with AsyncExitStack() as stack:

        async def start(role: str, **options: Any) -> Child:
            told = {"settings": settings.options(), **options}
            return await stack.enter_async_context(child(f"{ROLES}:{role}", told, deadline_s=deadline_s))

        if settings.together:
            only = await start("both")
            await only.expect("ready")
            only.tell(start_s=time.monotonic() + LEAD_S)
            done = (await _finished([only], progress))[0]
            result.add_generated(done["generated"])
            result.add_hosted(done["hosted"])
            return result
        shares = [
            list(range(place, settings.agents, settings.processes))
            for place in range(min(settings.processes, settings.agents))
        ]
        hosts = [await start("host", places=share) for share in shares]
        for host in hosts:
            await host.expect("ready")
        generators = [await start("generate", place=place) for place in range(settings.processes)]
        for generator in generators:
            await generator.expect("ready")
        start_s = time.monotonic() + LEAD_S
        for each in (*hosts, *generators):
            each.tell(start_s=start_s)
        for done in await _finished(generators, progress):
            result.add_generated(done)
        if settings.pattern != "request":
            await _arrived(hosts, result.sent - sum(result.failures.values()))
        for place, host in enumerate(hosts):
            host.tell(finish="clear" if place == len(hosts) - 1 else "keep")
            result.add_hosted(await host.expect("done"))
    return result


async def _finished(generators: Sequence[Child], progress: Progress) -> list[dict[str, Any]]:
    """What the generators tell when they are done; their progress meanwhile is passed on."""
    far = [(0, 0)] * len(generators)

    async def follow(place: int, generator: Child) -> dict[str, Any]:
        while (heard := await generator.hear())["word"] == "progress":
            far[place] = (heard["sent"], heard["failed"])
            progress(sum(sent for sent, _ in far), sum(failed for _, failed in far))
        return heard

    return await asyncio.gather(*(follow(place, generator) for place, generator in enumerate(generators)))


async def _arrived(hosts: Sequence[Child], expected: int) -> None:
    """Returns when the agents have heard all, or nothing for `PATIENCE_S` seconds."""
    received, since = -1, time.monotonic()
    while received < expected and time.monotonic() - since < PATIENCE_S:
        for host in hosts:
            host.tell(count=True)
        total = sum([int((await host.expect("count"))["received"]) for host in hosts])
        if total != received:
            received, since = total, time.monotonic()
        await asyncio.sleep(0.05)
