"""SIGTERM under load: nothing is half processed, every requester has an answer, no durable event is lost."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from pathlib import Path

from agentbus import AgentBusError, Node
from examples.climate.v1.climate_pb2 import Alarm, TargetReply, TargetRequest
from tests.nats_server import NatsServer
from tests.waiting import until

ROOT = Path(__file__).parents[2]


async def test_a_process_under_load_drains_on_sigterm(broker: NatsServer) -> None:
    command = (sys.executable, "-m", "tests.integration.drained", broker.url)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    lines = process.stdout
    try:
        line = await asyncio.wait_for(lines.readline(), 10.0)
        while line.strip() != b"up":  # logs of a user who has not configured them come first
            assert line, "it ended"
            line = await asyncio.wait_for(lines.readline(), 10.0)
        outcomes: Counter[str] = Counter()
        stored: list[str] = []
        async with Node(broker.url, name="load") as load:

            async def ask() -> None:
                try:
                    await load.request(TargetRequest(), TargetReply, to="loaded", timeout_s=10.0)
                    outcomes["answered"] += 1
                except AgentBusError as error:
                    outcomes[type(error).__name__] += 1

            for number in range(300):
                await load.publish(Alarm(room=str(number)), durable=True)
                stored.append(str(number))
            asking = [asyncio.ensure_future(ask()) for _ in range(2000)]
            await until(lambda: outcomes["answered"] > 20)
            process.send_signal(signal.SIGTERM)
            await asyncio.gather(*asking)
            rest = (await asyncio.wait_for(lines.read(), 10.0)).decode().splitlines()
            assert await asyncio.wait_for(process.wait(), 10.0) == 0
            report = json.loads(next(line for line in rest if line.startswith("{")))
            assert report["begun"] == report["ended"], "a handler was cut off"
            assert outcomes["Busy"] > 0, "what waited was refused, not left"
            assert outcomes["DeadlineExceeded"] == 0, f"a requester got no answer: {outcomes}"

            again = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
            assert again.stdout is not None
            try:
                await until(lambda: load.statistics().connected)
                await wait_for_jobs(load, len(stored))
            finally:
                again.send_signal(signal.SIGTERM)
                text = (await asyncio.wait_for(again.stdout.read(), 15.0)).decode().splitlines()
                await again.wait()
        others = json.loads(next(line for line in text if line.startswith("{")))["jobs"]
        assert set(report["jobs"]) | set(others) == set(stored)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def wait_for_jobs(load: Node, count: int) -> None:
    """Returns when the consumer has acknowledged everything, by the server's own word."""
    import nats

    client = await nats.connect(load.port.bus.transport.url)
    try:
        stream = client.jetstream()
        async with asyncio.timeout(15.0):
            while True:
                consumers = await stream.consumers_info("agentbus_default_log")
                if consumers and all(c.num_pending == 0 and c.num_ack_pending == 0 for c in consumers):
                    return
                await asyncio.sleep(0.02)
    finally:
        await client.close()
