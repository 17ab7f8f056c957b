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


def node_of(arguments: argparse.Namespace, agents: dict[str, Agent]) -> Node:
    """The node: of an identity, or of a name."""
    if arguments.identity:
        from agentbus.security import Identity

        return Node(identity=Identity.load(arguments.identity), agents=agents)
    name = f"{arguments.name}-{os.getpid()}"
    return Node(arguments.url, realm=arguments.realm, name=name, agents=agents, durable=LIMITS)


async def host(node: Node) -> None:
    """Runs the node until SIGTERM, or until the parent is gone."""
    async with node:
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
    parser.add_argument("--url")
    parser.add_argument("--realm", default="default")
    parser.add_argument("--identity", help="the file of an identity, in place of the two above")
    parser.add_argument("--options", type=json.loads, default={}, help="the agent's own, in JSON")
    arguments = parser.parse_args()
    configure("info", json=True)
    agent = ROLES[arguments.role](**arguments.options)
    work = host(node_of(arguments, {arguments.name: agent}))
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


if __name__ == "__main__":
    main()
