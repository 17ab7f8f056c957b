"""The programs of the public API, on every wire, with nothing changed but the URL."""

from __future__ import annotations

import asyncio

import pytest

from agentbus import Agent, Context, Node, NoResponders, Refused, TooFewReplies, every, on, on_start, rpc
from examples.climate.v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest
from tests.waiting import until


class Thermostat(Agent):
    """Keeps a room at its target."""

    def __init__(self, target: float) -> None:
        self.target = target
        self.started = False
        self.ticks = 0

    @on_start
    async def greet(self, ctx: Context) -> None:
        ctx.log.info("up", target=self.target)
        self.started = True

    @on(Reading, topic="hall.*")
    async def regulate(self, reading: Reading, ctx: Context) -> None:
        if reading.celsius > self.target + 5:
            await ctx.publish(Alarm(room=reading.room), topic=reading.room)

    @rpc(TargetRequest, TargetReply)
    async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        assert self.started
        return TargetReply(celsius=self.target)

    @every(30.0, immediately=True)
    async def report(self, ctx: Context) -> None:
        self.ticks += 1


class Ear(Agent):
    def __init__(self) -> None:
        self.alarms: list[str] = []
        self.durable: list[str] = []
        self.mine: list[str] = []

    @on(Alarm)
    async def alarm(self, alarm: Alarm, ctx: Context) -> None:
        self.alarms.append(f"{alarm.room} by {ctx.sender} on {ctx.topic!r}")

    @on(Alarm, durable="billing")
    async def bill(self, alarm: Alarm, ctx: Context) -> None:
        assert ctx.delivery is not None
        self.durable.append(f"{alarm.room} #{ctx.delivery.sequence} attempt {ctx.delivery.attempt}")

    @on(Reading, topic="nowhere")
    async def directed(self, reading: Reading, ctx: Context) -> None:
        self.mine.append(reading.room)


class Chain(Agent):
    """Asks the hall on behalf of whoever asks it, and refuses strangers."""

    @rpc(Reading, TargetReply)
    async def relay(self, reading: Reading, ctx: Context) -> TargetReply:
        if reading.room == "cellar":
            raise Refused("not there")
        assert ctx.deadline_s is not None
        assert 0 < ctx.deadline_s <= 2.0
        return await ctx.request(Thermostat.tell_target, TargetRequest(), to="hall")


async def test_the_api_by_example(any_url: str) -> None:
    ear = Ear()
    async with Node(any_url, realm="city", name="node-1") as node, Node(any_url, realm="city", agents=[ear]) as other:
        hall = Thermostat(21.0)
        await node.add(hall, name="hall")
        await node.add(Thermostat(19.0), name="attic")
        await node.add(Chain())

        assert (await other.request(TargetRequest(), TargetReply, to="hall", timeout_s=2.0)).celsius == 21.0
        assert (await other.request(Thermostat.tell_target, TargetRequest(), to="attic")).celsius == 19.0
        assert (await other.request(TargetRequest(), TargetReply)).celsius in (19.0, 21.0)
        assert (await other.request(Reading(), TargetReply, to="chain", timeout_s=2.0)).celsius == 21.0
        with pytest.raises(Refused, match="not there"):
            await other.request(Reading(room="cellar"), TargetReply, to="chain")
        with pytest.raises(NoResponders, match="cellar"):
            await other.request(TargetRequest(), TargetReply, to="cellar")

        replies = await other.gather(TargetRequest(), TargetReply, timeout_s=0.5, at_least=2, at_most=2)
        assert sorted((reply.sender, reply.message.celsius) for reply in replies) == [("attic", 19.0), ("hall", 21.0)]
        with pytest.raises(TooFewReplies) as few:
            await other.gather(TargetRequest(), TargetReply, timeout_s=0.2, at_least=3)
        assert len(few.value.replies) == 2

        await other.publish(Reading(room="north", celsius=30.0), topic="hall.north")
        await other.publish(Reading(room="south", celsius=30.0), topic="cellar.south")
        await until(lambda: ear.alarms)
        assert sorted(ear.alarms) == ["north by attic on 'north'", "north by hall on 'north'"][: len(ear.alarms)]
        await node.port.bus.transport.flush()
        await until(lambda: len(ear.alarms) == 2)

        await node.send(Reading(room="here"), to="ear")
        await until(lambda: ear.mine == ["here"])

        stored = await node.publish(Alarm(room="cellar"), durable=True)
        assert stored is not None
        assert stored.sequence == 1
        await until(lambda: ear.durable == ["cellar #1 attempt 1"])
        assert len(ear.alarms) == 2, "live behaviors do not hear durable events"
        assert hall.ticks == 1


async def test_a_realm_is_a_network_of_its_own(any_url: str) -> None:
    async with (
        Node(any_url, realm="city", agents={"hall": Thermostat(21.0)}),
        Node(any_url, realm="village") as stranger,
    ):
        with pytest.raises(NoResponders):
            await stranger.request(TargetRequest(), TargetReply, to="hall")


async def test_a_durable_consumer_goes_on_where_it_was(any_url: str) -> None:
    async with Node(any_url, name="publisher") as publisher:
        first = Ear()
        async with Node(any_url, name="first", agents=[first]):
            await publisher.publish(Alarm(room="one"), durable=True)
            await until(lambda: len(first.durable) == 1)
        await publisher.publish(Alarm(room="two"), durable=True)
        second = Ear()
        async with Node(any_url, name="second", agents=[second]):
            await until(lambda: len(second.durable) == 1)
            await asyncio.sleep(0)
        assert second.durable == ["two #2 attempt 1"]
