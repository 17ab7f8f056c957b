"""The wires there are, and which URL means which.

| URL | wire |
|---|---|
| ``memory://`` or ``memory://NAME`` | a broker in this process, for the nodes of one event loop |
| ``embedded://`` or ``embedded://NAME`` | the nats-server that this user's processes share; started when needed |
| ``nats://[USER:PASSWORD@]HOST[:PORT][,...]`` | a nats-server |
| ``tls://...`` | a nats-server that must speak TLS |
"""

from __future__ import annotations

import os

from ..errors import ConfigurationError, UnknownScheme
from ..transport import Transport

ENVIRONMENT = "AGENTBUS_URL"
DEFAULT = "embedded://"
SCHEMES = ("memory://", "embedded://", "nats://", "tls://")


def open_transport(url: str | None, *, name: str) -> Transport:
    """A transport for a URL, not connected yet.

    Args:
        url: None for the environment's ``AGENTBUS_URL``, or else the embedded server.
        name: the node's, for the broker's logs.

    Raises:
        UnknownScheme: no wire of that scheme.
    """
    url = url or os.environ.get(ENVIRONMENT) or DEFAULT
    scheme, separator, rest = url.partition("://")
    match scheme if separator else "":
        case "memory":
            from .memory import MemoryBroker, MemoryTransport

            try:
                broker = MemoryBroker.named(rest)
            except RuntimeError:
                text = f"{url}: such a broker belongs to an event loop: make the Node inside a coroutine"
                raise ConfigurationError(text) from None
            return MemoryTransport(broker, name=name)
        case "embedded":
            from .embedded import EmbeddedTransport

            return EmbeddedTransport(rest, name=name)
        case "nats" | "tls":
            from .nats import NatsTransport

            return NatsTransport(url, name=name)
        case _:
            shown = f"{scheme}://..." if separator else url.rpartition("@")[2]  # without what may be a password
            raise UnknownScheme(f"{shown!r}: no transport of that scheme: use one of {', '.join(SCHEMES)}")
