"""Brokers for whole-system tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nats_server import NatsServer


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path).start()
    yield server
    server.stop(kill=True)


@pytest.fixture(params=["memory", "embedded", "nats"])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """One URL of each kind of wire, on a broker of the test's own."""
    if request.param == "memory":
        yield "memory://integration"
    elif request.param == "embedded":
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AGENTBUS_HOME", str(tmp_path / "home"))
            yield "embedded://integration"
    else:
        server = NatsServer(tmp_path).start()
        yield server.url
        server.stop(kill=True)


@pytest.fixture(params=["memory", "nats"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a test's nodes meet: in memory, or on a nats-server of the test's own."""
    if request.param == "memory":
        yield "memory://hall"
    else:
        server = NatsServer(tmp_path).start()
        yield server.url
        server.stop(kill=True)


async def restarted(server: NatsServer) -> None:
    """Kills the broker and starts it again, without holding the event loop up."""
    await asyncio.to_thread(server.restart)
