"""Agents that the simulation's tests share."""

from __future__ import annotations

import asyncio

from agentbus import Agent, Context, every, on, rpc
from examples.climate.v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest


class Thermostat(Agent):
    """Keeps a room at its target."""

    def __init__(self, target: float) -> None:
        self.target = target

    @on(Reading, topic="hall.*")
    async def regulate(self, reading: Reading, ctx: Context) -> None:
        if reading.celsius > self.target + 5:
            await ctx.publish(Alarm(room=reading.room), topic=reading.room)

    @rpc(TargetRequest, TargetReply)
    async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        return TargetReply(celsius=self.target)

    @every(30.0)
    async def report(self, ctx: Context) -> None: ...


class Sensor(Agent):
    """Measures each second or so, at random."""

    @every(1.0, jitter=0.2)
    async def measure(self, ctx: Context) -> None:
        await ctx.publish(Reading(room="north", celsius=ctx.rng.uniform(20.0, 30.0)), topic="hall.north")


class Slow(Agent):
    """Answers after a time; writes down when it was cancelled."""

    def __init__(self, takes_s: float, ended: list[tuple[str, float]]) -> None:
        self.takes_s = takes_s
        self.ended = ended

    @rpc(TargetRequest, TargetReply)
    async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        try:
            await asyncio.sleep(self.takes_s)
        except asyncio.CancelledError:
            self.ended.append(("cancelled", ctx.now()))
            raise
        self.ended.append(("answered", ctx.now()))
        return TargetReply(celsius=1.0)


class Biller(Agent):
    """Handles each alarm once it is stored, for 0.2 s; `done` is what it has finished, by room, and survives it."""

    def __init__(self, done: list[tuple[str, str]], begun: list[str] | None = None, takes_s: float = 0.2) -> None:
        self.done = done
        self.begun = begun
        self.takes_s = takes_s

    @on(Alarm, durable="billing", ack_wait_s=5.0)
    async def bill(self, alarm: Alarm, ctx: Context) -> None:
        if self.begun is not None:
            self.begun.append(ctx.node)
        await asyncio.sleep(self.takes_s)
        self.done.append((alarm.room, ctx.node))


class CarelessBiller(Agent):
    """The same, but broken: it returns, and so acknowledges, before the work is done."""

    def __init__(self, done: list[tuple[str, str]]) -> None:
        self.done = done
        self.working: set[asyncio.Task[None]] = set()

    @on(Alarm, durable="billing", ack_wait_s=5.0)
    async def bill(self, alarm: Alarm, ctx: Context) -> None:
        task = asyncio.create_task(self._bill(alarm.room, ctx))
        self.working.add(task)
        task.add_done_callback(self.working.discard)

    async def _bill(self, room: str, ctx: Context) -> None:
        await asyncio.sleep(0.2)
        self.done.append((room, ctx.node))
