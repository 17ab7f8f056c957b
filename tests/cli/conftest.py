"""Fixtures of the command's tests: a nats-server for all of a module, realms of their own, a folder with agents."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import HOUSE
from tests.nats_server import NatsServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A running nats-server."""
    running = NatsServer(tmp_path_factory.mktemp("nats"))
    running.start()
    yield running
    running.stop(kill=True)


@pytest.fixture
def realm() -> str:
    """A realm that no other test is in."""
    return f"r{secrets.token_hex(6)}"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with a module of agents, ``house``."""
    (tmp_path / "house.py").write_text(HOUSE)
    return tmp_path
