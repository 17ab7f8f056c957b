"""A team over a real nats-server: a process that is killed and comes back, and a broker that is."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from agentbus import Node
from agentbus.blackboard import Blackboard, local
from agentbus.membership import Membership
from agentbus.membership import local as members
from tests.cli.commands import python
from tests.nats_server import NatsServer
from tests.waiting import until

from .team import TEAM, Courier, same

PROGRAM = """
import asyncio, sys
from agentbus import Node
from agentbus.blackboard import Blackboard, local
from agentbus.membership import Membership
from agentbus.membership import local as members
from tests.blackboard.team import TEAM, Courier

async def main():
    board = Blackboard(local())
    courier = Courier(board)
    agents = {"membership": Membership(members()), TEAM: board, "far": courier}
    async with Node(sys.argv[1], name="far", agents=agents) as node:
        courier.notes.add("delivered", 10)
        courier.notes.put("far", b"here")
        await node.run()

asyncio.run(main())
"""


@pytest.mark.timeout(60)
async def test_a_killed_process_leaves_what_it_wrote_and_a_killed_broker_parts_nobody_for_long(tmp_path: Path) -> None:
    server = NatsServer(tmp_path).start()
    boards = [Blackboard(local()) for _ in range(3)]
    couriers = [Courier(board) for board in boards]
    nodes = [
        Node(server.url, name=f"n{number}", agents={"m": Membership(members()), TEAM: board, f"c{number}": courier})
        for number, (board, courier) in enumerate(zip(boards, couriers, strict=True))
    ]
    try:
        for node in nodes:
            await node.start()
        for courier in couriers:
            courier.notes.add("delivered")
        for life in (1, 2):
            async with python("-c", PROGRAM, server.url) as far:
                known = 3 + 10 * life
                await until(
                    lambda known=known: {board.board.count("delivered") for board in boards} == {known}, within_s=15.0
                )
                far.send_signal(signal.SIGKILL)
        assert same(*boards)
        assert couriers[0].notes.items() == {"far": b"here"}
        server.kill()
        await until(lambda: not any(node.transport.connected for node in nodes), within_s=10.0)
        couriers[0].notes.put("x", "while the broker was away")
        server.start()
        await until(lambda: couriers[2].notes.get("x"), within_s=15.0)
        await until(lambda: same(*boards), within_s=5.0)
    finally:
        await asyncio.gather(*(node.stop() for node in nodes))
        server.stop(kill=True)
