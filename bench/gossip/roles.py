"""The processes of the figures that are measured on a real broker: nodes that host `Membership`, and a witness."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from agentbus import Agent, Context, Node, on
from agentbus.faults import PEER_EVENT_KIND_FAILED, PEER_EVENT_KIND_SUSPECTED, PeerEvent
from agentbus.membership import Membership, local
from bench.child import Channel

LOOK_S = 0.02
"""Seconds between two looks at what the members believe."""
START_S = 60.0
"""Seconds that a node may take to start, while many others do."""


class Witness(Agent):
    """Keeps what its node's membership tells.

    Args:
        channel: where deaths are told at once; None to keep them only.
    """

    def __init__(self, channel: Channel | None = None) -> None:
        self.channel = channel
        self.deaths: list[str] = []
        self.suspicions = 0

    @on(PeerEvent, topic="{node}")
    async def hear(self, event: PeerEvent, ctx: Context) -> None:
        """A node has changed."""
        if event.kind == PEER_EVENT_KIND_SUSPECTED:
            self.suspicions += 1
        elif event.kind == PEER_EVENT_KIND_FAILED:
            self.deaths.append(f"{ctx.node}: {event.node}: {event.reason}")
            if self.channel is not None:
                self.channel.tell("failed", node=event.node, epoch=event.epoch, at=time.monotonic())


def others(membership: Membership) -> int:
    """How many other nodes it believes alive."""
    return len(membership.machine.beliefs.members.living)


async def until(holds: Callable[[], bool], limit_s: float = 120.0) -> None:
    """Waits until it holds. Raises `TimeoutError` after `limit_s`."""
    for _ in range(int(limit_s / LOOK_S)):
        if holds():
            return
        await asyncio.sleep(LOOK_S)
    raise TimeoutError(f"not within {limit_s:g} s")


async def crowd(channel: Channel, *, url: str, first: int, count: int, total: int) -> dict[str, Any]:
    """Some of many nodes, through an outage of the broker: it tells when all are there, and when all are back."""
    memberships = [Membership(local()) for _ in range(count)]
    witnesses = [Witness() for _ in range(count)]
    async with AsyncExitStack() as stack:
        for place in range(count):
            node = Node(url, realm="outage", name=f"n{first + place}", agents=[memberships[place], witnesses[place]])
            await node.start(timeout_s=START_S)
            stack.push_async_callback(node.stop)
        await until(lambda: all(others(membership) >= total - 1 for membership in memberships))
        channel.tell("ready")
        up_at = (await channel.told(timeout_s=180.0))["at"]
        since = asyncio.get_running_loop().time() - (time.monotonic() - up_at)
        await until(lambda: all(_back(membership, since, total) for membership in memberships))
        channel.tell("back", at=time.monotonic())
        await channel.told(timeout_s=60.0)
        deaths = [death for witness in witnesses for death in witness.deaths]
        suspicions = sum(witness.suspicions for witness in witnesses)
        channel.tell("counted", deaths=len(deaths), first=deaths[:3], suspicions=suspicions)
        await channel.told(timeout_s=60.0)
    return {}


def _back(membership: Membership, since: float, total: int) -> bool:
    """Whether a node has a link, has had an answer to something sent since, and knows all others alive."""
    freeze = membership.machine.beliefs.freeze
    return not freeze.down and freeze.proved > since and others(membership) == total - 1


async def one(channel: Channel, *, url: str, name: str, total: int) -> dict[str, Any]:
    """One node: tells when it knows all others, and each death, until it is killed."""
    membership = Membership(local())
    async with Node(url, realm="kills", name=name, agents=[membership, Witness(channel)]):
        await until(lambda: others(membership) >= total - 1)
        channel.tell("ready")
        await channel.told(timeout_s=3_000.0)
    return {}
