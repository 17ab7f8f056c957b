"""Fixtures of the benchmarks' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nats_server import NatsServer


@pytest.fixture
def bench_server(tmp_path: Path) -> Iterator[str]:
    """The URL of a nats-server of this test alone."""
    server = NatsServer(tmp_path).start()
    yield server.url
    server.stop(kill=True)
