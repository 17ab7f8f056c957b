"""One scenario, two wires: the memory transport in virtual time, and a real nats-server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Protocol

import pytest

from agentbus.transport import Transport
from agentbus.transports.memory import MemoryBroker, MemoryTransport
from agentbus.transports.nats import NatsTransport
from tests.nats_server import NatsServer
from tests.virtual_loop import run_virtually


class World(Protocol):
    """A broker, connections to it, and its switch."""

    async def link(self) -> Transport: ...
    async def stop(self) -> None: ...
    async def start(self) -> None: ...


class MemoryWorld:
    def __init__(self) -> None:
        self.broker = MemoryBroker(rng=Random(5), reconnect_s=(0.1, 0.5))
        self.links: list[Transport] = []

    async def link(self) -> Transport:
        self.links.append(MemoryTransport(self.broker))
        await self.links[-1].connect()
        return self.links[-1]

    async def stop(self) -> None:
        self.broker.stop_broker()

    async def start(self) -> None:
        self.broker.start_broker()


class NatsWorld:
    def __init__(self, server: NatsServer) -> None:
        self.server = server
        self.links: list[Transport] = []

    async def link(self) -> Transport:
        self.links.append(NatsTransport(self.server.url, name="storage"))
        await self.links[-1].connect()
        return self.links[-1]

    async def stop(self) -> None:
        await asyncio.to_thread(self.server.stop, kill=True)

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)


Scenario = Callable[[World], Awaitable[None]]
Play = Callable[[Scenario], None]


async def played(scenario: Scenario, world: MemoryWorld | NatsWorld) -> None:
    try:
        await scenario(world)
    finally:
        for link in world.links:
            await link.close()


@contextmanager
def serving(folder: Path) -> Iterator[NatsServer]:
    server = NatsServer(folder, extra="max_payload: 65536")
    server.start()
    try:
        yield server
    finally:
        server.stop(kill=True)


@pytest.fixture(params=["memory", "nats"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Play]:
    """Plays a scenario on one of the wires."""
    if request.param == "memory":
        yield lambda scenario: run_virtually(played(scenario, MemoryWorld()))
        return
    with serving(tmp_path) as server:
        yield lambda scenario: asyncio.run(played(scenario, NatsWorld(server)))


@pytest.fixture
def play_in_memory() -> Play:
    """Plays a scenario in virtual time."""
    return lambda scenario: run_virtually(played(scenario, MemoryWorld()))
