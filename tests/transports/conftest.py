"""Fixtures of the transports' tests: real nats-servers, and transports that are closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentbus.testing import Cluster
from agentbus.transport import LinkWatcher
from agentbus.transports.nats import NatsTransport
from tests.nats_server import NatsServer

Connect = Callable[..., Awaitable[NatsTransport]]


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A running server with JetStream, of this test alone."""
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.stop(kill=True)


@pytest.fixture
def nats_servers(tmp_path: Path) -> Iterator[Callable[..., NatsServer]]:
    """Makes servers, not started yet; ended with the test."""
    made: list[NatsServer] = []

    def make(**options: Any) -> NatsServer:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(NatsServer(folder, **options))
        return made[-1]

    yield make
    for server in made:
        server.stop(kill=True)


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connects transports, and closes them at the end."""
    made: list[NatsTransport] = []

    async def open_transport(
        url: str, *, timeout_s: float = 5.0, watcher: LinkWatcher | None = None, **options: Any
    ) -> NatsTransport:
        transport = NatsTransport(url, **options)
        made.append(transport)
        await transport.connect(timeout_s=timeout_s, watcher=watcher)
        return transport

    yield open_transport
    for transport in made:
        await transport.close()


@pytest.fixture
async def one_of_three() -> AsyncIterator[str]:
    """The URL of a cluster of three servers."""
    async with Cluster(3) as cluster:
        yield cluster.url
