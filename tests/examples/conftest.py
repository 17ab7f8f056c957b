"""A broker for the examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nats_server import NatsServer


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[NatsServer]:
    """A nats-server of this test's own."""
    folder = tmp_path / "broker"
    folder.mkdir()
    server = NatsServer(folder)
    server.start()
    yield server
    server.stop(kill=True)
