"""``--secure``: the run in a realm of identities."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from agentbus import Agent, Node
from agentbus.security import Identity
from agentbus.security.realm.permissions import Layout
from agentbus.testing import Cluster
from examples.secured import Secured, secured

from .plan import AGENTS, JOB, REALM, Plan


class Identified:
    """Each process has an identity of its own, which says what its node may host; a `Ground`.

    Args:
        plan: who there is.
        keys: the realm.
    """

    def __init__(self, plan: Plan, keys: Secured) -> None:
        self._keys = keys
        self._files = {name: keys.identity(name, (*AGENTS, name), (JOB,)) for name in plan.names}

    @property
    def cluster(self) -> Cluster:
        """See `Ground`."""
        return self._keys.cluster

    def node(self, name: str, agents: Mapping[str, Agent]) -> Node:
        """See `Ground`."""
        return Node(identity=Identity.load(self._keys.identity(name, tuple(agents), (JOB,))), agents=agents)

    def words(self, name: str) -> Sequence[str]:
        """See `Ground`."""
        return ("--identity", str(self._files[name]))


@asynccontextmanager
async def identified(plan: Plan, folder: Path) -> AsyncGenerator[Identified]:
    """The realm of a run in a folder, for as long as the context is open. Raises as `secured`."""
    async with secured(folder, Layout(realm=REALM, jobs=(JOB,)), servers=len(plan.brokers)) as keys:
        yield Identified(plan, keys)
