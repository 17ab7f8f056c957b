"""A program for tests: a node under load that is asked to stop. Prints what it did as it ends."""

from __future__ import annotations

import asyncio
import json
import sys

from agentbus import Agent, Context, Node, on, rpc
from examples.climate.v1.climate_pb2 import Alarm, TargetReply, TargetRequest


class Loaded(Agent):
    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.jobs: list[str] = []

    @rpc(TargetRequest, TargetReply, concurrency=4)
    async def tell(self, request: TargetRequest, ctx: Context) -> TargetReply:
        self.begun += 1
        await asyncio.sleep(0.01)
        self.ended += 1
        return TargetReply(celsius=1.0)

    @on(Alarm, durable="jobs", concurrency=4)
    async def job(self, alarm: Alarm, ctx: Context) -> None:
        self.begun += 1
        await asyncio.sleep(0.01)
        self.ended += 1
        self.jobs.append(alarm.room)


async def main(url: str) -> None:
    agent = Loaded()
    async with Node(url, name="loaded", agents=[agent]) as node:
        print("up", flush=True)
        await node.run()
    print(json.dumps({"begun": agent.begun, "ended": agent.ended, "jobs": agent.jobs}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
