"""The agents that hear, and what their process counts."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from agentbus import Agent, Context, Node, StreamLimits, on, rpc
from agentbus.transport import Headers, Transport
from agentbus.transports import open_transport
from examples.bench.v1.bench_pb2 import Load, LoadAnswer

from .latency import Latencies, Seconds
from .settings import Settings, agent_name

LIMITS = StreamLimits(max_age_s=3600.0)
"""Of the streams of durable events, should deleting them at the end fail."""


@dataclass(slots=True)
class Heard:
    """What one process's agents have heard.

    Attributes:
        since_due, since_sent: latencies of events.
        received: messages; `distinct` of them different.
    """

    since_due: Latencies = field(default_factory=Latencies)
    since_sent: Latencies = field(default_factory=Latencies)
    received: int = 0
    distinct: int = 0
    seen: dict[int, bytearray] = field(default_factory=dict[int, bytearray])

    def note(self, load: Load) -> None:
        """One message has come."""
        self.received += 1
        number = load.number
        seen = self.seen.setdefault(load.generator, bytearray())
        if number >= len(seen):
            seen.extend(bytes(max(number + 1 - len(seen), 65536)))
        if not seen[number]:
            seen[number] = 1
            self.distinct += 1

    def event(self, load: Load) -> None:
        """One event has come."""
        now = time.monotonic()
        self.since_due.add(now - load.due_s)
        self.since_sent.add(now - load.sent_s)
        self.note(load)


def target(settings: Settings, place: int, heard: Heard) -> Agent:
    """The agent of that number."""
    name = agent_name(place)

    class Hearer(Agent):
        @on(Load, topic=name)
        async def hear(self, load: Load, ctx: Context) -> None:
            heard.event(load)

    class Keeper(Agent):
        @on(Load, topic=name, durable=name)
        async def keep(self, load: Load, ctx: Context) -> None:
            heard.event(load)

    class Answerer(Agent):
        @rpc(Load, LoadAnswer)
        async def answer(self, load: Load, ctx: Context) -> LoadAnswer:
            heard.note(load)
            return LoadAnswer(number=load.number, body=load.body)

    return {"publish": Hearer, "durable": Keeper, "request": Answerer}[settings.pattern]()


class Targets:
    """One process's share of the agents.

    Args:
        settings: of the test.
        places: the agents' numbers.
    """

    def __init__(self, settings: Settings, places: Iterable[int]) -> None:
        self.heard = Heard()
        self.seconds = Seconds()
        self._settings = settings
        self._transport: Transport = open_transport(settings.url, name="load-targets")
        agents = {agent_name(place): target(settings, place, self.heard) for place in places}
        self.node = Node(transport=self._transport, realm=settings.realm, agents=agents, durable=LIMITS)
        self._ticker: asyncio.Task[None] | None = None
        self._counted = 0
        self._last_s = 0.0

    def begin(self, start_s: float) -> None:
        """Counts by the second from then on; stands still when it is asked to."""
        self._ticker = asyncio.create_task(self._tick(start_s), name="targets: seconds")
        if self._settings.stall_s:
            loop = asyncio.get_running_loop()
            loop.call_later(start_s + self._settings.stall_at_s - time.monotonic(), self._stall)

    def _stall(self) -> None:
        time.sleep(self._settings.stall_s)

    async def _tick(self, start_s: float) -> None:
        while True:
            await asyncio.sleep(0.1)
            self._count(time.monotonic() - start_s)

    def _count(self, since_start_s: float) -> None:
        self._last_s = since_start_s
        self.seconds.add(since_start_s, self.heard.received - self._counted)
        self._counted = self.heard.received

    async def finish(self) -> dict[str, Any]:
        """What was heard, when nothing more is expected."""
        if self._ticker is not None:
            self._ticker.cancel()
            self._count(self._last_s)
        statistics = self.node.statistics().agents.values()
        return {
            "received": self.heard.received,
            "distinct": self.heard.distinct,
            "dropped": sum(counts.dropped for agent in statistics for counts in agent.behaviors.values()),
            "since_due": self.heard.since_due.encoded(),
            "since_sent": self.heard.since_sent.encoded(),
            "seconds": self.seconds.told(),
        }

    async def clear(self) -> None:
        """Deletes the test's streams from the server."""
        if self._settings.pattern != "durable" or self._settings.together:
            return
        for name in list(self.node.cells):  # who still consumes would miss the stream, and make it again
            await self.node.remove(name)
        for stream in (self.node.streams.log, self.node.streams.dead):
            answered = asyncio.Event()

            def done(
                subject: str, body: bytes, reply: str, headers: Headers | None, answered: asyncio.Event = answered
            ) -> None:
                answered.set()

            inbox = f"_INBOX.load.{secrets.token_hex(8)}"
            subscription = self._transport.subscribe(inbox, done)
            self._transport.send(f"$JS.API.STREAM.DELETE.{stream}", b"", inbox)
            async with asyncio.timeout(5.0):
                await answered.wait()
            subscription.unsubscribe()
