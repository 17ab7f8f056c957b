"""Where a NATS broker is and what it is told: an `Endpoint`, and the servers that its URL names.

Invariants: neither the `repr` of anything here nor the text of an error holds a secret. Everything is frozen.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from ..errors import ConfigurationError, UnknownScheme

DEFAULT_PORT = 4222


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A broker and the credentials for it. What stands here wins over what stands in the URL.

    Attributes:
        url: ``nats://host:port`` or ``tls://host:port``, with ``user:password@`` or ``token@`` before the host where
            wanted (percent-encoded); several joined by commas are servers of one cluster.
        user: with `password`.
        password: with `user`.
        token: in place of the two.
        creds_file: path of a ``.creds`` file (a JWT and its seed), read anew at each attempt. Needs ``nkeys``.
        nkey_seed: the seed itself. Needs ``nkeys``.
        jwt: a user's JWT, with `sign`.
        sign: signs what the server asks to have signed; so the key itself stays elsewhere.
        tls: how to check the server, and the client's certificate. Given, the link must be TLS.
        tls_first: the server expects the TLS handshake before it says anything (``handshake_first``).
        tls_hostname: the name its certificate must hold, where it is not the URL's.
    """

    url: str = field(repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    creds_file: str = ""
    nkey_seed: str = field(default="", repr=False)
    jwt: str = field(default="", repr=False)
    sign: Callable[[bytes], bytes] | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    tls_first: bool = False
    tls_hostname: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server of an endpoint. `secure`: nothing may be told to it but over TLS."""

    host: str
    port: int
    secure: bool
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @property
    def where(self) -> str:
        """``host:port``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address without credentials."""
        return f"{'tls' if self.secure else 'nats'}://{self.where}"


def servers(endpoint: Endpoint) -> tuple[Server, ...]:
    """The servers that an endpoint's URL names, in its order.

    Raises:
        UnknownScheme: neither ``nats`` nor ``tls``.
        ConfigurationError: not a URL of a host and a port.
    """
    scheme = "nats"
    found: list[Server] = []
    for part in filter(None, (text.strip() for text in endpoint.url.split(","))):
        if "://" in part:
            scheme = part.partition("://")[0]
            if scheme not in ("nats", "tls"):
                raise UnknownScheme(f"scheme {scheme!r} is not NATS: write nats://host:port or tls://host:port")
        found.append(_server(endpoint, part if "://" in part else f"{scheme}://{part}"))
    if not found:
        raise ConfigurationError("a NATS URL is empty: write nats://host:port")
    return tuple(found)


def _server(endpoint: Endpoint, url: str) -> Server:
    host, port, parts = _split(url)
    name = unquote(parts.username or "")
    word = unquote(parts.password or "")
    lone = bool(name) and parts.password is None
    own = bool(endpoint.user or endpoint.token or endpoint.creds_file or endpoint.nkey_seed or endpoint.jwt)
    return Server(
        host=host,
        port=port,
        secure=parts.scheme == "tls" or endpoint.tls is not None or endpoint.tls_first,
        user=endpoint.user if own or lone else name,
        password=endpoint.password if own or lone else word,
        token=endpoint.token if own or not lone else name,
    )


def _split(url: str) -> tuple[str, int, SplitResult]:
    """Host, port and parts. The errors of `urlsplit` are not passed on: they quote the URL, and so its password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        host, port, parts = None, 0, None
    if not host or parts is None:
        raise ConfigurationError("a NATS URL names no host and port: write nats://host:port, user:password@ encoded")
    return host, port, parts
