"""Agents as a whole program: logs, an event loop, a node, and an orderly end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from .agent import Agent
from .identity import NodeIdentity
from .node import Node
from .observability import logs

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(
    *agents: Agent,
    url: str | None = None,
    realm: str | None = None,
    name: str | None = None,
    identity: NodeIdentity | None = None,
) -> None:
    """Hosts agents until SIGTERM or SIGINT; then drains and returns. On uvloop where it exists.

    Sets up logs (`agentbus.observability.logs`), unless the program has done so itself.

    Raises:
        AgentStopped: supervision gave the last agent up.
    """
    logs.configure()

    async def main() -> None:
        await host(Node(url, realm=realm, name=name, identity=identity, agents=agents))

    on_best_loop(main())


async def host(node: Node, started: Callable[[], None] = lambda: None) -> None:
    """Starts a node, says so, and runs it until SIGTERM or SIGINT, which end it also while it starts.

    Raises:
        AgentStopped: as `Node.run`.
    """

    async def hosting() -> None:
        async with node:
            started()
            await node.run()

    await until_stopped(hosting(), node.name)


async def until_stopped(work: Coroutine[Any, Any, None], name: str) -> bool:
    """Lets `work` run until it ends or SIGTERM or SIGINT comes, which cancels it.

    Returns:
        Whether a signal came. What `work` raises by itself is raised.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work, name=name)
    told: list[int] = []

    def stop() -> None:
        told.append(1)
        task.cancel()

    handled: list[signal.Signals] = []
    for number in SIGNALS:
        # An event loop without signals, or in a thread that gets none: Ctrl-C raises KeyboardInterrupt elsewhere.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop)
            handled.append(number)
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
    return bool(told)


def on_best_loop(work: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine on uvloop where it exists, else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)
