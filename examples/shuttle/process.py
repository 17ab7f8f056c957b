"""One agent in a process of its own: ``python -m examples.shuttle.process ROLE NAME ...``, started by `crew`.

Standard input is a pipe that the parent holds and never writes to. When it ends, the parent is gone, however it
went, and this process ends as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys

from agentbus import Agent, Node, StreamLimits
from agentbus.observability.logs import configure

from .desk import AlarmDesk
from .detector import Detector
from .feeder import Feeder

ROLES: dict[str, type[Agent]] = {"feeder": Feeder, "detector": Detector, "alarm-desk": AlarmDesk}
LIMITS = StreamLimits(max_age_s=3600.0)


async def host(agent: Agent, name: str, url: str, realm: str) -> None:
    """Hosts the agent until SIGTERM, or until the parent is gone."""
    async with Node(url, realm=realm, name=f"{name}-{os.getpid()}", agents={name: agent}, durable=LIMITS) as node:
        loop = asyncio.get_running_loop()
        stdin = sys.stdin.fileno()

        def parent_is_gone() -> None:
            loop.remove_reader(stdin)
            os.kill(os.getpid(), signal.SIGTERM)

        loop.add_reader(stdin, parent_is_gone)
        await node.run()


def main() -> None:
    """Runs the agent that the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m examples.shuttle.process", description=__doc__)
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("name")
    parser.add_argument("--url", required=True)
    parser.add_argument("--realm", required=True)
    parser.add_argument("--options", type=json.loads, default={}, help="the agent's own, in JSON")
    arguments = parser.parse_args()
    configure("info", json=True)
    agent = ROLES[arguments.role](**arguments.options)
    work = host(agent, arguments.name, arguments.url, arguments.realm)
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


if __name__ == "__main__":
    main()
