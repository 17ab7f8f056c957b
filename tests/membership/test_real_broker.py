"""Membership over a real nats-server: a process that is killed, and a broker that is."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from agentbus import Node
from agentbus.membership import Membership, local
from tests.cli.commands import python
from tests.nats_server import NatsServer
from tests.waiting import until

PROGRAM = """
import asyncio, sys
from agentbus import Node
from agentbus.membership import Membership, local

async def main():
    async with Node(sys.argv[1], name="far", agents=[Membership(local())]) as node:
        await node.run()

asyncio.run(main())
"""


def seen(nodes: list[Node]) -> list[set[str]]:
    return [{peer.node for peer in node.peers.alive()} for node in nodes]


@pytest.mark.timeout(60)
async def test_a_killed_process_is_found_and_a_killed_broker_costs_nobody_its_life(tmp_path: Path) -> None:
    server = NatsServer(tmp_path).start()
    nodes = [Node(server.url, name=f"n{number}", agents=[Membership(local())]) for number in range(3)]
    try:
        for node in nodes:
            await node.start()
        async with python("-c", PROGRAM, server.url) as far:
            await until(lambda: seen(nodes) == [{"n0", "n1", "n2", "far"}] * 3, within_s=15.0)
            far.send_signal(signal.SIGKILL)
            await until(lambda: seen(nodes) == [{"n0", "n1", "n2"}] * 3, within_s=15.0)
        server.kill()
        await until(lambda: not any(node.transport.connected for node in nodes), within_s=10.0)
        server.start()
        await until(lambda: all(node.transport.connected for node in nodes), within_s=10.0)
        assert seen(nodes) == [{"n0", "n1", "n2"}] * 3
    finally:
        await asyncio.gather(*(node.stop() for node in nodes))
        server.stop(kill=True)
