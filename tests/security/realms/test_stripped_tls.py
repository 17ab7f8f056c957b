"""TLS taken away: an identity says nothing to a server without it, nor to one that it does not trust."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agentbus import Node
from agentbus.errors import AgentBusError, NotConnected
from agentbus.security import Credentials, Identity
from agentbus.security.realm.certificates import authority, server_certificate
from agentbus.security.realm.folder import create
from agentbus.security.realm.permissions import Layout
from tests.security.realms.world import World

INFO = {
    "server_id": "N" * 56,
    "version": "2.15.0",
    "max_payload": 1 << 20,
    "headers": True,
    "nonce": "bm9uY2U",
    "auth_required": True,
}


class Capture:
    """A server that keeps every byte it is told, and says what a NATS server would."""

    def __init__(self, *, greets: bool, info: dict[str, object]) -> None:
        self.data = b""
        self.port = 0
        self._greets = greets
        self._info = info

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._greets:
                writer.write(b"INFO " + json.dumps({**INFO, **self._info}).encode() + b"\r\n")
            while data := await reader.read(65536):
                self.data += data
                if b"PING" in data:
                    writer.write(b"PONG\r\n")
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def capturing(
    *, greets: bool = True, tls: ssl.SSLContext | None = None, info: dict[str, object] | None = None
) -> AsyncIterator[Capture]:
    capture = Capture(greets=greets, info=info or {})
    server = await asyncio.start_server(capture.serve, "127.0.0.1", 0, ssl=tls)
    capture.port = server.sockets[0].getsockname()[1]
    try:
        yield capture
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    """Of a realm whose servers are not running."""
    world = World.__new__(World)
    world.realm = create(tmp_path / "realm", Layout(realm="plant"), now_s=int(time.time()), port=1)
    return world.credentials("node")


def at(credentials: Credentials, port: int, *, first: bool, scheme: str = "tls") -> Identity:
    realm = replace(credentials.realm, urls=(f"{scheme}://127.0.0.1:{port}",), tls_first=first)
    return Identity(replace(credentials, realm=realm))


def nothing_said(capture: Capture, credentials: Credentials) -> None:
    """Neither what is secret nor what is merely not meant for it."""
    for word in (b"CONNECT", b"jwt", b"sig", credentials.jwt.encode(), credentials.pair.public.encode()):
        assert word not in capture.data
    assert credentials.pair.reveal_seed().encode() not in capture.data


@pytest.mark.parametrize("first", [True, False], ids=["handshake-first", "info-first"])
@pytest.mark.parametrize("scheme", ["tls", "nats"])
@pytest.mark.parametrize(
    "offers", [{}, {"tls_required": True}, {"tls_available": True}], ids=["no", "required", "available"]
)
async def test_a_plaintext_server(
    credentials: Credentials, first: bool, scheme: str, offers: dict[str, object]
) -> None:
    async with capturing(info=offers) as capture:
        with pytest.raises(NotConnected):
            await Node(identity=at(credentials, capture.port, first=first, scheme=scheme)).start(timeout_s=1.0)
        nothing_said(capture, credentials)
        if capture.data:
            assert capture.data[:2] == b"\x16\x03", "a TLS handshake, and nothing else"


async def test_a_server_that_says_nothing(credentials: Credentials) -> None:
    async with capturing(greets=False) as capture:
        with pytest.raises(NotConnected):
            await Node(identity=at(credentials, capture.port, first=True)).start(timeout_s=1.0)
        assert capture.data[:2] == b"\x16\x03"
        nothing_said(capture, credentials)


@pytest.mark.parametrize("first", [True, False], ids=["handshake-first", "info-first"])
async def test_a_server_of_another_authority(credentials: Credentials, tmp_path: Path, first: bool) -> None:
    """Someone in between, with a certificate of their own for the same address."""
    now = datetime.now(UTC)
    ca, ca_key = authority("plant", now)
    certificate, key = server_certificate(ca, ca_key, ["127.0.0.1"], now)
    (tmp_path / "cert.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    async with capturing(tls=context) as capture:
        with pytest.raises(AgentBusError, match=r"is not trusted|TLS with|handshake"):
            await Node(identity=at(credentials, capture.port, first=first)).start(timeout_s=1.0)
        assert capture.data == b""


async def test_an_older_tls(credentials: Credentials, tmp_path: Path) -> None:
    tls = tmp_path / "realm" / "servers" / "tls"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "server.pem", tls / "server.key")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with capturing(tls=context) as capture:
        with pytest.raises(NotConnected):
            await Node(identity=at(credentials, capture.port, first=True)).start(timeout_s=1.0)
        assert capture.data == b""


async def test_the_other_names_of_the_server_are_good_too(world: World) -> None:
    identity = world.identity("node")
    url = f"tls://localhost:{world.port}"
    async with Node(url, identity=identity) as node:
        assert node.transport.connected
