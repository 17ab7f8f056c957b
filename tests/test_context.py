"""What a behavior may touch: who it is, what it handles, and words that carry their cause."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from structlog.testing import capture_logs

from agentbus import Agent, Context, Node, every, on, on_start, rpc
from agentbus.errors import ConfigurationError
from agentbus.messages import PLAIN, Frame, encode_frame, full_name
from examples.climate.v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest

from .waiting import until
from .wire import wire

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Curious(Agent):
    """Notes all that its contexts say."""

    def __init__(self, notes: list[dict[str, Any]]) -> None:
        self.notes = notes

    def note(self, ctx: Context, **more: Any) -> None:
        names = (
            "me",
            "node",
            "epoch",
            "realm",
            "sender",
            "sender_epoch",
            "message_id",
            "subject",
            "topic",
            "hops",
            "trace",
        )
        said = {name: getattr(ctx, name) for name in names}
        self.notes.append({**said, "deadline_s": ctx.deadline_s, "delivery": ctx.delivery, "repr": repr(ctx), **more})
        ctx.log.info("noted")

    @on_start
    async def start(self, ctx: Context) -> None:
        self.note(ctx, now=ctx.now(), chance=ctx.rng.random(), peers=[peer.id.name for peer in ctx.peers.alive()])

    @on(Reading)
    async def hear(self, reading: Reading, ctx: Context) -> None:
        self.note(ctx)
        if reading.room == "pass on":
            await ctx.publish(Alarm(), topic="next")

    @on(Alarm)
    async def alarm(self, alarm: Alarm, ctx: Context) -> None:
        self.note(ctx)

    @rpc(TargetRequest, TargetReply)
    async def tell(self, request: TargetRequest, ctx: Context) -> TargetReply:
        self.note(ctx)
        return TargetReply()


async def test_a_context_says_who_and_what(url: str) -> None:
    notes: list[dict[str, Any]] = []
    with capture_logs() as logs:
        async with (
            Node(url, name="n1", realm="city", agents={"c": Curious(notes)}) as node,
            Node(url, name="n2", realm="city") as other,
        ):
            await other.publish(Reading(), topic="hall.north")
            await until(lambda: len(notes) == 2)
            start, event = notes
            assert (start["me"], start["node"], start["epoch"], start["realm"]) == ("c", "n1", node.epoch, "city")
            assert (start["sender"], start["message_id"], start["subject"], start["topic"]) == ("", "", "", "")
            assert (start["hops"], start["trace"], start["deadline_s"], start["delivery"]) == (0, "", None, None)
            assert start["repr"] == "<Context of c, message none>"
            assert 0.0 <= start["chance"] < 1.0
            assert start["now"] <= asyncio.get_running_loop().time()
            assert (event["sender"], event["topic"]) == ("n2", "hall.north")
            assert event["message_id"] == f"n2:{other.epoch}:1"
            assert event["sender_epoch"] == other.epoch
            assert start["sender_epoch"] == 0
            assert event["subject"] == "city.ev.examples-climate-v1-Reading.hall.north"
            await other.request(TargetRequest(), TargetReply, to="c", timeout_s=3.0)
            assert 2.5 < notes[2]["deadline_s"] <= 3.0
            assert notes[2]["topic"] == ""
    noted = [entry for entry in logs if entry["event"] == "noted"]
    assert [(entry["agent"], entry["node"], entry["realm"]) for entry in noted] == [("c", "n1", "city")] * 3
    assert [entry.get("message_id") for entry in noted[:2]] == [None, event["message_id"]]


async def test_words_carry_their_cause(url: str) -> None:
    notes: list[dict[str, Any]] = []
    async with Node(url, agents={"c": Curious(notes)}), wire(url) as bare:
        payload = Reading(room="pass on").SerializeToString()
        frame = Frame(full_name(Reading), "far", 5, 7, 40, 0, [b"", payload], [], ["", TRACE], [])
        bare.transport.send("default.ev.examples-climate-v1-Reading", PLAIN + encode_frame(frame))
        await until(lambda: len(notes) == 4)
        _, plain, traced, alarm = notes
        assert (plain["hops"], plain["trace"], plain["message_id"]) == (7, "", "far:5:40")
        assert (traced["hops"], traced["trace"], traced["message_id"]) == (7, TRACE, "far:5:41")
        assert (alarm["hops"], alarm["trace"], alarm["sender"], alarm["topic"]) == (8, TRACE, "c", "next")


async def test_a_foreign_message_has_neither_sender_nor_id(url: str) -> None:
    notes: list[dict[str, Any]] = []
    async with Node(url, agents={"c": Curious(notes)}), wire(url) as bare:
        bare.transport.send("default.ev.examples-climate-v1-Reading.x", Reading().SerializeToString())
        await until(lambda: len(notes) == 2)
        assert (notes[1]["sender"], notes[1]["message_id"], notes[1]["topic"]) == ("", "", "x")
        assert notes[1]["sender_epoch"] == 0
        assert (notes[1]["hops"], notes[1]["deadline_s"]) == (0, None)


async def test_a_tick_has_a_context_too(url: str) -> None:
    notes: list[dict[str, Any]] = []

    class Ticking(Curious):
        @every(0.001)
        async def tick(self, ctx: Context) -> None:
            self.note(ctx)
            await ctx.send(Reading(room="from a tick"), to="t")
            await asyncio.Event().wait()

    async with Node(url, agents={"t": Ticking(notes)}, drain_s=0.01):
        await until(lambda: len(notes) == 3)
        assert (notes[1]["me"], notes[1]["message_id"]) == ("t", "")
        assert notes[2]["sender"] == "t"


async def test_one_seed_gives_one_chance(url: str) -> None:
    drawn: list[list[float]] = []
    for seed in (1, 1, 2):
        notes: list[dict[str, Any]] = []
        agents = {"a": Curious(notes), "b": Curious(notes)}
        async with Node(url, agents=agents, seed=seed):
            drawn.append([note["chance"] for note in notes])
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert drawn[0][0] != drawn[0][1]


async def test_the_clock_is_the_nodes(url: str) -> None:
    told: list[float] = []

    class Looker(Agent):
        @on_start
        async def look(self, ctx: Context) -> None:
            told.append(ctx.clock())

    async with Node(url, agents=[Looker()], clock=lambda: 1_234.5):
        assert told == [1_234.5]


async def test_a_context_may_be_kept_and_gathers_with_what_remains(url: str) -> None:
    class Asker(Agent):
        @rpc(StringValue, StringValue)
        async def ask(self, request: StringValue, ctx: Context) -> StringValue:
            replies = await ctx.gather(TargetRequest(), TargetReply, timeout_s=60.0)
            with pytest.raises(ConfigurationError, match="timeout_s=inf"):
                await ctx.request(TargetRequest(), TargetReply, timeout_s=float("inf"))
            return StringValue(value=",".join(sorted(reply.sender for reply in replies)))

    notes: list[dict[str, Any]] = []
    async with Node(url, agents={"asker": Asker(), "a": Curious(notes), "b": Curious(notes)}) as node:
        with pytest.raises(TimeoutError):
            await node.request(StringValue(), StringValue, to="asker", timeout_s=0.05)
        await until(lambda: node.agent_statistics("asker").behaviors["ask"].expired == 1)
        assert all(0 < note["deadline_s"] <= 0.05 for note in notes if note["subject"].startswith("default.all"))
