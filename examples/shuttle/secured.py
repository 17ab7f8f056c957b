"""The same run in a realm of identities: ``--secure``.

The run makes a realm, its nats-server with TLS and permissions, and an enroller, which makes the realm's streams. Each
process has an identity of its own, for an hour; frames are signed, and the broker lets each node do what agents do.
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
from agentbus.security.realm.serving import serve_realm
from agentbus.transports.server_guardian import free_port

VALID_S = 3600
HOST = "127.0.0.1"


class Secured:
    """A realm that is served.

    Args:
        realm: its folder.
    """

    def __init__(self, realm: RealmFolder) -> None:
        self._realm = realm

    def identity(self, node: str, names: Sequence[str]) -> Path:
        """The file of a new identity: of a node, and the agents that it may host."""
        pair = KeyPair.create()
        wanted = Wanted(key=pair.key, node=node, role="agent", names=tuple(names))
        path = self._realm.folder / f"{node}.id"
        self._realm.enroll(pair, wanted, int(time.time()), VALID_S).save(path)
        return path


@asynccontextmanager
async def secured(folder: Path, realm: str, limits: StreamLimits) -> AsyncGenerator[Secured]:
    """A realm in that folder, and its server and enroller, for as long as the context is open.

    Raises:
        ServerFailed, NotConnected: it does not come up.
    """
    now_s = int(time.time())
    made = create(folder / "realm", Layout(realm=realm), now_s=now_s, port=free_port(HOST, 0))
    enroller = Identity(Credentials.load(made.enroller / ENROLLER))
    async with (
        serve_realm(made, now_s=now_s),
        Node(identity=enroller, agents={"enroller": Enroller(made.enroller, streams=limits)}),
    ):
        yield Secured(made)
