"""The bus and its ports: order, coalescing, sealing, and what happens to what can't be sent or read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from google.protobuf.wrappers_pb2 import BytesValue, Int64Value, StringValue

from agentbus.bus import Bus
from agentbus.coalescing import FRAME_BYTES, Lane
from agentbus.errors import (
    AgentBusError,
    Closed,
    ConfigurationError,
    DeadlineExceeded,
    DefinitionError,
    HopLimitExceeded,
    NoResponders,
    NotConnected,
    PayloadTooLarge,
    SchemaMismatch,
    Unauthorized,
)
from agentbus.inbound import Inbound
from agentbus.messages import PLAIN, SEALED, Frame, decode_frame, encode_frame, full_name, to_failure
from agentbus.port import MAX_LANES, Port
from agentbus.subjects import Subjects
from agentbus.transport import FrameGuard, Opened, Transport
from agentbus.transports.memory import MemoryBroker, MemoryTransport
from examples.climate.v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest

from .waiting import turns, until
from .wire import Wire, framed

CITY = Subjects("city")
ASK = CITY.agent("hall", full_name(TargetRequest))


class Side:
    """One bus with a port, and what it was told of malformed bytes."""

    def __init__(self, transport: Transport, node: str, epoch: int, guard: FrameGuard | None, max_hops: int) -> None:
        self.malformed: list[tuple[str, AgentBusError]] = []
        self.transport = transport
        self.bus = Bus(
            transport,
            CITY,
            node=node,
            epoch=epoch,
            clock_us=lambda: 1_000_000,
            on_malformed=lambda subject, error: self.malformed.append((subject, error)),
            guard=guard,
            max_hops=max_hops,
        )
        self.port = Port(self.bus, f"agent-on-{node}", self.ensure)
        self.bus.open()

    async def ensure(self) -> None:
        """No durable streams here."""

    def hear(self, subject: str) -> list[Inbound]:
        heard: list[Inbound] = []
        self.bus.listen(subject, heard.append)
        return heard

    def answer(self, subject: str, reply: TargetReply | Exception) -> list[Inbound]:
        """Answers all that comes there."""
        heard: list[Inbound] = []

        def listener(inbound: Inbound) -> None:
            heard.append(inbound)
            for index in range(len(inbound.frame.payloads)):
                number = inbound.frame.sequence + index
                if isinstance(reply, Exception):
                    self.port.reply_error(inbound.inbox, number, reply, 1)
                else:
                    self.port.reply(inbound.inbox, number, reply, 1)

        self.bus.listen(subject, listener)
        return heard

    async def ask(
        self, timeout_s: float = 2.0, subject: str = ASK, *, alone: bool = False, plain: bool = False
    ) -> TargetReply:
        if plain:
            return await self.port.request_plain(subject, TargetRequest(), TargetReply, timeout_s)
        route = self.port.route(subject, TargetRequest(), TargetReply, 0, alone=alone)
        return await self.port.request(route, TargetRequest(), timeout_s, "")


@asynccontextmanager
async def side(
    broker: MemoryBroker, node: str, *, epoch: int = 7, guard: FrameGuard | None = None, max_hops: int = 64
) -> AsyncIterator[Side]:
    transport = MemoryTransport(broker, name=node)
    await transport.connect()
    one = Side(transport, node, epoch, guard, max_hops)
    try:
        yield one
    finally:
        one.bus.close()
        await transport.close()


def numbers(heard: list[Inbound]) -> list[int]:
    return [Int64Value.FromString(payload).value for inbound in heard for payload in inbound.frame.payloads]


async def test_what_is_said_in_one_turn_travels_in_two_frames_in_order() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = b.hear("city.ev.>")
        await b.transport.flush()
        for number in range(1000):
            a.port.post(Int64Value(value=number), "", 0, "")
        await until(lambda: len(numbers(heard)) == 1000)
        assert numbers(heard) == list(range(1000))
        assert [len(inbound.frame.payloads) for inbound in heard] == [1, 999]
        assert [inbound.frame.sequence for inbound in heard] == [1, 2]
        assert (a.bus.counters.frames_sent, a.bus.counters.messages_sent) == (2, 1000)
        assert b.bus.counters.frames_received == 2
        assert heard[1].frame.source == "agent-on-a"


async def test_a_different_topic_hop_count_or_type_is_another_frame() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = b.hear("city.ev.>")
        await b.transport.flush()
        for message, topic, hops in [
            (Reading(), "x", 0),
            (Reading(), "y", 0),
            (Reading(), "x", 1),
            (Alarm(), "x", 0),
            (Reading(), "x", 0),
        ]:
            a.port.post(message, topic, hops, "")
        await until(lambda: sum(len(inbound.frame.payloads) for inbound in heard) == 5)
        assert {(i.frame.type, i.subject.rpartition(".")[2], i.frame.hops) for i in heard} == {
            (full_name(Reading), "x", 0),
            (full_name(Reading), "y", 0),
            (full_name(Reading), "x", 1),
            (full_name(Alarm), "x", 0),
        }


async def test_a_frame_keeps_to_its_bytes() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = b.hear("city.ev.>")
        await b.transport.flush()
        for _ in range(50):
            a.port.post(BytesValue(value=bytes(10_000)), "", 0, "")
        await until(lambda: sum(len(inbound.frame.payloads) for inbound in heard) == 50)
        assert all(sum(map(len, inbound.frame.payloads)) <= FRAME_BYTES for inbound in heard)
        assert len(heard) <= 12


async def test_frames_keep_to_a_brokers_small_payload() -> None:
    broker = MemoryBroker(max_payload=8192)
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = b.hear("city.ev.>")
        b.answer(ASK, TargetReply())
        await b.transport.flush()
        for _ in range(50):
            a.port.post(BytesValue(value=bytes(1000)), "", 0, "00-trace-01")
        await asyncio.gather(*(a.ask() for _ in range(2000)))
        await until(lambda: sum(len(inbound.frame.payloads) for inbound in heard) == 50)
        assert a.bus.counters.lost == b.bus.counters.lost == 0


async def test_a_message_larger_than_a_frame_goes_alone() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = b.hear("city.ev.>")
        await b.transport.flush()
        for size in (10, 20, FRAME_BYTES + 1, 30):
            a.port.post(BytesValue(value=bytes(size)), "", 0, "")
        await until(lambda: sum(len(inbound.frame.payloads) for inbound in heard) == 4)
        sizes = [len(BytesValue.FromString(p).value) for i in heard for p in i.frame.payloads]
        assert sizes == [10, 20, FRAME_BYTES + 1, 30]


async def test_traces_are_kept_with_their_messages() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = b.hear("city.ev.>")
        await b.transport.flush()
        for trace in ("", "t1", "", "t3", ""):
            a.port.post(Reading(), "", 0, trace)
        a.port.put_alone(CITY.event(full_name(Reading)), Reading(), 0, "t5")
        await until(lambda: sum(len(inbound.frame.payloads) for inbound in heard) == 6)
        assert [t for i in heard for t in (i.frame.traces or [""] * len(i.frame.payloads))].count("") == 3
        assert sorted(t for i in heard for t in i.frame.traces if t) == ["t1", "t3", "t5"]


async def test_more_lanes_than_are_kept_still_keep_their_order() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = b.hear("city.ev.>")
        await b.transport.flush()
        for turn in range(2):
            for topic in range(MAX_LANES + 50):
                a.port.post(Int64Value(value=turn), f"t{topic}", 0, "")
        await until(lambda: len(numbers(heard)) == 2 * (MAX_LANES + 50))
        by_topic: dict[str, list[int]] = {}
        for inbound in heard:
            by_topic.setdefault(inbound.subject, []).extend(numbers([inbound]))
        assert set(map(tuple, by_topic.values())) == {(0, 1)}


async def test_requests_coalesce_and_each_gets_its_answer() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = b.answer(ASK, TargetReply(celsius=21))
        await b.transport.flush()
        replies = await asyncio.gather(*(a.ask() for _ in range(500)))
        assert [reply.celsius for reply in replies] == [21.0] * 500
        assert len(heard) == 2
        assert all(1990 <= left <= 2000 for inbound in heard for left in inbound.frame.deadlines_ms)
        assert (len(a.bus.calls), len(a.bus.deadlines)) == (0, 0)


async def test_requests_that_are_alone_go_one_a_frame() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = b.answer(ASK, TargetReply())
        await b.transport.flush()
        await asyncio.gather(*(a.ask(alone=True) for _ in range(20)))
        assert [len(inbound.frame.payloads) for inbound in heard] == [1] * 20


async def test_nobody_there_is_told_to_every_request_of_a_frame() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a:
        results = await asyncio.gather(*(a.ask() for _ in range(50)), return_exceptions=True)
        assert {type(result) for result in results} == {NoResponders}
        assert len(a.bus.calls) == 0


async def test_silence_ends_with_the_deadline() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        b.hear(ASK)
        await b.transport.flush()
        with pytest.raises(DeadlineExceeded, match=r"no answer within 0\.02 s"):
            await a.ask(timeout_s=0.02)
        with pytest.raises(DeadlineExceeded, match="deadline has passed"):
            await a.ask(timeout_s=0.0)
        assert (len(a.bus.calls), len(a.bus.deadlines)) == (0, 0)


async def test_a_cancelled_request_leaves_nothing_behind() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        b.hear(ASK)
        await b.transport.flush()
        tasks = [asyncio.ensure_future(a.ask()) for _ in range(20)]
        await turns(1)
        for task in tasks[::2]:
            task.cancel()
        await turns()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await turns()
        assert (len(a.bus.calls), len(a.bus.deadlines)) == (0, 0)


async def test_an_answer_to_an_earlier_life_of_the_node_answers_nothing() -> None:
    broker = MemoryBroker()
    async with side(broker, "a", epoch=8) as a, side(broker, "b") as b:
        heard = b.hear(ASK)
        await b.transport.flush()
        asking = asyncio.ensure_future(a.ask())
        await until(lambda: heard)
        late = Frame(
            full_name(TargetReply), "b", 7, 0, 1, 0, [TargetReply(celsius=-1).SerializeToString()], [], [], [1]
        )
        b.transport.send("city.in.a.7", PLAIN + encode_frame(late))
        await b.transport.flush()
        await turns()
        assert not asking.done()
        b.port.reply(heard[0].inbox, heard[0].frame.sequence, TargetReply(celsius=21), 1)
        assert (await asking).celsius == 21.0


async def test_what_can_not_be_opened_is_told_to_every_request_of_its_frame() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b", guard=Mirror()) as b:
        b.hear(ASK)
        await b.transport.flush()
        results = await asyncio.gather(*(a.ask() for _ in range(20)), return_exceptions=True)
        assert {type(result) for result in results} == {Unauthorized}
        assert b.bus.counters.malformed == 2


async def test_without_a_link_nothing_is_buffered() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a:
        broker.stop_broker()
        for post in (
            lambda: a.port.post(Reading(), "", 0, ""),
            lambda: a.port.put(ASK, Reading(), 0, ""),
            lambda: a.port.put_alone(ASK, Reading(), 0, ""),
        ):
            with pytest.raises(NotConnected, match="no link to memory://"):
                post()
        with pytest.raises(NotConnected):
            await a.ask()
        assert a.bus.counters.messages_sent == 0


async def test_what_was_gathered_when_the_link_went_is_counted_and_its_requests_fail() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = b.hear("city.>")
        await b.transport.flush()

        async def stop() -> None:
            for _ in range(3):
                a.port.post(Reading(), "", 0, "")
            broker.stop_broker()

        # All in one turn: the first request goes at once, what follows is gathered until the turn ends.
        asking = [a.ask(timeout_s=0.1) for _ in range(3)]
        first, *others, _ = await asyncio.gather(*asking, stop(), return_exceptions=True)
        assert isinstance(first, DeadlineExceeded)
        assert {type(result) for result in others} == {NotConnected}
        assert (a.bus.counters.lost, heard) == (3, [])
        assert len(a.bus.calls) == 0


async def test_a_message_that_the_broker_would_not_take_is_refused_at_once() -> None:
    broker = MemoryBroker(max_payload=1000)
    async with side(broker, "a") as a:
        big = BytesValue(value=bytes(1000))
        with pytest.raises(PayloadTooLarge, match="send it in parts"):
            a.port.post(big, "", 0, "")
        with pytest.raises(PayloadTooLarge):
            await a.port.request(a.port.route(ASK, big, TargetReply, 0, alone=False), big, 1.0, "")
        with pytest.raises(PayloadTooLarge):
            await a.port.store("city.log.x", big, 0, "", 1.0)
        a.port.post(Reading(), "", 0, "")
        await a.transport.flush()
        assert a.bus.counters.lost == 0


async def test_a_chain_beyond_the_hop_limit_ends() -> None:
    broker = MemoryBroker()
    async with side(broker, "a", max_hops=3) as a:
        a.port.post(Reading(), "", 3, "")
        with pytest.raises(HopLimitExceeded, match="the limit is 3"):
            a.port.post(Reading(), "", 4, "")


@pytest.mark.parametrize("thing", ["text", 3, None, Reading])
async def test_what_is_no_message_is_said_to_be_none(thing: object) -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a:
        for _ in range(2):
            with pytest.raises((DefinitionError, SchemaMismatch), match="not a protobuf message"):
                a.port.post(thing, "", 0, "")  # type: ignore[arg-type]


async def test_a_reply_that_is_too_large_becomes_an_error() -> None:
    broker = MemoryBroker(max_payload=2000)
    async with side(broker, "a") as a, side(broker, "b") as b:

        def listener(inbound: Inbound) -> None:
            b.port.reply(inbound.inbox, inbound.frame.sequence, BytesValue(value=bytes(3000)), 1)  # type: ignore[arg-type]

        b.bus.listen(ASK, listener)
        await b.transport.flush()
        with pytest.raises(PayloadTooLarge, match="the reply"):
            await a.ask()


async def test_an_answer_to_a_subject_that_can_not_be_is_counted_and_harms_nobody() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        b.answer(ASK, TargetReply())
        await b.transport.flush()
        bare = Wire(a.transport)
        for reply in ("_1_1", "x._1_1"):
            bare.transport.send(ASK, framed(TargetRequest()), reply)
        await bare.flush()
        assert (await a.ask()).celsius == 0.0
        assert b.bus.counters.lost == 2


async def test_bytes_that_are_no_frame_are_counted_and_told() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = b.hear("city.ev.>")
        await b.transport.flush()
        subject = CITY.event(full_name(Reading))
        bad = [b"\x00", b"\x00\x09abc", PLAIN + b"\xff\xff", SEALED + b"abc", PLAIN]
        for body in bad:
            a.transport.send(subject, body)
        await a.transport.flush()
        await until(lambda: len(b.malformed) == len(bad))
        assert heard == []
        assert b.bus.counters.malformed == len(bad)
        texts = " ".join(str(error) for _, error in b.malformed)
        for part in ("version none", "version 09", "can't be parsed", "no identity to open", "columns do not fit"):
            assert part in texts


async def test_an_asker_is_told_when_its_bytes_are_no_frame() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        b.hear(ASK)
        await b.transport.flush()
        answer = await Wire(a.transport).ask(ASK, b"\x00\x09")
        assert answer.headers["Nats-Service-Error-Code"] == "400"
        assert answer.headers["Agentbus-Error"] == "SchemaMismatch"


async def test_a_frame_of_another_type_than_its_subject_says_is_malformed() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard: list[Inbound] = []
        b.bus.listen("city.ev.>", heard.append, full_name(Reading))
        await b.transport.flush()
        a.transport.send("city.ev.x", framed(Alarm()))
        await a.transport.flush()
        await until(lambda: b.malformed)
        assert heard == []
        assert "a examples.climate.v1.Alarm on a subject of examples.climate.v1.Reading" in str(b.malformed[0][1])


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("city.in.a.7", b"\x00\x01\xff"),
        ("city.in.a.7_1_1", b"\x00\x05"),
        ("city.in.a.7_1", b"x"),
        ("city.in.a.x_1_1", b"x"),
        ("city.in.a.7_x_1", b"x"),
        ("city.in.a.7_1_x", b""),
        ("city.in.a.7_" + "9" * 900 + "_1", b"x"),
        ("city.in.a.7_99_1", b"x"),
        ("city.in.a.whatever", b""),
    ],
)
async def test_nonsense_in_the_inbox_answers_nothing_and_breaks_nothing(subject: str, body: bytes) -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = b.hear(ASK)
        await b.transport.flush()
        asking = asyncio.ensure_future(a.ask())
        await until(lambda: heard)
        b.transport.send(subject, body)
        await b.transport.flush()
        b.port.reply(heard[0].inbox, heard[0].frame.sequence, TargetReply(celsius=21), 1)
        assert (await asking).celsius == 21.0


class Mirror(FrameGuard):
    """A guard that turns bytes round and signs with the subject, and who speaks."""

    overhead = 100

    def __init__(self) -> None:
        self.life: list[str] = []

    def begin(self, transport: Transport, *, realm: str, node: str, clock_us: Callable[[], int]) -> None:
        self.life.append(f"{realm}.{node}")

    def end(self) -> None:
        self.life.append("end")

    def vouch(self, name: str) -> None:
        if name.endswith("mallory"):
            raise Unauthorized(f"not {name}")

    def seal(self, body: bytes, *, subject: str, reply: str, source: str, epoch: int, durable: bool) -> bytes:
        return f"{subject}|{reply}|{source}|{epoch}|{durable}|".encode() + body[::-1]

    def open(self, sealed: bytes, *, subject: str, reply: str, ear: str, durable: bool) -> tuple[bytes, Opened]:
        to, back, source, epoch, kind, body = sealed.split(b"|", 5)
        if (to.decode(), back.decode(), kind.decode()) != (subject, reply, str(durable)):
            raise Unauthorized(f"sealed for {to!r}")
        return body[::-1], Opened(source.decode(), int(epoch), 1)


async def test_a_guard_seals_all_that_goes_and_opens_all_that_comes() -> None:
    broker = MemoryBroker()
    async with side(broker, "a", guard=Mirror()) as a, side(broker, "b", guard=Mirror()) as b:
        b.answer(ASK, TargetReply(celsius=3))
        await b.transport.flush()
        seen = Wire(a.transport).hear("city.>")
        await a.transport.flush()
        assert (await a.ask()).celsius == 3.0
        assert seen
        assert all(heard.body[:2] == SEALED for heard in seen)
        with pytest.raises(SchemaMismatch):
            decode_frame(seen[0].body[2:])


async def test_a_node_with_a_guard_takes_nothing_unsealed_or_sealed_for_another_subject() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b", guard=Mirror()) as b:
        heard = b.hear("city.ev.>")
        await b.transport.flush()
        a.transport.send("city.ev.x", framed(Reading()))
        for subject, source in (("city.ev.y", "somebody"), ("city.ev.x", "another")):
            body = framed(Reading())[2:]
            sealed = Mirror().seal(body, subject=subject, reply="", source=source, epoch=1, durable=False)
            a.transport.send("city.ev.x", SEALED + sealed)
        await a.transport.flush()
        await until(lambda: len(b.malformed) == 3)
        assert heard == []
        assert all(isinstance(error, Unauthorized) for _, error in b.malformed)


async def test_a_guard_lives_as_long_as_its_bus_and_is_asked_before_anything_goes() -> None:
    guard = Mirror()
    async with side(MemoryBroker(), "a", guard=guard) as a:
        assert guard.life == ["city.a"]
        mallory = Port(a.bus, "mallory", a.ensure)
        with pytest.raises(Unauthorized, match="not mallory"):
            mallory.post(Reading(), "", 0, "")
        assert a.bus.counters.frames_sent == 0
        assert a.port.lane("x", "y", 0).overhead == Lane("x", "y", a.port.source, 0).overhead + Mirror.overhead
    assert guard.life == ["city.a", "end"]


async def test_with_a_guard_no_plain_answer_ends_a_call_that_was_asked_in_a_frame() -> None:
    broker = MemoryBroker()
    async with side(broker, "a", guard=Mirror()) as a, side(broker, "b", guard=Mirror()) as b:
        heard = b.hear(ASK)
        await b.transport.flush()
        asking = asyncio.create_task(a.ask())
        await until(lambda: heard)
        b.transport.send(heard[0].reply, TargetReply(celsius=-1).SerializeToString())
        b.transport.send(heard[0].reply, b"", "", {"Nats-Service-Error": "no", "Nats-Service-Error-Code": "500"})
        await until(lambda: len(a.malformed) == 2)
        assert not asking.done()
        b.port.reply(heard[0].inbox, heard[0].frame.sequence, TargetReply(celsius=21), 1)
        assert (await asking).celsius == 21.0


async def test_what_one_was_asked_another_does_not_answer() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = b.hear(ASK)
        await b.transport.flush()
        route = a.port.route(ASK, TargetRequest(), TargetReply, 0, alone=False, to="agent-on-b")
        asking = asyncio.create_task(a.port.request(route, TargetRequest(), 2.0, ""))
        await until(lambda: heard)
        inbox, number = heard[0].inbox, heard[0].frame.sequence
        Port(b.bus, "another", b.ensure).reply(inbox, number, TargetReply(celsius=-1), 1)
        await until(lambda: a.malformed)
        assert not asking.done()
        b.port.reply(inbox, number, TargetReply(celsius=21), 1)
        assert (await asking).celsius == 21.0


async def test_plain_requests_are_answered_by_who_knows_nothing_of_frames() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        answers = [
            (TargetReply(celsius=5).SerializeToString(), None),
            (b"", {"Nats-Service-Error": "no", "Nats-Service-Error-Code": "503"}),
            (b"\xff\xff", None),
        ]

        def receive(subject: str, body: bytes, reply: str, headers: object) -> None:
            assert body[:1] != b"\x00"
            out, more = answers.pop(0)
            b.transport.send(reply, out, "", more)

        b.transport.subscribe("legacy.target", receive)
        await b.transport.flush()
        assert (await a.ask(subject="legacy.target", plain=True)).celsius == 5.0
        with pytest.raises(NoResponders, match="no"):
            await a.ask(subject="legacy.target", plain=True)
        with pytest.raises(SchemaMismatch, match="can't be parsed"):
            await a.ask(subject="legacy.target", plain=True)
        with pytest.raises(NoResponders, match="nobody answers"):
            await a.ask(subject="legacy.nobody", plain=True)


async def test_answers_to_foreign_clients_that_do_not_fit_become_errors() -> None:
    broker = MemoryBroker(max_payload=2000)
    async with side(broker, "a") as a, side(broker, "b") as b:
        heard = Wire(a.transport).hear("foreign.inbox")
        await a.transport.flush()
        b.bus.answer_foreign("foreign.inbox", StringValue(value="x" * 3000), None)
        await until(lambda: heard)
        assert heard[0].headers["Agentbus-Error"] == "PayloadTooLarge"
        b.bus.answer_foreign("no such subject", StringValue(), None)
        assert b.bus.counters.lost == 2


async def test_closing_ends_what_waits() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        b.hear(ASK)
        await b.transport.flush()
        asking = asyncio.ensure_future(a.ask())
        await turns()
        a.bus.close()
        with pytest.raises(Closed, match="was closed while waiting"):
            await asking
        assert len(a.bus.deadlines) == 0


async def test_a_failure_reply_is_raised() -> None:
    broker = MemoryBroker()
    async with side(broker, "a") as a, side(broker, "b") as b:
        b.answer(ASK, ConfigurationError("not here"))
        await b.transport.flush()
        with pytest.raises(AgentBusError, match="ConfigurationError: not here"):
            await a.ask()
        assert to_failure(ConfigurationError("x")).kind == "HandlerFailed"
