"""agentbus: typed messages to agents."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from statistics import median
from typing import Any

from agentbus import Agent, AgentBusError, Busy, Context, Node, on, rpc
from examples.bench.v1.bench_pb2 import Answer, Question, Sample, Work

from ..child import Channel
from .counting import Tally, at_once, one_at_a_time
from .memory_use import resident_bytes
from .samples import SAMPLE_BYTES, octets, sample_fields

JOB_S = 0.01
WAITING = 524_288
"""Messages that may wait: as many as nats-py lets wait, of which there are more than are sent."""


class Hearer(Agent):
    """Counts events."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    @on(Sample, mailbox=WAITING)
    async def hear(self, sample: Sample, ctx: Context) -> None:
        if sample.room:
            self.tally.add()


class Keeper(Agent):
    """Counts durable events."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    @on(Sample, durable="bench")
    async def hear(self, sample: Sample, ctx: Context) -> None:
        if sample.room:
            self.tally.add()


class Echo(Agent):
    """Answers with what came."""

    @rpc(Question, Answer)
    async def echo(self, question: Question, ctx: Context) -> Answer:
        return Answer(number=question.number, body=question.body)


class Worker(Agent):
    """Shares jobs of ten milliseconds with the others of its group."""

    def __init__(self, done: list[float]) -> None:
        self.done = done

    @on(Work, queue="workers")
    async def work(self, job: Work, ctx: Context) -> None:
        await asyncio.sleep(JOB_S)
        self.done.append(time.monotonic())


class Idle(Agent):
    """One event, one request."""

    @on(Sample)
    async def hear(self, sample: Sample, ctx: Context) -> None: ...

    @rpc(Question, Answer)
    async def answer(self, question: Question, ctx: Context) -> Answer:
        return Answer()


class Busybody(Agent):
    """Has events to handle and requests to answer, a millisecond each."""

    @on(Sample)
    async def hear(self, sample: Sample, ctx: Context) -> None:
        await asyncio.sleep(0.001)

    @rpc(Question, Answer, concurrency=8)
    async def answer(self, question: Question, ctx: Context) -> Answer:
        await asyncio.sleep(0.001)
        return Answer(number=question.number)


async def hear_events(channel: Channel, *, url: str, realm: str, count: int) -> dict[str, Any]:
    """Receives events in an `@on` coroutine."""
    tally = Tally(count)
    async with Node(url, realm=realm, agents=[Hearer(tally)]) as node:
        channel.tell("ready")
        result = await tally.result()
        counters = node.statistics().agents["hearer"]
        return {**result, "statistics": repr(counters)}


async def publish_events(channel: Channel, *, url: str, realm: str, count: int, built: bool = False) -> dict[str, Any]:
    """Publishes a `Sample` in a loop; `built`: a fresh one each time."""
    fields = sample_fields()
    message = Sample(**fields)
    assert message.ByteSize() == SAMPLE_BYTES, f"the sample has {message.ByteSize()} bytes"
    async with Node(url, realm=realm) as node:
        channel.tell("ready")
        await channel.told()
        began = time.monotonic()
        if built:
            for number in range(count):
                fields["number"] = 100_000 + number % 100_000
                await node.publish(Sample(**fields))
        else:
            for _ in range(count):
                await node.publish(message)
        took = time.monotonic() - began
    return {"began_s": began, "took_s": took}


async def answer_requests(channel: Channel, *, url: str, realm: str) -> dict[str, Any]:
    """Answers each request with what came."""
    async with Node(url, realm=realm, agents=[Echo()]):
        channel.tell("ready")
        await channel.told()
    return {}


async def ask(
    channel: Channel, *, url: str, realm: str, count: int, width: int, size: int, to: str | None, alone: bool = False
) -> dict[str, Any]:
    """Asks `count` times, `width` at once. `alone`: the agent that answers is on the same node, in this process."""
    question = Question(number=123456, body=octets(size - 6))
    assert question.ByteSize() == size, f"the question has {question.ByteSize()} bytes"
    async with Node(url, realm=realm, agents=[Echo()] if alone else []) as node:

        async def request() -> None:
            await node.request(question, Answer, to=to)

        await at_once(request, max(64, count // 10), width)
        channel.tell("ready")
        await channel.told()
        if width == 1:
            took = await one_at_a_time(request, count)
            return {"p50_us": median(took) * 1e6, "rate": count / sum(took)}
        return {"rate": count / await at_once(request, count, width)}


async def store_events(channel: Channel, *, url: str, realm: str, count: int, width: int) -> dict[str, Any]:
    """Publishes durable events, `width` at once."""
    message = Sample(**sample_fields())
    async with Node(url, realm=realm) as node:
        channel.tell("ready")
        await channel.told()
        began = time.monotonic()
        await at_once(lambda: node.publish(message, durable=True), count, width)
        return {"began_s": began, "took_s": time.monotonic() - began}


async def hear_stored(channel: Channel, *, url: str, realm: str, count: int) -> dict[str, Any]:
    """Handles durable events in an `@on` coroutine, with every default; counts what the stream takes for unsettled."""
    from .raw_nats import unsettled

    tally = Tally(count)
    node = Node(url, realm=realm, agents=[Keeper(tally)])
    async with node:
        channel.tell("ready")
        result = await tally.result()
    return {**result, "unsettled": await unsettled(url, [node.streams.log, node.streams.dead])}


async def host_many(channel: Channel, *, url: str, realm: str, count: int) -> dict[str, Any]:
    """Starts a node of `count` agents."""
    before = resident_bytes()
    began = time.perf_counter()
    async with Node(url, realm=realm, agents={f"idle-{place}": Idle() for place in range(count)}):
        took = time.perf_counter() - began
        grown = resident_bytes() - before
    return {"took_s": took, "each_kib": grown / count / 1024}


async def work(channel: Channel, *, url: str, realm: str, agents: int) -> dict[str, Any]:
    """Hosts workers until told to stop; says how many jobs are done, and when the last was, when asked."""
    done: list[float] = []
    async with Node(url, realm=realm, agents={f"worker-{place}": Worker(done) for place in range(agents)}):
        channel.tell("ready")
        while True:
            told = await channel.told()
            if told.get("stop"):
                return {}
            channel.tell("done so far", count=len(done), last_s=done[-1] if done else 0.0)


async def burst(channel: Channel, *, url: str, realm: str, count: int) -> dict[str, Any]:
    """Publishes jobs as fast as it can, each in a frame of its own."""
    async with Node(url, realm=realm) as node:
        channel.tell("ready")
        await channel.told()
        began = time.monotonic()
        for number in range(count):
            await node.publish(Work(number=number), spread=True)
        return {"began_s": began}


async def serve_until_terminated(channel: Channel, *, url: str, realm: str) -> dict[str, Any]:
    """Runs an agent until SIGTERM."""
    async with Node(url, realm=realm, agents=[Busybody()]) as node:
        channel.tell("ready")
        await node.run()
        return {"stopped_s": time.monotonic()}


async def press(channel: Channel, *, url: str, realm: str, rate: float, width: int) -> dict[str, Any]:
    """Sends events at a rate and requests `width` at once, until told to stop; counts how requests ended."""
    ends: dict[str, int] = {}
    stop = asyncio.Event()

    async def ask_on(node: Node) -> None:
        while not stop.is_set():
            try:
                await node.request(Question(number=1), Answer, to="busybody", timeout_s=5.0)
                end = "answered"
            except Busy:
                end = "busy"
            except AgentBusError as error:
                end = type(error).__name__
                await asyncio.sleep(0.005)
            ends[end] = ends.get(end, 0) + 1

    async def send_on(node: Node) -> None:
        message = Sample(**sample_fields())
        while not stop.is_set():
            for _ in range(max(1, int(rate / 100))):
                await node.publish(message)
            await asyncio.sleep(0.01)

    async with Node(url, realm=realm) as node:
        tasks = [asyncio.create_task(ask_on(node), name=f"ask-{place}") for place in range(width)]
        tasks.append(asyncio.create_task(send_on(node), name="send"))
        channel.tell("ready")
        await channel.told()
        stop.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(6.0):
                await asyncio.gather(*tasks)
    return {"ends": ends}
