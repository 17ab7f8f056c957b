"""A hostile node that is enrolled and may publish durable events, against the room for what was seen of them."""

from __future__ import annotations

import pytest
from google.protobuf.wrappers_pb2 import Int64Value

from agentbus import Agent, Backoff, Node, on
from agentbus.context import Context
from agentbus.errors import StorageFailed
from agentbus.messages import SEALED, Frame, encode_frame, full_name
from agentbus.security import pages, positions
from agentbus.security.enroller import streams
from tests.waiting import until

from .world import World

SUBJECT = "plant.log.google-protobuf-Int64Value"
ROOM = 64 << 10
EPOCHS = 300


class Worker(Agent):
    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []

    @on(Int64Value, durable="workers", backoff=Backoff(max_s=0.05))
    async def work(self, job: Int64Value, ctx: Context) -> None:
        self.done.append((ctx.sender, job.value))

    def of(self, sender: str) -> list[int]:
        return [value for by, value in self.done if by == sender]


async def filled(node: Node, below: str) -> None:
    for number in range(1000):
        await node.transport.store(f"{below}.{number}", bytes(1000), message_id=f"m{number}")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "SEEN_BYTES", ROOM)
    monkeypatch.setattr(positions, "PAGES", 4)
    monkeypatch.setattr(pages, "PAGE_BYTES", 512)


async def test_ever_new_epochs_of_an_enrolled_node_keep_nobody_from_working(world: World) -> None:
    worker = Worker()
    mallory, host = world.identity("mallory", names=()), world.identity("host", names=("w",))

    def sealed(epoch: int) -> bytes:
        body = Int64Value(value=epoch).SerializeToString()
        frame = encode_frame(Frame(full_name(Int64Value), "mallory", epoch, 0, 1, 0, [body], [], [], []))
        return SEALED + mallory.guard.seal(
            frame, subject=SUBJECT, reply="", source="mallory", epoch=epoch, durable=True
        )

    async with (
        world.enroller(),
        Node(identity=host, agents={"w": worker}),
        world.node("source", names=()) as source,
        Node(identity=mallory) as spy,
    ):
        await source.publish(Int64Value(value=1), durable=True)
        await until(lambda: worker.of("source") == [1])
        frames = [sealed(epoch) for epoch in range(1, EPOCHS + 1)]
        for number, frame in enumerate(frames):
            await spy.transport.store(SUBJECT, frame, message_id=f"m{number}")
        await until(lambda: len(worker.of("mallory")) == EPOCHS)
        async with world.node("late", names=()) as late:
            await source.publish(Int64Value(value=2), durable=True)
            await late.publish(Int64Value(value=3), durable=True)
            await until(lambda: (worker.of("source"), worker.of("late")) == ([1, 2], [3]))
        for number, frame in enumerate(frames):
            await spy.transport.store(SUBJECT, frame, message_id=f"again{number}")
        counters = host.guard.counters
        await until(lambda: counters.forgotten + counters.copies == EPOCHS)
        assert counters.forgotten > EPOCHS / 2
        assert len(worker.of("mallory")) == EPOCHS


async def test_who_fills_it_under_its_own_name_is_purged_and_work_goes_on(world: World) -> None:
    """What is not prevented (KNOWN_LIMITATIONS.md), and what helps."""
    worker = Worker()
    async with (
        world.enroller(),
        world.node("host", {"w": worker}, names=("w",)) as host,
        world.node("source", names=()) as source,
        world.node("mallory", names=()) as spy,
        world.node("desk", role="operator", names=()) as desk,
    ):
        with pytest.raises(StorageFailed):
            await filled(spy, "plant.seen.mallory")
        with pytest.raises(StorageFailed):
            await host.transport.store("plant.seen.host.x", bytes(1000), message_id="x")
        await source.publish(Int64Value(value=1), durable=True)
        await desk.transport.purge("agentbus_plant_seen", "plant.seen.mallory.>")
        await until(lambda: worker.of("source") == [1])
