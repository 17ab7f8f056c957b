"""What one sender says on one subject arrives in the order it was said, spread or not."""

from __future__ import annotations

from agentbus import Agent, Context, Node, on
from examples.hello.v1.hello_pb2 import HelloRequest

from .waiting import until


class Ear(Agent):
    def __init__(self) -> None:
        self.heard: list[str] = []

    @on(HelloRequest)
    async def hear(self, request: HelloRequest, ctx: Context) -> None:
        self.heard.append(request.name)


async def test_a_spread_event_does_not_overtake() -> None:
    ear = Ear()
    async with Node("memory://spread-order", agents=[ear]) as node:
        for name in "abcd":
            await node.publish(HelloRequest(name=name))
        await node.publish(HelloRequest(name="e"), spread=True)
        await node.publish(HelloRequest(name="f"))
        await until(lambda: len(ear.heard) == 6)
    assert "".join(ear.heard) == "abcdef"
