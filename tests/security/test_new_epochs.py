"""A node that names ever new epochs fills no more of what is kept of durable streams than its key's share."""

from __future__ import annotations

import pytest

from agentbus import Agent, Context, Node, on
from agentbus.errors import Unauthorized
from agentbus.messages import SEALED, Frame, encode_frame, full_name
from agentbus.security import Guard
from agentbus.security import pages as pages_module
from agentbus.security import positions as positions_module
from agentbus.transport import Transport
from examples.climate.v1.climate_pb2 import Alarm
from tests.waiting import until
from tests.wire import wire

from .realm import guard

LOG = "city.log.examples-climate-v1-Alarm"
ROOM = 64 << 10
EPOCHS = 600


class Keeper(Agent):
    def __init__(self) -> None:
        self.kept: list[tuple[str, str]] = []

    @on(Alarm, durable="keepers")
    async def keep(self, alarm: Alarm, ctx: Context) -> None:
        self.kept.append((ctx.sender, alarm.room))

    def rooms(self, sender: str) -> list[str]:
        return [room for by, room in self.kept if by == sender]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for some 250 streams in all, and for some 40 of a key."""
    monkeypatch.setattr(positions_module, "MAX_BYTES", ROOM)
    monkeypatch.setattr(positions_module, "PAGES", 4)
    monkeypatch.setattr(pages_module, "PAGE_BYTES", 512)


def sealed(by: Guard, source: str, room: str, epoch: int) -> bytes:
    message = Alarm(room=room)
    frame = Frame(full_name(message), source, epoch, 0, 1, 0, [message.SerializeToString()], [], [], [])
    return SEALED + by.seal(encode_frame(frame), subject=LOG, reply="", source=source, epoch=epoch, durable=True)


def node(url: str, name: str, by: Guard, agents: dict[str, Agent] | None = None) -> Node:
    return Node(url, realm="city", name=name, guard=by, agents=agents or {})


async def seen_bytes(transport: Transport) -> int:
    found, at = 0, 0
    while (message := await transport.after("agentbus_city_seen", "city.seen.>", at)) is not None:
        found, at = found + len(message.body) + len(message.subject), message.sequence
    return found


async def test_ever_new_epochs_cost_nobody_else_anything(small: None, url: str) -> None:
    keeper, by, mallory = Keeper(), guard("b", "keeper"), guard("m")
    async with (
        node(url, "b", by, {"keeper": keeper}) as b,
        node(url, "a", guard("a")) as before,
        wire(url) as bare,
    ):
        await before.publish(Alarm(room="before"), durable=True)
        await until(lambda: keeper.rooms("a") == ["before"])
        attack = [sealed(mallory, "m", str(epoch), epoch) for epoch in range(1, EPOCHS + 1)]
        for number, frame in enumerate(attack):
            await bare.transport.store(LOG, frame, message_id=f"m-{number}")
        await until(lambda: len(keeper.rooms("m")) == EPOCHS)
        async with node(url, "c", guard("c")) as after:
            await before.publish(Alarm(room="after"), durable=True)
            await after.publish(Alarm(room="new"), durable=True)
            await until(lambda: (keeper.rooms("a"), keeper.rooms("c")) == (["before", "after"], ["new"]))
        assert await seen_bytes(bare.transport) < ROOM / 8
        for number, frame in enumerate(attack):
            await bare.transport.store(LOG, frame, message_id=f"again-{number}")
        await until(lambda: by.counters.refused == EPOCHS)
        assert by.counters.forgotten > EPOCHS / 2, "what its key has no room for is refused"
        assert by.counters.copies > 0, "what there is room for is known"
        assert len(keeper.rooms("m")) == EPOCHS
        assert b.statistics().agents["keeper"].behaviors["keep"].dead_lettered == 0


async def test_a_node_that_restarts_often_loses_nothing(small: None, url: str) -> None:
    """Each life of it has an epoch of its own; what an earlier one has sent is delivered again in between."""
    fails: set[str] = {str(epoch) for epoch in range(0, 200, 7)}

    class Failing(Keeper):
        @on(Alarm, durable="keepers", max_deliver=3, concurrency=8)
        async def keep(self, alarm: Alarm, ctx: Context) -> None:
            if alarm.room in fails:
                fails.remove(alarm.room)
                raise Unauthorized("not yet")
            self.kept.append((ctx.sender, alarm.room))

    keeper, by, often = Failing(), guard("b", "keeper"), guard("a")
    async with node(url, "b", by, {"keeper": keeper}), wire(url) as bare:
        for epoch in range(200):
            await bare.transport.store(LOG, sealed(often, "a", str(epoch), epoch), message_id=f"a-{epoch}")
        await until(lambda: len(keeper.kept) == 200)
        assert sorted(map(int, keeper.rooms("a"))) == list(range(200))
        assert by.counters.refused == 0
        assert by.counters.again >= 29
