"""Right use: both checkers pass this file, and infer what `assert_type` says."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, assert_type

from agentbus import (
    Agent,
    Context,
    Endpoint,
    Node,
    Replies,
    Supervision,
    competitive,
    cooperative,
    every,
    hybrid,
    on,
    on_start,
    on_stop,
    rpc,
    second_price,
)
from agentbus.deals import Deal
from agentbus.middleware import deadline, dedupe, retry
from agentbus.transport import Stored
from examples.climate.v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest


class Thermostat(Agent):
    supervision = Supervision(max_restarts=5)

    def __init__(self, target: float) -> None:
        self.target = target

    @on_start
    async def greet(self, ctx: Context) -> None:
        ctx.log.info("up", target=self.target)

    @on(Reading, topic="hall.*", concurrency=2, middleware=(dedupe(), retry(2)))
    async def regulate(self, reading: Reading, ctx: Context) -> None:
        assert_type(reading.celsius, float)
        assert_type(await ctx.publish(Alarm(room=reading.room), topic=reading.room), Stored | None)
        await ctx.send(reading, to="hall")

    @on(Alarm, durable="billing", max_deliver=3)
    async def bill(self, alarm: Alarm, ctx: Context) -> None:
        delivery = ctx.delivery
        if delivery is not None:
            assert_type(delivery.attempt, int)

    @rpc(TargetRequest, TargetReply, overflow="drop_oldest", middleware=(deadline(1.0),))
    async def tell(self, request: TargetRequest, ctx: Context) -> TargetReply:
        return TargetReply(celsius=self.target)

    @every(30.0, jitter=0.1, immediately=True)
    async def report(self, ctx: Context) -> None:
        assert_type(await self.tell(TargetRequest(), ctx), TargetReply)
        assert_type(ctx.rng.random(), float)
        assert_type(ctx.deadline_s, float | None)

    @on_stop
    async def farewell(self, ctx: Context) -> None: ...


class Helper(Agent):
    @cooperative(TargetRequest, TargetReply)
    async def assist(self, job: TargetRequest, ctx: Context) -> TargetReply:
        if ctx.contract is not None:
            assert_type(ctx.contract.payment, float)
        return await self.bargain(Alarm(), ctx)

    @assist.cost
    def effort(self, job: TargetRequest) -> float | None:
        return 2.0

    @competitive(Alarm, TargetReply, shares=True)
    async def bargain(self, job: Alarm, ctx: Context) -> TargetReply:
        return TargetReply()

    @bargain.cost
    def exact(self, job: Alarm) -> float:
        return 1.0

    @hybrid(Reading, Alarm, weight=lambda job: job.celsius / 100, shares=False)
    async def weigh(self, job: Reading, ctx: Context) -> Alarm:
        return Alarm()

    @weigh.cost
    def length(self, job: Reading) -> float:
        return job.celsius


async def market(ctx: Context, node: Node) -> None:
    assert_type(await ctx.delegate(TargetRequest(), TargetReply, award=second_price(), value=3.0), TargetReply)
    deal = await node.negotiate(TargetRequest(), TargetReply)
    assert_type(deal, Deal[TargetReply])
    assert_type(deal.result, TargetReply)
    assert_type(deal.winners[0].price, float)
    assert_type(Helper.assist, Endpoint[TargetRequest, TargetReply])
    assert_type(await ctx.request(Helper.assist, TargetRequest(), to="helper"), TargetReply)
    Helper().policy("assist").weight = 0.5


@dataclass
class Frozen(Agent):
    room: str
    target: float = 21.0


async def go(ctx: Context, node: Node) -> None:
    assert_type(await ctx.request(TargetRequest(), TargetReply, to="t", timeout_s=2.0), TargetReply)
    assert_type(await ctx.request(Thermostat.tell, TargetRequest(), to="t"), TargetReply)
    assert_type(await node.request(Thermostat.tell, TargetRequest()), TargetReply)
    assert_type(await node.request(TargetRequest(), TargetReply, plain=True, subject="x"), TargetReply)
    replies = await ctx.gather(TargetRequest(), TargetReply, timeout_s=0.5, at_least=1)
    assert_type(replies, Replies[TargetReply])
    assert_type(replies[0].message, TargetReply)
    assert_type(replies[0].sender, str)
    assert_type((await node.gather(Thermostat.tell, TargetRequest()))[0].message, TargetReply)
    assert_type(Thermostat.tell, Endpoint[TargetRequest, TargetReply])
    assert_type(Thermostat(21.0).tell, Callable[[TargetRequest, Context], Coroutine[Any, Any, TargetReply]])
    assert_type(Frozen("hall").target, float)
    await node.add(Thermostat(21.0), name="hall", supervision=Supervision(on_failure="resume"))
