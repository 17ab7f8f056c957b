"""Opens a link: nats-py shakes hands with one server, then a `Link` takes its socket over.

Invariants: CONNECT, the one line with credentials in it, is not even built before the socket is TLS where that was
asked for; every attempt ends by its deadline and leaves no socket behind when it fails; no error text holds a secret.

The only module that imports nats.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
import ssl
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from nats import errors as nats_errors
from nats.aio.client import Client
from nats.aio.transport import TcpTransport

from ..errors import ConfigurationError, NotConnected, Unauthorized
from .nats_endpoint import Endpoint, Server
from .nats_link import Link, Owner
from .nats_wire import View

CLIENT_FLOOR = (2, 16)
"""nats-py before it lets a line break in a subject inject protocol commands."""
SERVER_FLOOR = (2, 14)

_NONCE = re.compile(r"[A-Za-z0-9+/_=-]{1,128}")
_DENIED = ("authorization", "authentication", "account", "credential", "revoked", "not allowed")


class TlsRefused(NotConnected):
    """There is no trustworthy TLS to this server. Trying again without a change does not help."""

    retryable = False


def check_nonce(nonce: object, where: str) -> None:
    """Raises `NotConnected` when a server wants something signed that is no nonce. The key that answers signs other
    things, too, an identity's frames among them: a server that may choose what is signed could speak in its name. A
    nonce is base64; all else that is signed has a space, a dot, a zero byte or a line break in it."""
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise NotConnected(f"{where} wants a signature of what is no nonce of a nats-server: do not trust it")


def version_of(text: str) -> tuple[int, ...]:
    """``2.15.1-beta`` as (2, 15); () for what is not a version."""
    head = text.split(".")[:2]
    return tuple(map(int, head)) if len(head) == 2 and all(part.isdigit() for part in head) else ()


def _signing(sign: Callable[[bytes], bytes]) -> Callable[[str], bytes]:
    """As nats-py wants to have a server's nonce signed."""
    return lambda nonce: b64encode(sign(nonce.encode()))


def check_client(version: str) -> None:
    """Raises `ConfigurationError` when this nats-py is too old."""
    if version_of(version) < CLIENT_FLOOR:
        raise ConfigurationError(f"nats-py {version} is too old: install nats-py 2.16 or newer")


check_client(importlib.metadata.version("nats-py"))


class _Handshake(Client):
    """nats-py's client up to the moment at which it is connected; it runs no task of its own after that."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server

    async def open(self, endpoint: Endpoint, name: str, context: ssl.SSLContext | None, timeout_s: float) -> None:
        server = self._server
        options: dict[str, Any] = {
            "user": server.user or None,
            "password": server.password if server.user else None,
            "token": server.token or None,
            "user_credentials": endpoint.creds_file or None,
            "nkeys_seed_str": endpoint.nkey_seed or None,
            "tls": context,
            "tls_hostname": endpoint.tls_hostname or None,
            "tls_handshake_first": endpoint.tls_first,
        }
        if endpoint.jwt and endpoint.sign is not None:
            options["user_jwt_cb"] = endpoint.jwt.encode
            options["signature_cb"] = _signing(endpoint.sign)
        await self.connect(
            [server.url],
            name=name,
            error_cb=self._ignore,
            allow_reconnect=False,
            connect_timeout=timeout_s,  # pyright: ignore[reportArgumentType]  # a float does as well
            **options,
        )

    def take_over(self, interests: View, owner: Owner) -> Link:
        """The link, which keeps this client alive: its stream writer warns when it goes before the socket."""
        transport = self._transport
        assert isinstance(transport, TcpTransport)
        reader, writer = transport._io_reader, transport._io_writer  # pyright: ignore[reportPrivateUsage]
        assert reader is not None
        assert writer is not None
        link = _ClientLink(self, self._server.where, dict(self._server_info), interests, owner)
        early = bytes(reader._buffer)  # pyright: ignore
        link.take_over(writer.transport, early)  # pyright: ignore[reportArgumentType]  # a Transport, not only its half
        return link

    def abort(self) -> None:
        """Leaves no socket behind."""
        transport = self._transport
        if isinstance(transport, TcpTransport):
            for writer in (transport._io_writer, transport._bare_io_writer):  # pyright: ignore[reportPrivateUsage]
                if writer is not None:
                    writer.transport.abort()

    # nats-py's own machinery, switched off

    async def _ignore(self, error: Exception) -> None:
        """An error that is raised, or told by the link, as well."""

    async def _read_loop(self) -> None:
        """The link reads."""

    async def _ping_interval(self) -> None:
        """The link pings."""

    async def _flusher(self) -> None:
        """The link writes."""

    async def _select_next_server(self) -> None:
        """One attempt at one server: the supervisor decides what comes after it."""
        server = self._server_pool[0]
        await self._connect_to_server(server)
        self._current_server = server

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if self._server.secure and info.get("tls_available"):
            info["tls_required"] = True

    def _connect_command(self) -> bytes:
        transport = self._transport
        assert isinstance(transport, TcpTransport)
        writer = transport._io_writer  # pyright: ignore[reportPrivateUsage]
        if self._server.secure and (writer is None or writer.get_extra_info("ssl_object") is None):
            raise TlsRefused(
                f"{self._server.where} offers no TLS: credentials were not sent; "
                "configure tls on the server, or write nats:// to go without"
            )
        if self._signature_cb is not None and "nonce" in self._server_info:
            check_nonce(self._server_info["nonce"], self._server.where)
        return super()._connect_command()


class _ClientLink(Link):
    """A link and the client that opened it."""

    def __init__(self, client: Client, where: str, info: dict[str, Any], interests: View, owner: Owner) -> None:
        super().__init__(where, info, interests, owner)
        self._client = client


async def open_link(
    server: Server,
    endpoint: Endpoint,
    interests: View,
    owner: Owner,
    *,
    name: str,
    context: ssl.SSLContext | None,
    timeout_s: float,
) -> Link:
    """A link to `server`.

    Raises:
        NotConnected: refused, silent, or not a NATS server.
        TlsRefused: no TLS, or a certificate that is not trusted.
        Unauthorized: the server does not accept the credentials, or they can't be read.
        ConfigurationError: a package that these credentials need is missing.
    """
    client = _Handshake(server)
    done = False
    try:
        async with asyncio.timeout(timeout_s):
            await client.open(endpoint, name, context, timeout_s)
        if not client.is_connected:
            raise NotConnected(f"{server.where} hung up during the handshake: look into its log")
        link = client.take_over(interests, owner)
        done = True
        return link
    except (NotConnected, asyncio.CancelledError):
        raise
    except ImportError:
        raise ConfigurationError("NKEY credentials need the package nkeys: pip install nkeys") from None
    except Exception as error:
        raise _explained(error, server, timeout_s) from None
    finally:
        if not done:
            client.abort()


def _explained(error: Exception, server: Server, timeout_s: float) -> Exception:
    """What an attempt failed of, with the remedy."""
    where = server.where
    if isinstance(error, TimeoutError):
        return NotConnected(
            f"{where} did not complete the handshake within {timeout_s:.3g} s: check that it is a NATS server and not "
            "overloaded, and whether it expects TLS first (tls_first=True)"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsRefused(
            f"the certificate of {where} is not trusted ({error.verify_message}): pass tls=ssl.create_default_context("
            "cafile=...) with the authority that signed it, and use a host name that it holds"
        )
    if isinstance(error, ssl.SSLError):
        return TlsRefused(f"TLS with {where} failed ({error.reason or type(error).__name__}): check both certificates")
    if isinstance(error, OSError):
        return _unreachable(error, where)
    if isinstance(error, nats_errors.Error):
        return _refused(str(error), where)
    return Unauthorized(f"the credentials for {where} can't be used: {type(error).__name__}")


def _unreachable(error: OSError, where: str) -> Exception:
    if error.filename:
        return Unauthorized(f"the credentials for {where} can't be read: {error.strerror}: {error.filename}")
    return NotConnected(f"{where} can't be reached ({error}): start a nats-server there, or check the address")


def _refused(text: str, where: str) -> Exception:
    if any(word in text.lower() for word in _DENIED):
        return Unauthorized(f"{where} refused the credentials ({text}): check user and password, token or creds")
    return NotConnected(f"{where} refused the connection: {text}")
