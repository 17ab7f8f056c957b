"""Only the broker says that nobody listens: an enrolled node that says so in its place ends nobody's call."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from agentbus import Agent, Context, Node, rpc
from agentbus.errors import NoResponders
from agentbus.transport import NO_RESPONDERS
from tests.transports.nats_world import until

from .world import World


class Slow(Agent):
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may = asyncio.Event()

    @rpc(StringValue, StringValue)
    async def say(self, request: StringValue, ctx: Context) -> StringValue:
        self.asked.set()
        await self.may.wait()
        return request


@pytest.mark.parametrize("everybody", [False, True])
async def test_who_says_so_in_the_brokers_place_ends_no_call(world: World, everybody: bool) -> None:
    slow = Slow()
    async with world.node("hall", {"slow": slow}), world.node("desk") as desk, world.node("spy") as spy:
        what = StringValue(value="x")
        if everybody:
            asking = asyncio.create_task(desk.gather(what, StringValue, at_most=1, timeout_s=5.0))
        else:
            asking = asyncio.create_task(desk.request(what, StringValue, to="slow", timeout_s=5.0))
        await slow.asked.wait()
        inbox = desk.bus.inbox
        forged = [f"{inbox}_{first}_1{end}" for first in range(1, 4) for end in ("", ".own.r", ".x")]
        for reply in [inbox, *forged]:
            spy.transport.send(reply, b"", "", NO_RESPONDERS)
        await until(lambda: spy.transport.statistics().errors.get("permission", 0) == 3, "what the broker forbids")  # type: ignore[attr-defined]
        await desk.transport.flush()
        slow.may.set()
        answer = await asking
        assert (answer[0].message if isinstance(answer, list) else answer) == what


async def test_that_the_broker_says_so_is_heard_at_once(world: World) -> None:
    async with world.node("desk") as desk:
        asked = asyncio.get_running_loop().time()
        with pytest.raises(NoResponders):
            await desk.request(StringValue(), StringValue, to="nobody", timeout_s=10.0)
        assert await desk.gather(StringValue(), StringValue, timeout_s=10.0) == []
        assert asyncio.get_running_loop().time() - asked < 5.0


async def test_what_is_asked_in_plain_protobuf_ends_with_it_too(world: World) -> None:
    async with Node(identity=world.identity("desk", "operator")) as desk:
        with pytest.raises(NoResponders):
            await desk.request(
                StringValue(), StringValue, plain=True, subject="plant.to.nobody.google-protobuf-StringValue"
            )
