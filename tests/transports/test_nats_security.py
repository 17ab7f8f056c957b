"""Credentials and TLS: who is let in, what is said to whom, and that every failure ends in time."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import nkeys
import pytest
import structlog
import uvloop

from agentbus.errors import NotConnected, Unauthorized
from agentbus.security import KeyPair
from agentbus.transports.nats import Endpoint, NatsTransport
from tests.nats_server import NatsServer

from .conftest import Connect
from .nats_world import FakeBroker, Heard, certificates, until

Servers = Callable[..., NatsServer]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("tls"))


def tls_block(authority: Path, more: str = "") -> str:
    return f'tls {{ cert_file: "{authority / "cert.pem"}", key_file: "{authority / "key.pem"}" {more} }}'


def trusting(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority / "ca.pem"))


async def check_works(transport: NatsTransport) -> None:
    heard = Heard()
    transport.subscribe("a", heard)
    large = bytes(range(256)) * 3000
    transport.send("a", large)
    transport.send("a", b"x")
    await transport.flush()
    assert heard.bodies == [large, b"x"]


@pytest.mark.parametrize("more", ["", ", handshake_first: true"], ids=["info-then-upgrade", "handshake-first"])
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_tls(nats_servers: Servers, authority: Path, more: str, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    server = nats_servers(extra=tls_block(authority, more)).start()

    async def program() -> None:
        transport = NatsTransport(f"tls://{server.where}", tls=trusting(authority), tls_first=bool(more))
        await transport.connect()
        try:
            await check_works(transport)
            await asyncio.to_thread(server.restart)
            await until(lambda: transport.statistics().reconnects == 1 and transport.connected, "back over TLS")
            await transport.flush()
        finally:
            await transport.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(program())


async def test_row_tls_server_without_tls(connect: Connect) -> None:
    """nats-py: tls:// with an SSLContext accepts a server without TLS, and sends credentials in the clear."""
    async with FakeBroker(info={"auth_required": True}) as broker:
        for options in ({}, {"tls": ssl.create_default_context()}):
            started = time.monotonic()
            with pytest.raises(NotConnected, match=rf"{broker.where} offers no TLS: credentials were not sent"):
                await connect(f"tls://user:secret@{broker.where}", **options)
            with pytest.raises(NotConnected, match="no TLS"):
                await connect(f"nats://{broker.where}", tls=ssl.create_default_context(), user="u", password="secret")
            assert time.monotonic() - started < 1.0, "trying again cannot help"
        assert broker.lines == []


async def test_tls_where_the_server_only_offers_it(nats_servers: Servers, authority: Path, connect: Connect) -> None:
    server = nats_servers(extra=f"{tls_block(authority)}\nallow_non_tls: true").start()
    secure = await connect(f"tls://{server.where}", tls=trusting(authority))
    await check_works(secure)
    assert secure._links.link._wire.get_extra_info("ssl_object") is not None  # type: ignore[union-attr]
    await check_works(await connect(f"nats://{server.where}"))


async def test_row_wrong_certificate(nats_servers: Servers, authority: Path, connect: Connect) -> None:
    """nats-py: connecting to a server with a wrong certificate can hang (#490, #718)."""
    server = nats_servers(extra=tls_block(authority)).start()
    started = time.monotonic()
    with pytest.raises(NotConnected, match=rf"certificate of {server.where} is not trusted .*cafile"):
        await connect(f"tls://user:secret@{server.where}")
    with pytest.raises(NotConnected, match="not trusted"):
        await connect(f"tls://{server.where}", tls=trusting(authority), tls_hostname="elsewhere.example")
    assert time.monotonic() - started < 2.0, "trying again cannot help"


async def test_a_silent_tls_server_has_a_deadline(connect: Connect) -> None:
    async with FakeBroker(mute=True) as broker:
        with pytest.raises(NotConnected, match="did not complete the handshake"):
            await connect(f"tls://{broker.where}", tls_first=True, timeout_s=0.5)


async def test_wrong_password(nats_servers: Servers, connect: Connect) -> None:
    server = nats_servers(extra="authorization { user: node, password: right-secret }").start()
    with structlog.testing.capture_logs() as logs, pytest.raises(Unauthorized) as caught:
        await connect(f"nats://node:wrong-secret@{server.where}")
    assert f"{server.where} refused the credentials" in str(caught.value)
    assert "secret" not in f"{caught.value!r} {logs}"
    assert caught.value.__cause__ is None
    with pytest.raises(Unauthorized):
        await connect(server.url)


async def test_ways_to_be_let_in(nats_servers: Servers, connect: Connect) -> None:
    server = nats_servers(extra="authorization { user: node, password: 'p@ss' }").start()
    await check_works(await connect(f"nats://node:p%40ss@{server.where}"))
    await check_works(await connect(server.url, user="node", password="p@ss"))
    by_token = nats_servers(extra="authorization { token: t0ken }").start()
    await check_works(await connect(f"nats://t0ken@{by_token.where}"))
    await check_works(await connect(by_token.url, token="t0ken"))


async def test_nkey(nats_servers: Servers, connect: Connect) -> None:
    pair = nkeys.from_seed(b"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY")
    server = nats_servers(extra=f"authorization {{ users: [{{ nkey: {pair.public_key.decode()} }}] }}").start()
    await check_works(await connect(server.url, nkey_seed=pair.seed.decode()))
    with pytest.raises(Unauthorized, match="can't be used") as caught:
        await connect(server.url, nkey_seed="not-a-seed-but-secret")
    assert "secret" not in str(caught.value)


async def test_a_missing_creds_file_is_named(nats_server: NatsServer, connect: Connect, tmp_path: Path) -> None:
    """Also where the server would not ask for it: whoever names a file means it."""
    missing = tmp_path / "node.creds"
    async with FakeBroker(info={"auth_required": True, "nonce": "abc"}) as broker:
        with pytest.raises(Unauthorized, match=r"can't be read: No such file.*node\.creds"):
            await connect(f"nats://{broker.where}", creds_file=str(missing))


@pytest.mark.parametrize(
    "nonce", ["agentbus frame v2\0" + 32 * "d", "agentbus enrolment v1\0", "", "a b", 300 * "a", 7, ["a"]], ids=repr
)
async def test_a_server_gets_no_signature_of_what_it_likes(connect: Connect, nonce: object) -> None:
    """The key that answers a server's nonce is the one that signs frames: what could be a frame's is no nonce."""
    asked: list[bytes] = []

    def sign(message: bytes) -> bytes:
        asked.append(message)
        return bytes(64)

    async with FakeBroker(info={"auth_required": True, "nonce": nonce}) as broker:

        async def endpoint() -> Endpoint:
            return Endpoint(url=f"nats://{broker.where}", jwt="x.y.z", sign=sign)

        with pytest.raises(NotConnected, match="nonce"):
            await connect(f"nats://{broker.where}", resolve=endpoint, timeout_s=0.5)
        assert asked == []
        assert not any(line.startswith(b"CONNECT") for line in broker.lines)


async def test_no_seed_signs_what_is_no_nonce(connect: Connect) -> None:
    seed = KeyPair.create().reveal_seed()
    async with FakeBroker(info={"auth_required": True, "nonce": "agentbus frame v2\0" + 32 * "d"}) as broker:
        with pytest.raises(NotConnected, match="nonce"):
            await connect(f"nats://{broker.where}", nkey_seed=seed, timeout_s=0.5)
        assert not any(line.startswith(b"CONNECT") for line in broker.lines)
