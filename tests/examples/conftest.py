"""A broker for the examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.nats_server import NatsServer


@pytest.fixture(autouse=True)
def logs_not_set_up() -> Iterator[None]:
    """An example sets logs up itself: as a program does, not as a test before it has left them."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[NatsServer]:
    """A nats-server of this test's own."""
    folder = tmp_path / "broker"
    folder.mkdir()
    server = NatsServer(folder)
    server.start()
    yield server
    server.stop(kill=True)
