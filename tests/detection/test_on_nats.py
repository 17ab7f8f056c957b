"""Detection on a real broker: what goes over the wire is what the simulation has shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from agentbus import Node, PeerId
from agentbus.detection import Detection, quorum_of
from agentbus.faults import FALSE_ACCUSER, Fault
from agentbus.membership import Membership, local
from tests.nats_server import NatsServer

from ..waiting import until
from .fleet import LYING, Ear, Truth


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path).start()
    yield server
    server.stop(kill=True)


async def test_a_liar_and_a_false_accuser_are_convicted_by_every_node(broker: NatsServer) -> None:
    heard: list[tuple[str, Fault, float]] = []
    async with AsyncExitStack() as stack:
        nodes: list[Node] = []
        detections: list[Detection] = []
        for number in range(5):
            detection = Detection(quorum_of(1), reproducers={LYING: Truth()})
            agents = [Membership(local()), detection, Ear(heard)]
            nodes.append(await stack.enter_async_context(Node(broker.url, name=f"n-{number}", agents=agents)))
            detections.append(detection)
        await until(lambda: all(len(node.peers.alive()) == 15 for node in nodes))
        await detections[0].accuse(LYING, PeerId("ear", nodes[1].epoch), "n-1", "wrong/1")
        for number in (0, 3, 4):
            await detections[2].accuse(LYING, PeerId("ear", nodes[number].epoch), f"n-{number}", f"fine/{number}")
        await until(lambda: len({(node, fault.kind) for node, fault, _ in heard}) == 10)
    told = {(node, fault.kind, fault.agent, fault.node) for node, fault, _ in heard}
    names = [f"n-{number}" for number in range(5)]
    assert told == {(name, LYING, "ear", "n-1") for name in names} | {
        (name, FALSE_ACCUSER, "detection", "n-2") for name in names
    }
    assert all(len(set(fault.witnesses)) >= 2 for _, fault, _ in heard)
