"""What an agent's code raises outside `Exception`, and cancellations of its own making, are failures like others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agentbus import Agent, Context, Node, Supervision, every, on, on_start, on_stop, rpc
from agentbus.errors import HandlerFailed
from examples.climate.v1.climate_pb2 import Reading, TargetReply, TargetRequest

from .waiting import until

Trouble = Callable[[], Awaitable[None]]
RESUME = Supervision(on_failure="resume")


class Odd(BaseException):
    """An exception that is no `Exception`."""


async def cancelled() -> None:
    """Ends a task of its own, as many a stop hook does."""
    task = asyncio.create_task(asyncio.sleep(3600.0))
    task.cancel()
    await task


async def odd() -> None:
    raise Odd("odd")


KINDS = pytest.mark.parametrize("trouble", [cancelled, odd])


class Fragile(Agent):
    """Has trouble at one place, once."""

    lives = 0

    def __init__(self, trouble: Trouble, where: str) -> None:
        Fragile.lives += 1
        self.trouble = trouble
        self.where = where

    async def at(self, where: str) -> None:
        if where == self.where:
            await self.trouble()

    @on_start
    async def start(self, ctx: Context) -> None:
        if Fragile.lives == 2:
            await self.at("start")

    @on_stop
    async def stop(self, ctx: Context) -> None:
        if Fragile.lives == 1:
            await self.at("stop")

    @rpc(TargetRequest, TargetReply)
    async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        if Fragile.lives == 1:
            raise ValueError("to be built again")
        return TargetReply(celsius=21.0)


@KINDS
@pytest.mark.parametrize("where", ["start", "stop"])
async def test_no_agent_is_deaf_after_trouble_in_a_hook_of_its_restart(trouble: Trouble, where: str) -> None:
    Fragile.lives = 0
    async with Node("memory://own-cancellations", agents=[Fragile(trouble, where)]) as node:
        with pytest.raises(HandlerFailed):
            await node.request(TargetRequest(), TargetReply, to="fragile")
        reply = await node.request(TargetRequest(), TargetReply, to="fragile", timeout_s=2.0)
        assert reply.celsius == 21.0


class Slow(Agent):
    """Takes a while to stop."""

    stopped = False

    @on_stop
    async def stop(self, ctx: Context) -> None:
        await asyncio.sleep(0.05)
        Slow.stopped = True


@KINDS
async def test_trouble_in_one_stop_hook_leaves_the_others_theirs(trouble: Trouble) -> None:
    Fragile.lives, Slow.stopped = 0, False
    node = Node("memory://own-cancellations", agents=[Fragile(trouble, "stop"), Slow()])
    await node.start()
    await node.stop()
    assert Slow.stopped


@KINDS
async def test_a_tick_goes_on_after_trouble(trouble: Trouble) -> None:
    class Ticker(Agent):
        supervision = RESUME

        def __init__(self) -> None:
            self.ticks = 0

        @every(0.01)
        async def tick(self, ctx: Context) -> None:
            self.ticks += 1
            await trouble()

    ticker = Ticker()
    async with Node("memory://own-cancellations", agents=[ticker]) as node:
        await until(lambda: ticker.ticks >= 3)
        assert node.agent_statistics("ticker").behaviors["tick"].failed >= 2


@KINDS
async def test_trouble_in_a_handler_is_answered_and_counted(trouble: Trouble) -> None:
    class Handlers(Agent):
        supervision = RESUME

        def __init__(self) -> None:
            self.heard = 0

        @rpc(TargetRequest, TargetReply)
        async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
            await trouble()
            return TargetReply()

        @on(Reading)
        async def hear(self, reading: Reading, ctx: Context) -> None:
            self.heard += 1
            await trouble()

    handlers = Handlers()
    async with Node("memory://own-cancellations", agents=[handlers]) as node:
        with pytest.raises(HandlerFailed) as raised:
            await node.request(TargetRequest(), TargetReply, to="handlers", timeout_s=1.0)
        assert "stopped" not in str(raised.value)
        for _ in range(3):
            await node.publish(Reading())
        await until(lambda: handlers.heard == 3)
        counts = node.agent_statistics("handlers").behaviors
        assert (counts["tell_target"].failed, counts["hear"].failed, counts["hear"].dropped) == (1, 3, 0)


class Stillborn(Agent):
    """Cannot be built the second time."""

    lives = 0

    def __init__(self) -> None:
        Stillborn.lives += 1
        if Stillborn.lives == 2:
            raise Odd("odd")

    @rpc(TargetRequest, TargetReply)
    async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        if Stillborn.lives == 1:
            raise ValueError("to be built again")
        return TargetReply(celsius=21.0)


async def test_no_agent_is_deaf_after_trouble_in_its_constructor() -> None:
    Stillborn.lives = 0
    async with Node("memory://own-cancellations", agents=[Stillborn()]) as node:
        with pytest.raises(HandlerFailed):
            await node.request(TargetRequest(), TargetReply, to="stillborn")
        reply = await node.request(TargetRequest(), TargetReply, to="stillborn", timeout_s=2.0)
        assert reply.celsius == 21.0
