"""Where the room's tests meet: in memory, or on a nats-server of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nats_server import NatsServer


@pytest.fixture(params=["memory", "nats"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """One URL of each kind of wire."""
    if request.param == "memory":
        yield "memory://security"
    else:
        server = NatsServer(tmp_path).start()
        yield server.url
        server.stop(kill=True)
