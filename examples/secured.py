"""A realm of identities for the length of a run: what ``--secure`` makes of the demos.

A realm in the run's folder, its nats-servers with TLS and permissions, and an enroller, which makes the realm's
streams. Each process has an identity of its own, for an hour; frames are signed, and the broker lets each node do what
agents do.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from agentbus import Node, StreamLimits
from agentbus.security import Credentials, Identity, KeyPair
from agentbus.security.enroller.service import Enroller
from agentbus.security.realm.folder import ENROLLER, RealmFolder, create
from agentbus.security.realm.issuing import Wanted
from agentbus.security.realm.permissions import Layout
from agentbus.testing import RealmCluster
from agentbus.testing.cluster import free_ports

VALID_S = 3600


class Secured:
    """A realm that is served.

    Args:
        realm: its folder.
        cluster: its servers.
    """

    def __init__(self, realm: RealmFolder, cluster: RealmCluster) -> None:
        self._realm = realm
        self.cluster = cluster

    def identity(self, node: str, names: Sequence[str], jobs: Sequence[str] = ()) -> Path:
        """The file of a new identity: of a node, the agents that it may host, and the jobs that it works on."""
        pair = KeyPair.create()
        wanted = Wanted(key=pair.key, node=node, role="agent", names=tuple(names), jobs=tuple(jobs))
        path = self._realm.folder / f"{node}.id"
        self._realm.enroll(pair, wanted, int(time.time()), VALID_S).save(path)
        return path


@asynccontextmanager
async def secured(
    folder: Path, layout: Layout, *, streams: StreamLimits | None = None, servers: int = 1
) -> AsyncGenerator[Secured]:
    """A realm in that folder, and its servers and enroller, for as long as the context is open.

    Args:
        folder: an empty one.
        layout: what there is in the realm.
        streams: the limits of its streams; by default the enroller's.
        servers: one, or as many as shall be a cluster.

    Raises:
        ServerFailed, NotConnected, StorageFailed: it does not come up.
    """
    ports = free_ports(2 * servers if servers > 1 else 1)
    made = create(folder / "realm", layout, now_s=int(time.time()), ports=ports, servers=servers)
    enroller = Identity(Credentials.load(made.enroller / ENROLLER))
    async with (
        RealmCluster(made) as cluster,
        Node(identity=enroller, agents={"enroller": Enroller(made.enroller, streams=streams)}),
    ):
        yield Secured(made, cluster)
