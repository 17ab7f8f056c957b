"""The sides of `bench.flood`: who answers, who asks now and then, and who floods."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from agentbus import Agent, AgentBusError, Context, Node, rpc
from agentbus.limits import Limits, Rate
from agentbus.messages import Frame, full_name
from agentbus.security import Guard
from agentbus.security.scores import Scorekeeper
from examples.bench.v1.bench_pb2 import Answer, Question

from ..child import Channel
from .signed import guard_of

WORK_S = 0.001
ALLOWED = Rate(per_s=200.0, burst=20)
CATCH_UP_S = 0.01
"""What a flooder that was kept from the processor makes up for, seconds: in the field nobody keeps it."""


class Desk(Agent):
    """Answers in a millisecond, four at once."""

    @rpc(Question, Answer, concurrency=4)
    async def answer(self, question: Question, ctx: Context) -> Answer:
        await asyncio.sleep(WORK_S)
        return Answer(number=question.number)


def guarded(node: str, signed: bool, *names: str) -> Guard | None:
    """The guard of an enrolled node, when frames are signed."""
    return guard_of("default", node, *names) if signed else None


async def host(channel: Channel, *, url: str, limited: bool, signed: bool) -> dict[str, Any]:
    """Answers until it is told to stop, and says what processor time it has used. With limits and signatures it keeps
    scores, too."""
    limits = Limits(per_sender=ALLOWED) if limited else Limits(fair=False)
    agents = [Desk(), Scorekeeper()] if limited and signed else [Desk()]
    guard = guarded("host", signed, "desk", "scorekeeper")
    async with Node(url, name="host", agents=agents, limits=limits, guard=guard) as node:
        channel.tell("ready")
        while (await channel.told(timeout_s=300.0)).get("used"):
            channel.tell("used", cpu_s=time.process_time())
        counters = node.statistics().agents["desk"].behaviors["answer"]
        return {
            "handled": counters.handled,
            "limited": counters.limited,
            "dropped": counters.dropped,
            "ignored": guard.counters.ignored if guard else 0,
        }


async def ask(channel: Channel, *, url: str, senders: int, per_s: float, signed: bool) -> dict[str, Any]:
    """For each ``seconds`` that it is told: `senders` nodes ask at an even pace, and it says how long each answer took
    from when it was due, or that none came within 2 s."""
    names = [f"honest-{number}" for number in range(senders)]
    nodes = [Node(url, name=name, guard=guarded(name, signed)) for name in names]
    for node in nodes:
        await node.start()
    channel.tell("ready")
    while (seconds := (await channel.told(timeout_s=300.0)).get("seconds")) is not None:
        lanes = (_pace(node, place / senders, per_s, seconds) for place, node in enumerate(nodes))
        took = [each for lane in await asyncio.gather(*lanes) for each in lane]
        channel.tell("asked", took_s=took)
    for node in nodes:
        await node.stop()
    return {}


async def _pace(node: Node, offset: float, per_s: float, seconds: float) -> list[float]:
    began = time.monotonic() + offset / per_s
    return await asyncio.gather(*(_one(node, began + number / per_s, number) for number in range(int(seconds * per_s))))


async def _one(node: Node, due: float, number: int) -> float:
    await asyncio.sleep(due - time.monotonic())
    try:
        await node.request(Question(number=number), Answer, to="desk", timeout_s=2.0)
    except AgentBusError:
        return float("inf")
    return time.monotonic() - due


async def flood(channel: Channel, *, url: str, per_s: float, signed: bool) -> dict[str, Any]:
    """For each ``seconds`` that it is told: sends requests of one a frame at that rate, and waits for no answer. It
    leaves the processor to the others: in the field it has one of its own."""
    os.nice(19)
    async with Node(url, name="flooder", guard=guarded("flooder", signed)) as node:
        bus = node.bus
        subject = bus.subjects.agent("desk", full_name(Question))
        payload = Question(number=1).SerializeToString()
        channel.tell("ready")
        sent = 0
        while (seconds := (await channel.told(timeout_s=300.0)).get("seconds")) is not None:
            began = last = time.monotonic()
            count, due = 0, 0.0
            while (now := time.monotonic()) - began < seconds:
                due = min(due + (now - last) * per_s, CATCH_UP_S * per_s)
                last = now
                while due >= 1.0:
                    first = bus.take_numbers(1)
                    frame = Frame(full_name(Question), "flooder", bus.epoch, 0, first, 0, [payload], [2000], [], [])
                    reply = f"{bus.inbox}_{first}_1"
                    bus.transport.send(subject, bus.seal(subject, frame, reply), reply)
                    count += 1
                    due -= 1.0
                await asyncio.sleep(0.001)
            sent += count
            channel.tell("flooded", count=count, took_s=time.monotonic() - began)
    return {"sent": sent}
