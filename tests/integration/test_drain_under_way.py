"""What the broker had handed over when a node began to stop is handled before it ends."""

from __future__ import annotations

import selectors
from collections.abc import Callable

import pytest
from google.protobuf.wrappers_pb2 import Int64Value

from agentbus import Agent, Context, Node, on
from tests.nats_server import NatsServer


class Heard(Agent):
    def __init__(self, heard: list[int]) -> None:
        self.heard = heard


class Member(Heard):
    """One of a queue group."""

    @on(Int64Value, topic="jobs.*", queue="workers")
    async def work(self, job: Int64Value, ctx: Context) -> None:
        self.heard.append(job.value)


class Loner(Heard):
    """Hears by itself."""

    @on(Int64Value, topic="jobs.*")
    async def hear(self, job: Int64Value, ctx: Context) -> None:
        self.heard.append(job.value)


@pytest.mark.parametrize("kind", [Member, Loner])
async def test_events_under_way_when_a_node_stops_are_handled(
    kind: Callable[[list[int]], Agent], broker: NatsServer
) -> None:
    heard: list[int] = []
    async with Node(broker.url) as speaker, Node(broker.url, agents=[kind(heard)]) as node:
        for number in range(5):  # the first goes alone, the others share a frame
            await speaker.publish(Int64Value(value=number), topic="jobs.a")
        speaker.bus.end_turn()
        link = node._transport._links.link  # type: ignore[attr-defined]
        speaker._transport._links.link._flush()  # type: ignore[attr-defined]
        with selectors.DefaultSelector() as selector:  # the loop does not turn: the messages lie in the socket
            selector.register(link._wire.get_extra_info("socket").fileno(), selectors.EVENT_READ)
            assert selector.select(5.0), "nothing came"
        await node.stop()
        assert sorted(heard) == list(range(5))
