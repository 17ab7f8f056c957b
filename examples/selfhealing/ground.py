"""What a run stands on: its brokers, and how a node connects to them. Plain, or in a realm of identities."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from agentbus import Agent, Node
from agentbus.testing import Cluster

from .plan import REALM, Plan


class Ground(Protocol):
    """See `ground`."""

    @property
    def cluster(self) -> Cluster:
        """The brokers."""
        ...

    def node(self, name: str, agents: Mapping[str, Agent]) -> Node:
        """A node in this process."""
        ...

    def words(self, name: str) -> Sequence[str]:
        """The arguments that tell an agent's process who it is; in each of its lives the same."""
        ...


class Open:
    """Whoever knows the brokers' password is let in, and believed.

    Args:
        cluster: the brokers.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def node(self, name: str, agents: Mapping[str, Agent]) -> Node:
        """See `Ground`."""
        return Node(self.cluster.url, realm=REALM, name=name, agents=agents)

    def words(self, name: str) -> Sequence[str]:
        """See `Ground`."""
        return ("--realm", REALM)


@asynccontextmanager
async def ground(plan: Plan, folder: Path) -> AsyncGenerator[Ground]:
    """The brokers of a run in a folder, for as long as the context is open. Raises `ServerFailed`."""
    if plan.secure:
        from .realm import identified  # which needs the extra

        async with identified(plan, folder) as realm:
            yield realm
    else:
        (folder / "brokers").mkdir()
        async with Cluster(len(plan.brokers), folder=folder / "brokers") as cluster:
            yield Open(cluster)
