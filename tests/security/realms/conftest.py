"""Fixtures of the security room's tests: realms with real nats-servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .world import World, Worlds


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Worlds]:
    """Makes realms, their servers started; ended with the test."""
    made: list[World] = []

    def make(*, servers: int = 1, **layout: Any) -> World:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        world = World(folder, servers=servers, **layout)
        made.append(world)
        for number in range(servers):
            world.start(number + 1)
        return world

    yield make
    for world in made:
        world.stop()


@pytest.fixture
def world(worlds: Worlds) -> World:
    """A realm of one server, running."""
    return worlds()
