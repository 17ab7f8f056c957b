"""The transport over the embedded nats-server: a share in the server, and a NATS link to wherever it is.

The server is asked for before every attempt to connect, so that one that died is started again and one that moved is
found.
"""

from __future__ import annotations

import asyncio

from ..errors import Unauthorized
from ..transport import LinkWatcher
from .nats import Endpoint, NatsTransport
from .server import EmbeddedServer, acquire_url

ANYWHERE = "nats://127.0.0.1"


class EmbeddedTransport(NatsTransport):
    """`agentbus.transport.Transport` over this user's own nats-server.

    Args:
        where: what follows ``embedded://``: nothing, a name, or an absolute path.
        name: of this connection.
    """

    def __init__(self, where: str, *, name: str = "agentbus") -> None:
        super().__init__(ANYWHERE, name=name, resolve=self._resolve)
        self._where = f"embedded://{where}"
        self._server: EmbeddedServer | None = None

    @property
    def url(self) -> str:
        """See `Transport.url`."""
        return self._where

    async def connect(self, *, timeout_s: float = 10.0, watcher: LinkWatcher | None = None) -> None:
        """See `Transport.connect`. Starts the server if it isn't there. Raises `ServerFailed` as well."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        if self._server is None:
            self._server = await acquire_url(self._where, timeout_s=timeout_s)
        try:
            while True:
                try:
                    await super().connect(timeout_s=max(0.1, deadline - loop.time()), watcher=watcher)
                    return
                except Unauthorized:
                    # Each start of the server has a new password: it was started again in between.
                    if loop.time() >= deadline:
                        raise
        except BaseException:
            self._server.release()
            self._server = None
            raise

    async def close(self, *, timeout_s: float = 1.0) -> None:
        """See `Transport.close`. Gives the share in the server back."""
        try:
            await super().close(timeout_s=timeout_s)
        finally:
            if self._server is not None:
                self._server.release()
                self._server = None

    async def _resolve(self) -> Endpoint:
        assert self._server is not None, "connect before resolving"
        address = await self._server.ensure()
        return Endpoint(url=address.url, user=address.user, password=address.password)
