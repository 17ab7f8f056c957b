"""The guard on nodes: who speaks is who has signed, and what is not signed, for there, in time and new is not let in."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus import Agent, Context, Delivery, Node, cooperative, on, rpc
from agentbus.errors import ConfigurationError, DeadlineExceeded, DefinitionError, NoBids, Unauthorized
from agentbus.messages import SEALED, Frame, encode_frame, full_name
from agentbus.security import Guard, KeyPair, guard as guard_module, signed_enrolment
from agentbus.testing import Simulation
from agentbus.transport import Transport
from agentbus.transports.memory import MemoryBroker, MemoryTransport
from examples.climate.v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest
from tests.waiting import turns, until
from tests.wire import Heard, framed, wire

from .realm import ISSUER, ISSUERS, Clock, enrolled, frames, guard, pair_of

READING = "city.ev.examples-climate-v1-Reading"
ASK = "city.to.hall.examples-climate-v1-TargetRequest"


class Hall(Agent):
    """Notes who said what, and answers."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, Delivery | None]] = []

    @on(Reading)
    async def hear(self, reading: Reading, ctx: Context) -> None:
        self.heard.append((ctx.sender, reading.room, ctx.delivery))

    @cooperative(TargetRequest, TargetReply)
    async def answer(self, request: TargetRequest, ctx: Context) -> TargetReply:
        self.heard.append((ctx.sender, "asked", ctx.delivery))
        return TargetReply(celsius=21.0)

    @answer.cost
    def effort(self, request: TargetRequest) -> float:
        return 1.0

    def rooms(self) -> list[str]:
        return [room for _, room, _ in self.heard]


class Open(Agent):
    """Takes what nobody has signed, where it says so."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @on(Reading, unsigned="allow")
    async def hear(self, reading: Reading, ctx: Context) -> None:
        self.heard.append(ctx.sender)

    @rpc(TargetRequest, TargetReply, unsigned="allow")
    async def answer(self, request: TargetRequest, ctx: Context) -> TargetReply:
        return TargetReply(celsius=1.0)


def node(url: str, name: str, *names: str, agents: dict[str, Agent] | None = None, by: Guard | None = None) -> Node:
    return Node(url, realm="city", name=name, agents=agents or {}, guard=by or guard(name, *names))


async def test_all_that_is_said_between_guarded_nodes_is_signed_and_heard(url: str) -> None:
    hall = Hall()
    async with (
        node(url, "b", "hall", agents={"hall": hall}) as b,
        node(url, "a", "attic-*") as a,
        wire(url) as bare,
    ):
        seen = bare.hear("city.>")
        await bare.flush()
        await a.publish(Reading(room="1"))
        await a.publish(Reading(room="2"), topic="floor")
        await a.publish(Reading(room="3"), spread=True)
        await a.send(Reading(room="4"), to="hall")
        assert (await a.request(TargetRequest(), TargetReply, to="hall")).celsius == 21.0
        assert (await a.request(TargetRequest(), TargetReply)).celsius == 21.0
        gathered = await a.gather(TargetRequest(), TargetReply, at_most=1)
        assert [reply.sender for reply in gathered] == ["hall"]
        assert (await a.delegate(TargetRequest(), TargetReply)).celsius == 21.0
        await until(lambda: len(hall.heard) == 8)
        assert {sender for sender, _, _ in hall.heard} == {"a"}
        assert all(delivery and delivery.number and not delivery.sequence for _, _, delivery in hall.heard)
        await bare.flush()
        assert len(seen) >= 12
        assert all(one.body[:2] == SEALED for one in seen), "answers, bids, awards and rejections too"
        assert a.statistics().malformed == b.statistics().malformed == 0


async def test_gaps_and_inversions_are_shown_in_the_delivery(url: str) -> None:
    hall, sender = Hall(), guard("a")
    async with node(url, "b", "hall", agents={"hall": hall}, by=(by := guard("b", "hall"))), wire(url) as bare:
        made = [sealed(sender, "a", Reading(room=str(number)), number) for number in range(6)]
        for number in (0, 1, 4, 3, 5):
            bare.transport.send(READING, made[number])
        await until(lambda: len(hall.heard) == 5)
        shown = [
            (room, delivery.number, delivery.skipped, delivery.late) for _, room, delivery in hall.heard if delivery
        ]
        assert shown == [("0", 1, 0, False), ("1", 2, 0, False), ("4", 5, 2, False), ("3", 4, 0, True), ("5", 6, 0, False)]
        assert (by.counters.skipped, by.counters.late) == (2, 1)


def sealed(by: Guard, source: str, message: Reading, number: int, *, subject: str = READING, says: str = "") -> bytes:
    body = encode_frame(Frame(full_name(message), says or source, 1, 0, number, 0, [message.SerializeToString()], [], [], []))
    return SEALED + by.seal(body, subject=subject, reply="", source=source, epoch=1, durable=False)


async def test_replays_and_what_was_moved_or_altered_are_refused_and_counted(url: str) -> None:
    hall, by = Hall(), guard("b", "hall")
    async with node(url, "b", agents={"hall": hall}, by=by) as b, node(url, "a") as a, wire(url) as bare:
        seen = bare.hear("city.>")
        await bare.flush()
        await a.publish(Reading(room="once"))
        await a.request(TargetRequest(), TargetReply, to="hall")
        event, question = frames(seen, ".ev.")[0], frames(seen, ".to.")[0]
        again = [
            (event.subject, event.body, ""),
            (event.subject + ".attic", event.body, ""),
            ("city.to.hall.examples-climate-v1-Reading", event.body, ""),
            (event.subject, event.body[:-1] + bytes([event.body[-1] ^ 1]), ""),
            (event.subject, event.body, question.reply),
            (question.subject, question.body, question.reply),
            (question.subject, question.body, "city.in.c.1_1_1"),
            (question.subject, question.body, ""),
            (event.subject, b"\0\2", ""),
        ]
        answered = len(frames(seen, ".in."))
        for subject, body, reply in again:
            bare.transport.send(subject, body, reply)
        await until(lambda: b.statistics().malformed == len(again))
        assert by.counters.refused == len(again)
        assert by.counters.replayed == 2
        assert by.counters.forged == 7
        assert hall.rooms() == ["once", "asked"]
        await bare.flush()
        assert len(frames(seen, ".in.")) == answered + 1, "a copy of a request is not answered: the other reply is ours"


async def test_an_answer_goes_to_who_has_asked_and_to_nobody_else() -> None:
    broker = MemoryBroker()
    by, spy = guard("b", "hall"), guard("c", "spy")
    reply = "city.in.a.1_1_1"
    async with connected(broker) as transport:
        by.begin(transport, realm="city", node="b", clock_us=lambda: 0)
        by._now_us = spy._now_us  # noqa: SLF001 - by the system's clock
        stolen = spy.seal(b"body", subject=ASK, reply=reply, source="spy", epoch=1, durable=False)
        with pytest.raises(Unauthorized, match="another's"):
            by.open(stolen, subject=ASK, reply=reply, ear="", durable=False)
    assert by.counters.strangers == 1
