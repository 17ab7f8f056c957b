"""A node that is stopped, or an agent removed, at an awkward place: from within, or by a caller who gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from agentbus import Agent, Context, Node, on_stop, rpc
from examples.climate.v1.climate_pb2 import TargetReply, TargetRequest

from .waiting import until

URL = "memory://stopping"


class Leaver(Agent):
    """Does something to its node when it is asked, and takes a moment to stop."""

    def __init__(self, act: Callable[[], Awaitable[None]]) -> None:
        self.act = act
        self.stopped = False

    @rpc(TargetRequest, TargetReply)
    async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        await self.act()
        return TargetReply(celsius=21.0)

    @on_stop
    async def stop(self, ctx: Context) -> None:
        await asyncio.sleep(0.01)
        self.stopped = True


async def test_a_handler_that_stops_its_node_is_answered_and_the_hooks_run() -> None:
    leaver = Leaver(lambda: node.stop())  # noqa: PLW0108 - there is no node yet
    node = Node(URL, agents=[leaver])
    async with Node(URL) as visitor, node:
        reply = await visitor.request(TargetRequest(), TargetReply, to="leaver", timeout_s=2.0)
        assert reply.celsius == 21.0
        await node.stop()
        assert leaver.stopped


async def test_an_agent_that_removes_itself_answers_ends_and_leaves_its_name() -> None:
    leaver = Leaver(lambda: node.remove("leaver"))
    node = Node(URL, agents=[leaver])
    async with Node(URL) as visitor, node:
        reply = await visitor.request(TargetRequest(), TargetReply, to="leaver", timeout_s=2.0)
        assert reply.celsius == 21.0
        await until(lambda: not node.cells)
        assert leaver.stopped
        await node.add(Leaver(lambda: asyncio.sleep(0)))


async def test_a_stop_hook_that_stops_the_node_does_not_wait_for_itself() -> None:
    class Stubborn(Agent):
        @on_stop
        async def stop(self, ctx: Context) -> None:
            await node.stop()

    node = Node(URL, agents=[Stubborn()])
    await node.start()
    async with asyncio.timeout(2.0):
        await node.stop()


@pytest.mark.parametrize("turns", range(4))
async def test_a_stop_whose_caller_is_cancelled_twice_still_ends(turns: int) -> None:
    started, leave = asyncio.Event(), asyncio.Event()

    async def linger() -> None:
        started.set()
        await leave.wait()

    node = Node(URL, agents=[Leaver(linger)], drain_s=0.2)
    await node.start()
    async with Node(URL) as visitor:
        request = asyncio.create_task(visitor.request(TargetRequest(), TargetReply, to="leaver", timeout_s=2.0))
        await started.wait()
        stopping = asyncio.create_task(node.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        leave.set()
        async with asyncio.timeout(2.0):
            await node.stop()
        with suppress(Exception):
            await request
