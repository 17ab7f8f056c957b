"""Wrong use: both checkers report every line that says `wrong`, and no other."""

from __future__ import annotations

from agentbus import Agent, Context, Node, Supervision, cooperative, every, on, on_start, rpc
from examples.climate.v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest


class Thermostat(Agent):
    def __init__(self, target: float) -> None:
        self.target = target

    @rpc(TargetRequest, TargetReply)
    async def tell(self, request: TargetRequest, ctx: Context) -> TargetReply:
        return TargetReply(celsius=self.target)


async def go(ctx: Context, node: Node) -> None:
    await ctx.request(Thermostat.tell, Reading(), to="t")  # wrong
    await node.request(TargetRequest(), TargetReply(), to="t")  # wrong
    await node.request(TargetRequest(), int, to="t")  # wrong
    await ctx.gather(Thermostat.tell, Alarm())  # wrong
    await ctx.publish("text")  # wrong
    await ctx.publish(Reading(), topic=3)  # wrong
    await ctx.send(Reading())  # wrong
    await node.add("agent")  # wrong
    _: Reading = await ctx.request(TargetRequest(), TargetReply)  # wrong
    Thermostat("x")  # wrong
    Thermostat()  # wrong
    Supervision(then="panic")  # wrong


class Misuser(Agent):
    @on(Reading)  # wrong
    async def other_event(self, reading: Alarm, ctx: Context) -> None: ...

    @rpc(TargetRequest, TargetReply)  # wrong
    async def other_reply(self, request: TargetRequest, ctx: Context) -> Reading:
        return Reading()

    @rpc(TargetRequest, TargetReply)  # wrong
    async def other_request(self, request: Reading, ctx: Context) -> TargetReply:
        return TargetReply()

    @rpc(TargetRequest, TargetReply)  # wrong
    def no_coroutine(self, request: TargetRequest, ctx: Context) -> TargetReply:
        return TargetReply()

    @on(int)  # wrong
    async def no_message(self, number: int, ctx: Context) -> None: ...

    @on(Reading, overflow="explode")  # wrong
    async def no_policy(self, reading: Reading, ctx: Context) -> None: ...

    @on(Reading)  # wrong
    async def no_context(self, reading: Reading) -> None: ...

    @every(30.0)  # wrong
    async def a_message(self, reading: Reading, ctx: Context) -> None: ...

    @every("often")  # wrong
    async def often(self, ctx: Context) -> None: ...

    @on_start  # wrong
    def start(self, ctx: Context) -> None: ...


class Bidder(Agent):
    @cooperative(TargetRequest, TargetReply)  # wrong
    async def other_result(self, job: TargetRequest, ctx: Context) -> Reading:
        return Reading()

    @cooperative(TargetRequest, TargetReply)
    async def assist(self, job: TargetRequest, ctx: Context) -> TargetReply:
        return TargetReply()

    @assist.cost  # wrong
    def other_job(self, job: Reading) -> float:
        return 1.0


async def bargain(ctx: Context) -> None:
    _: Reading = await ctx.delegate(TargetRequest(), TargetReply)  # wrong
    await ctx.delegate(TargetRequest(), TargetReply, award="lowest")  # wrong
    await ctx.delegate(TargetRequest(), TargetReply, value="much")  # wrong
    Bidder().policy("assist").weight = "low"  # wrong
