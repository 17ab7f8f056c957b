"""A realm of three servers: streams with three copies, and identities that change links and servers."""

from __future__ import annotations

import time

import pytest
from google.protobuf.wrappers_pb2 import Int64Value

from agentbus import Agent, Node, on
from agentbus.context import Context
from agentbus.security.renewing import renewed
from tests.transports.nats_world import until

from .world import Worlds


class Worker(Agent):
    """Keeps what it has done."""

    def __init__(self) -> None:
        self.done: list[int] = []

    @on(Int64Value, durable="workers")
    async def work(self, job: Int64Value, ctx: Context) -> None:
        self.done.append(job.value)


@pytest.mark.timeout(90)
async def test_durable_work_survives_a_server_and_a_renewal(worlds: Worlds) -> None:
    world = worlds(servers=3)
    worker = Worker()
    identity = world.identity("work", names=("worker",))
    async with (
        world.enroller(),
        Node(identity=identity, agents={"worker": worker}) as node,
        world.node("source") as source,
    ):
        for number in range(1, 11):
            await source.publish(Int64Value(value=number), durable=True, timeout_s=10.0)
        await identity.take(await renewed(node, identity.credentials, time.time()))
        for number in range(11, 21):
            await source.publish(Int64Value(value=number), durable=True, timeout_s=10.0)
        await until(lambda: len(worker.done) >= 20, "all is done", within_s=10.0)
        assert worker.done == list(range(1, 21))
        world.stop_one(2)
        await until(lambda: node.transport.connected and source.transport.connected, "back", within_s=10.0)
        await source.publish(Int64Value(value=21), durable=True, timeout_s=15.0)
        await until(lambda: 21 in worker.done, "that, too", within_s=45.0)  # 30 s when its first delivery was lost
