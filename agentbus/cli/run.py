"""Host agents until SIGTERM or Ctrl-C; then drain, and end.

An agent is MODULE:AGENT, a subclass of Agent or an instance in a Python module; the working folder is looked through,
too. Constructor arguments come by --set: a JSON value, or a text where it is no JSON. KEY=VALUE is for every agent that
takes KEY, NAME.KEY=VALUE for the agent of that name.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from .arguments import add_link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentbus.agent import Agent

LEVELS = ("debug", "info", "warning", "error", "critical")
FORMATS = {"auto": None, "json": True, "console": False}


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    parser.add_argument("agents", nargs="+", metavar="[NAME=]MODULE:AGENT", help="the agents to host")
    parser.add_argument(
        "--name", action="append", default=[], help="of the agent; repeatable, for the agents without NAME= in order"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="[NAME.]KEY=VALUE", help="a constructor argument; repeatable"
    )
    add_link(parser)
    parser.add_argument("--node-name", metavar="NAME", help="of this node (default: made up)")
    parser.add_argument("--log-level", choices=LEVELS, default="info", help="what to log, and worse (default: info)")
    parser.add_argument(
        "--log-format", choices=FORMATS, default="auto", help="auto: coloured on a terminal, else JSON lines"
    )


def execute(arguments: Namespace) -> int:
    """Makes the agents and hosts them."""
    from agentbus.observability import logs
    from agentbus.running import on_best_loop

    from .agent_words import make_agents

    form = FORMATS[arguments.log_format]
    logs.configure(arguments.log_level, json=True if form is None and arguments.json else form)
    agents = make_agents(arguments.agents, arguments.name, arguments.set)
    on_best_loop(_host(arguments, agents))
    return 0


async def _host(arguments: Namespace, agents: Mapping[str, Agent]) -> None:
    from agentbus.node import Node
    from agentbus.running import host

    from .output import record

    node = Node(
        arguments.url,
        realm=arguments.realm,
        name=arguments.node_name,
        identity=arguments.identity,
        agents=agents,
    )

    def started() -> None:
        if arguments.json:
            record({"node": node.name, "realm": node.subjects.realm, "agents": list(agents)})

    await host(node, started)
