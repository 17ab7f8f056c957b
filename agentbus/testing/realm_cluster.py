"""The nats-servers of a realm of identities (`agentbus.security`), which can be killed and started again.

As `Cluster`, with TLS, permissions and all that stands in the realm's folder. Invariant: nothing but the realm's folder
is written to, and what is asked of the servers is asked by an operator's identity, enrolled for it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import AgentBusError, ConfigurationError
from ..security.identity import Identity
from ..security.keys import KeyPair
from ..security.realm.folder import RealmFolder
from ..security.realm.issuing import Wanted
from ..transport import Headers
from .cluster import ASK_S, Cluster

ASKS_AS = "cluster-probe"
"""The node in whose name servers are asked."""
VALID_S = 86400


class RealmCluster(Cluster):
    """All servers of a realm, on this machine. An async context manager: starts them, and stops them at the end.

    Args:
        realm: its folder, ``offline/`` or not; the servers of its URLs are on loopback (`create` with ``ports``).

    Raises:
        ConfigurationError: it has no signing key for an operator.
    """

    def __init__(self, realm: RealmFolder) -> None:
        super().__init__(realm.state.servers, folder=realm.folder / "servers")
        self._urls = tuple(realm.public.urls)
        self._ports = [_port(url) for url in self._urls]
        self._probe = (f"agentbus_{realm.public.realm}_dead", f"{realm.public.realm}.dead.>")
        self._realm = realm
        pair = KeyPair.create()
        wanted = Wanted(key=pair.key, node=ASKS_AS, role="operator")
        self._operator = realm.enroll(pair, wanted, int(time.time()), VALID_S)

    def url_of(self, index: int) -> str:
        """One server's URL; who connects to it needs an identity."""
        return self._urls[index]

    # Inside.

    def _name(self, index: int) -> str:
        return f"{self._realm.public.realm}-{index + 1}"

    def _home(self, index: int) -> Path:
        return self._realm.server(index + 1).absolute()

    def _furnish(self, index: int) -> None:
        """The realm has its configuration."""

    async def _asked(self, index: int, call: str, request: Mapping[str, Any]) -> dict[str, Any]:
        transport = Identity(self._operator).connection(self.url_of(index))
        answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def receive(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
            if not answered.done():
                answered.set_result(json.loads(body) if body else {"error": {"description": "JetStream is not up yet"}})

        try:
            async with asyncio.timeout(ASK_S):
                await transport.connect(timeout_s=ASK_S)
                inbox = f"{transport.inbox}.probe"
                transport.subscribe(inbox, receive)
                transport.send(f"$JS.API.{call}", json.dumps(request).encode(), reply=inbox)
                return await answered
        except (AgentBusError, TimeoutError) as error:
            return {"error": {"description": str(error) or "no answer"}}
        finally:
            await transport.close()


def _port(url: str) -> int:
    port = urlsplit(url).port
    if port is None:
        raise ConfigurationError(f"the realm's server {url!r} has no port")
    return port
