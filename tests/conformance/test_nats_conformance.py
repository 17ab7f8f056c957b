"""The NATS transport keeps every promise of `agentbus.transport`, on a real nats-server, on both event loops."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from agentbus.testing.conformance import CHECKS, OUTAGE_CHECKS, Check
from agentbus.transport import Transport
from agentbus.transports.nats import NatsTransport
from tests.nats_server import NatsServer


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop(kill=True)


class Broker:
    """Stops and starts a server for the kit."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server

    async def stop(self) -> None:
        await asyncio.to_thread(self._server.stop, kill=True)

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)


async def run(check: Check, server: NatsServer, broker: Broker | None = None) -> None:
    async def factory() -> Transport:
        transport = NatsTransport(server.url, name="conformance")
        await transport.connect()
        return transport

    await check.run(factory, broker=broker)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not {task.get_name() for task in others if task.get_name().startswith("nats-")}


@pytest.mark.parametrize("check", CHECKS, ids=str)
async def test_promise(check: Check, shared_server: NatsServer) -> None:
    await run(check, shared_server)


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_promise_on_uvloop(check: Check, shared_server: NatsServer) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(check, shared_server))


@pytest.mark.parametrize("check", OUTAGE_CHECKS, ids=str)
async def test_promise_across_an_outage(check: Check, tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    server.start()
    try:
        await run(check, server, Broker(server))
    finally:
        server.stop(kill=True)
