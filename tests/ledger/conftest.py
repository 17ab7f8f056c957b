"""Fixtures of the ledger's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.nats_server import NatsServer


@pytest.fixture(scope="module")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a nats-server with JetStream."""
    server = NatsServer(tmp_path_factory.mktemp("nats")).start()
    yield server.url
    server.stop(kill=True)
