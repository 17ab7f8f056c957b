"""A generator: one node that sends to the agents in turn, and counts what became of each message."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from agentbus import AgentBusError, Node
from examples.bench.v1.bench_pb2 import Load, LoadAnswer

from .latency import Latencies, Seconds
from .schedule import SendDue, as_fast_as_possible, by_schedule
from .settings import Settings, agent_name
from .strain import Strain

WIDTH = 64
"""Requests or durable events under way at once when there is no rate."""
WAITED_S = 0.001
"""A publish that took longer than that has waited for the wire."""


class Generator:
    """Sends its share of the load.

    Args:
        settings: of the test.
        place: this generator's number; it also begins with the agent of that number.

    Attributes:
        sent: messages handed to the bus so far.
        failures: by the error's type.
        waited_s: seconds during which the schedule waited for the wire, or for the limit of `in_flight`.
    """

    def __init__(self, settings: Settings, place: int) -> None:
        self.settings = settings
        self.sent = 0
        self.answered = 0
        self.failures: Counter[str] = Counter()
        self.waited_s = 0.0
        self._place = place
        self._names = [agent_name((place + step) % settings.agents) for step in range(settings.agents)]
        self._body = b"x" * max(0, settings.payload - _bare_bytes())
        self._since_due = Latencies()
        self._since_sent = Latencies()
        self._lags = Latencies()
        self._seconds = Seconds()
        self._under_way: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(settings.in_flight)
        self._node: Node | None = None

    async def run(self, node: Node, start_s: float) -> dict[str, Any]:
        """Sends from `start_s` of the monotonic clock on; what came of it."""
        self._node = node
        settings = self.settings
        rate = settings.rate / settings.processes
        act: Callable[[Load, str], Coroutine[Any, Any, None]] = getattr(self, f"_{settings.pattern}")
        async with Strain() as strain:
            if rate:
                send = self._events(act) if settings.pattern == "publish" else self._spawned(act)
                due, _ = await by_schedule(send, rate=rate, start_s=start_s, duration_s=settings.duration_s)
            else:
                width = 1 if settings.pattern == "publish" else min(WIDTH, settings.in_flight)
                send = self._events(act)
                due = await as_fast_as_possible(send, width=width, start_s=start_s, duration_s=settings.duration_s)
            processor, lag_s = strain.processor(), strain.lag_s()
            took_s = time.monotonic() - start_s
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=10.0)
        return {
            "due": due,
            "sent": self.sent,
            "answered": self.answered,
            "open": len(self._under_way),
            "failures": dict(self.failures),
            "took_s": took_s,
            "waited_s": self.waited_s,
            "processor": processor,
            "loop_lag_s": lag_s,
            "send_lag_s": self._lags.at(99.0),
            "bytes": len(self._message(100_000, 1.0).SerializeToString()),
            "since_due": self._since_due.encoded(),
            "since_sent": self._since_sent.encoded(),
            "seconds": self._seconds.told(),
        }

    # -- the schedule's side ---------------------------------------------------------------------------------------

    def _events(self, act: Callable[[Load, str], Coroutine[Any, Any, None]]) -> SendDue:
        """Sends in the schedule's own course."""

        async def send(number: int, due_s: float) -> None:
            load = self._due(number, due_s)
            await act(load, self._names[number % len(self._names)])

        return send

    def _spawned(self, act: Callable[[Load, str], Coroutine[Any, Any, None]]) -> SendDue:
        """Sends in a task each, so that a slow answer doesn't hold the schedule up, `in_flight` at most."""

        async def one(load: Load, to: str) -> None:
            try:
                await act(load, to)
            finally:
                self._room.release()

        async def send(number: int, due_s: float) -> None:
            if self._room.locked():
                began = time.monotonic()
                await self._room.acquire()
                self.waited_s += time.monotonic() - began
            else:
                await self._room.acquire()
            to = self._names[number % len(self._names)]
            task = asyncio.create_task(one(self._due(number, due_s), to), name="load")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

        return send

    def _due(self, number: int, due_s: float) -> Load:
        """The message, made when it is sent."""
        if self.settings.generator_work_s:
            _work(self.settings.generator_work_s)
        load = self._message(number, due_s)
        self._lags.add(load.sent_s - due_s)
        self.sent += 1
        return load

    def _message(self, number: int, due_s: float) -> Load:
        return Load(generator=self._place, number=number, due_s=due_s, sent_s=time.monotonic(), body=self._body)

    # -- what is sent ----------------------------------------------------------------------------------------------

    async def _publish(self, load: Load, to: str) -> None:
        assert self._node is not None
        try:
            await self._node.publish(load, topic=to)
        except AgentBusError as error:
            self.failures[type(error).__name__] += 1
        took = time.monotonic() - load.sent_s
        if took > WAITED_S:
            self.waited_s += took

    async def _durable(self, load: Load, to: str) -> None:
        assert self._node is not None
        try:
            await self._node.publish(load, topic=to, durable=True)
            self.answered += 1
        except AgentBusError as error:
            self.failures[type(error).__name__] += 1

    async def _request(self, load: Load, to: str) -> None:
        assert self._node is not None
        try:
            await self._node.request(load, LoadAnswer, to=to)
        except AgentBusError as error:
            self.failures[type(error).__name__] += 1
            return
        now = time.monotonic()
        self.answered += 1
        self._since_due.add(now - load.due_s)
        self._since_sent.add(now - load.sent_s)
        self._seconds.add(now - load.sent_s + load.due_s - self._first_due(load), 1)

    def _first_due(self, load: Load) -> float:
        """When message 0 was due: the start."""
        rate = self.settings.rate / self.settings.processes
        return load.due_s - load.number / rate if rate else load.due_s


def _work(seconds: float) -> None:
    """Uses the processor for that long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def _bare_bytes() -> int:
    """What a message without a body takes, about."""
    return Load(generator=1, number=100_000, due_s=1.0, sent_s=1.0, body=b"x" * 100).ByteSize() - 100
