"""A program of agents in a thread that is not the main one: no signals there, but it runs all the same."""

from __future__ import annotations

import asyncio
import threading

from agentbus import Agent, Context, Node, Supervision, every
from agentbus.errors import AgentStopped
from agentbus.running import host


class Brief(Agent):
    """Gives up its life, and with it the program's."""

    supervision = Supervision(max_restarts=0, then="escalate")

    @every(0.01)
    async def end(self, ctx: Context) -> None:
        raise ValueError("enough")


def test_agents_are_hosted_in_any_thread() -> None:
    ends: list[BaseException] = []

    async def main() -> None:
        await host(Node("memory://thread", agents=[Brief()]))

    def program() -> None:
        try:
            asyncio.run(main())
        except (AgentStopped, ValueError, RuntimeError) as error:
            ends.append(error)

    thread = threading.Thread(target=program)
    thread.start()
    thread.join(5.0)
    assert [type(end) for end in ends] == [AgentStopped]
