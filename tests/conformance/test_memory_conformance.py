"""The in-memory transport keeps what every transport promises, also with an observer and on a slow network."""

from __future__ import annotations

from random import Random

import pytest

from agentbus.testing.conformance import CHECKS, OUTAGE_CHECKS, Check, check_transport
from agentbus.transport import TransportFactory
from agentbus.transports.memory import MemoryBroker, MemoryTransport
from tests.virtual_loop import run_virtually


def connections_to(broker: MemoryBroker) -> TransportFactory:
    async def connect() -> MemoryTransport:
        transport = MemoryTransport(broker)
        await transport.connect()
        return transport

    return connect


class Switch:
    """Stops and starts a broker in memory."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def stop(self) -> None:
        self._broker.stop_broker()

    async def start(self) -> None:
        self._broker.start_broker()


def ignore(kind: str, source: str, target: str, subject: str, body: bytes, reason: str) -> None:
    """An observer that makes every message take the slow path."""


@pytest.mark.parametrize("check", CHECKS, ids=str)
async def test_memory_keeps_its_promises(check: Check) -> None:
    await check.run(connections_to(MemoryBroker(rng=Random(1))))


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_memory_keeps_its_promises_under_observation(check: Check) -> None:
    run_virtually(check.run(connections_to(MemoryBroker(rng=Random(2), on_event=ignore))))


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_memory_keeps_its_promises_on_a_slow_network(check: Check) -> None:
    broker = MemoryBroker(rng=Random(3))
    broker.link(delay_s=(0.0, 0.05))
    run_virtually(check.run(connections_to(broker)))


@pytest.mark.parametrize("check", OUTAGE_CHECKS, ids=str)
def test_memory_keeps_its_promises_across_an_outage(check: Check) -> None:
    broker = MemoryBroker(rng=Random(4), reconnect_s=(0.0, 2.0))
    run_virtually(check.run(connections_to(broker), broker=Switch(broker)))


def test_check_transport_runs_all_checks() -> None:
    broker = MemoryBroker(rng=Random(5))
    run_virtually(check_transport(connections_to(broker), broker=Switch(broker)))


def test_outage_checks_need_a_broker_to_stop() -> None:
    with pytest.raises(AssertionError, match="needs broker="):
        run_virtually(check_transport(connections_to(MemoryBroker()), checks=OUTAGE_CHECKS[:1]))
