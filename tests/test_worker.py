"""A worker with many handlers at once: as many tasks as there are messages to handle, and no more."""

from __future__ import annotations

import asyncio
from typing import Any

from google.protobuf.wrappers_pb2 import Int64Value

from agentbus import Agent, Context, Node, rpc
from tests.waiting import until


class Gate(Agent):
    """Answers when it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.tasks: set[asyncio.Task[object] | None] = set()

    @rpc(Int64Value, Int64Value, concurrency=100)
    async def ask(self, request: Int64Value, ctx: Context) -> Int64Value:
        self.tasks.add(asyncio.current_task())
        await self.open.wait()
        return request


async def test_bursts_begin_one_task_for_each_message(url: str) -> None:
    gate, begun = Gate(), 0

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        nonlocal begun
        begun += "Worker._" in coroutine.__qualname__
        return asyncio.Task(coroutine, loop=loop, **options)

    async with Node(url, agents={"gate": gate}) as node:
        asyncio.get_running_loop().set_task_factory(factory)
        calls: list[asyncio.Future[Int64Value]] = []
        for so_far in (20, 40, 60):  # each burst finds handlers at work, and comes in two frames
            calls += [
                asyncio.ensure_future(node.request(Int64Value(value=n), Int64Value, to="gate")) for n in range(20)
            ]
            await until(lambda so_far=so_far: len(gate.tasks) == so_far)
            assert begun == len(node.cells["gate"].workers["ask"].tasks) == so_far
        gate.open.set()
        await asyncio.gather(*calls)
        await until(lambda: not node.cells["gate"].workers["ask"].tasks)


async def test_there_are_never_more_than_concurrency_and_all_are_answered(url: str) -> None:
    gate = Gate()
    async with Node(url, agents={"gate": gate}) as node:
        calls = [asyncio.ensure_future(node.request(Int64Value(value=n), Int64Value, to="gate")) for n in range(250)]
        await until(lambda: len(gate.tasks) == 100)
        assert len(node.cells["gate"].workers["ask"].tasks) == 100
        gate.open.set()
        assert [reply.value for reply in await asyncio.gather(*calls)] == list(range(250))
