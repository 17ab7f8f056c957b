"""The broker is killed and started again under load."""

from __future__ import annotations

import asyncio
from collections import Counter

from agentbus import Agent, AgentBusError, Context, Node, StreamLimits, on, rpc
from examples.climate.v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest
from tests.integration.conftest import restarted
from tests.nats_server import NatsServer
from tests.waiting import until


class Worker(Agent):
    """Answers, hears, and does durable work; counts the work by its name."""

    def __init__(self, done: Counter[str]) -> None:
        self.done = done
        self.heard = 0

    @rpc(TargetRequest, TargetReply)
    async def tell(self, request: TargetRequest, ctx: Context) -> TargetReply:
        return TargetReply(celsius=21.0)

    @on(Reading)
    async def hear(self, reading: Reading, ctx: Context) -> None:
        self.heard += 1

    @on(Alarm, durable="work", ack_wait_s=2.0)
    async def work(self, alarm: Alarm, ctx: Context) -> None:
        self.done[alarm.room] += 1


async def test_every_agent_is_back_and_no_durable_work_is_lost(broker: NatsServer) -> None:
    done: Counter[str] = Counter()
    stored: list[str] = []
    outcomes: Counter[str] = Counter()
    agents = {f"worker-{i}": Worker(done) for i in range(8)}
    limits = StreamLimits(max_bytes=1 << 26)
    async with (
        Node(broker.url, name="host", agents=agents, durable=limits) as host,
        Node(broker.url, name="caller", durable=limits) as caller,
    ):
        stop = asyncio.Event()

        async def ask(name: str) -> None:
            while not stop.is_set():
                try:
                    await caller.request(TargetRequest(), TargetReply, to=name, timeout_s=1.0)
                    outcomes["answered"] += 1
                except AgentBusError as error:
                    outcomes[type(error).__name__] += 1
                    await asyncio.sleep(0.01)

        async def store(lane: int) -> None:
            number = 0
            while not stop.is_set():
                name = f"{lane}-{number}"
                number += 1
                try:
                    await caller.publish(Alarm(room=name), durable=True, timeout_s=10.0)
                    stored.append(name)
                except AgentBusError as error:
                    outcomes[f"store {type(error).__name__}"] += 1
                    await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as group:
            for name in agents:
                group.create_task(ask(name))
            for lane in range(4):
                group.create_task(store(lane))
            await until(lambda: outcomes["answered"] > 100 and len(stored) > 50, within_s=10.0)
            await restarted(broker)
            loop = asyncio.get_running_loop()
            up = loop.time()
            for name in agents:
                while True:
                    try:
                        await caller.request(TargetRequest(), TargetReply, to=name, timeout_s=0.5)
                        break
                    except AgentBusError:
                        assert loop.time() - up < 5.0, f"{name} is not back 5 s after the broker"
                        await asyncio.sleep(0.01)
            before = len(stored)
            await until(lambda: len(stored) > before + 50, within_s=15.0)
            stop.set()
        await until(lambda: set(stored) <= set(done), within_s=15.0)
        assert host.statistics().open_calls == caller.statistics().open_calls == 0
        assert all(cell.restart_count == 0 for cell in host.cells.values()), "the world's errors restart nobody"
    assert outcomes["answered"] > 100


async def test_reconnecting_clients_are_spread_over_time(broker: NatsServer) -> None:
    loop = asyncio.get_running_loop()
    back: dict[str, float] = {}
    nodes = [Node(broker.url, name=f"node-{i}", agents={f"agent-{i}": Worker(Counter())}) for i in range(128)]
    try:
        for node in nodes:
            await node.start()
        await restarted(broker)
        up = loop.time()

        async def wait(node: Node) -> None:
            await until(lambda: node.statistics().connected, within_s=10.0)
            back[node.name] = loop.time() - up

        await asyncio.gather(*(wait(node) for node in nodes))
    finally:
        for node in nodes:
            await node.stop()
    assert max(back.values()) - min(back.values()) > 0.02, "all came back at once"
