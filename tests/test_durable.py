"""Durable events: stored, handled at least once, tried again with backoff, and kept with the dead letters."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

from agentbus import Agent, Backoff, Context, Delivery, Node, StreamLimits, on, on_start
from agentbus.errors import (
    Closed,
    NotConnected,
    PayloadTooLarge,
    Refused,
    SchemaMismatch,
    StorageFailed,
    SubjectError,
)
from agentbus.streams import DEAD_ATTEMPTS, DEAD_BEHAVIOR, DEAD_REASON, DEAD_SEQUENCE
from agentbus.testing import Simulation
from agentbus.transport import ConsumerSpec, Headers, Job
from agentbus.transports.memory import MemoryBroker, MemoryTransport
from examples.climate.v1.climate_pb2 import Alarm, Reading

from .waiting import until
from .wire import Wire, framed, wire

LOG = "default.log.google-protobuf-StringValue"
DEAD = "agentbus_default_dead"


class Billing(Agent):
    """Handles as its script says; notes when, what and which attempt."""

    def __init__(self, log: list[tuple[float, str, Delivery | None]], script: dict[str, Any] | None = None) -> None:
        self.log = log
        self.script = script or {}

    @on(StringValue, durable="billing", max_deliver=3, ack_wait_s=5.0, backoff=Backoff(first_s=1.0, factor=3.0))
    async def bill(self, event: StringValue, ctx: Context) -> None:
        self.log.append((ctx.now(), event.value, ctx.delivery))
        act = self.script.get(event.value)
        if isinstance(act, asyncio.Event):
            await act.wait()
        elif isinstance(act, float):
            await asyncio.sleep(act)
        elif act is not None:
            raise act


def say(value: str) -> StringValue:
    return StringValue(value=value)


async def dead_letters(bare: Wire, name: str = "reader") -> list[Job]:
    """What lies with the dead letters, as it comes."""
    jobs: list[Job] = []

    def receive(job: Job) -> None:
        jobs.append(job)
        job.ack()

    spec = ConsumerSpec(stream=DEAD, name=name, filters=("default.dead.>",))
    await bare.transport.consume(spec, receive)
    return jobs


async def test_a_durable_event_is_stored_and_handled_once(url: str) -> None:
    log: list[tuple[float, str, Delivery | None]] = []
    async with Node(url) as speaker:
        first = await speaker.publish(say("before"), topic="a", durable=True)
        assert first is not None
        assert (first.stream, first.sequence, first.duplicate) == ("agentbus_default_log", 1, False)
        await speaker.publish(say("live"))
        async with Node(url, agents={"b": Billing(log)}) as node:
            await speaker.publish(say("after"), durable=True)
            await until(lambda: node.agent_statistics("b").behaviors["bill"].handled == 2)
            assert [(value, delivery) for _, value, delivery in log] == [
                ("before", Delivery(1, False, 1)),
                ("after", Delivery(1, False, 2)),
            ]
        await speaker.publish(say("while nobody is there"), durable=True)
        async with Node(url, agents={"other": Billing(log)}):
            await until(lambda: len(log) == 3)
            assert log[2][1] == "while nobody is there"


async def test_live_listeners_do_not_hear_durable_events_nor_the_other_way(url: str) -> None:
    live: list[str] = []
    log: list[tuple[float, str, Delivery | None]] = []

    class Live(Agent):
        @on(StringValue)
        async def hear(self, event: StringValue, ctx: Context) -> None:
            live.append(event.value)
            assert ctx.delivery is None

    async with Node(url, agents={"live": Live(), "b": Billing(log)}) as node:
        await node.publish(say("durable"), durable=True)
        await node.publish(say("live"))
        await node.send(say("to b"), to="b")
        await until(lambda: log and live)
        await until(lambda: node.statistics().unhandled == 1)
        assert (live, [value for _, value, _ in log]) == (["live"], ["durable"])


async def test_all_who_use_a_name_share_its_events_and_other_names_hear_their_own(url: str) -> None:
    heard: dict[str, list[str]] = {"b1": [], "b2": [], "audit": []}

    class Member(Agent):
        def __init__(self, mine: list[str]) -> None:
            self.mine = mine

        @on(StringValue, durable="billing")
        async def bill(self, event: StringValue, ctx: Context) -> None:
            self.mine.append(event.value)
            await asyncio.sleep(0.001)

    class Audit(Agent):
        def __init__(self, mine: list[str]) -> None:
            self.mine = mine

        @on(StringValue, topic="jobs.*", durable="audit")
        async def note(self, event: StringValue, ctx: Context) -> None:
            self.mine.append(event.value)

    async with (
        Node(url, agents={"b1": Member(heard["b1"]), "audit": Audit(heard["audit"])}),
        Node(url, agents={"b2": Member(heard["b2"])}),
        Node(url) as speaker,
    ):
        for number in range(100):
            await speaker.publish(say(str(number)), topic="jobs.x" if number % 2 else "", durable=True)
        await until(lambda: len(heard["b1"]) + len(heard["b2"]) == 100 and len(heard["audit"]) == 50)
        assert sorted(heard["b1"] + heard["b2"], key=int) == [str(number) for number in range(100)]
        assert heard["audit"] == [str(number) for number in range(1, 100, 2)]


def test_a_failed_event_is_tried_again_with_backoff_and_then_kept_with_the_dead() -> None:
    log: list[tuple[float, str, Delivery | None]] = []
    buried: list[tuple[str, bytes, dict[str, str]]] = []

    class Reader(Agent):
        @on_start
        async def start(self, ctx: Context) -> None:
            bus = ctx._port().bus
            bus.transport.subscribe("default.dead.>", lambda s, b, r, h: buried.append((s, b, dict(h or {}))))

    async def scenario(sim: Simulation) -> None:
        node = await sim.node("n", agents={"b": Billing(log, {"bad": Refused("not\ntoday")}), "reader": Reader()})
        start = sim.now()
        await node.publish(say("bad"), topic="x.y", durable=True)
        await node.publish(say("good"), durable=True)
        await sim.until(lambda: bool(buried))
        bad = [(when - start, delivery) for when, value, delivery in log if value == "bad"]
        assert [when for when, _ in bad] == pytest.approx([0.0, 1.0, 4.0], abs=0.2)
        assert [delivery for _, delivery in bad] == [Delivery(1, False, 1), Delivery(2, False, 1), Delivery(3, True, 1)]
        assert [value for _, value, _ in log][:2] == ["bad", "good"]
        ((subject, body, headers),) = buried
        assert subject == "default.dead.google-protobuf-StringValue.x.y"
        assert b"bad" in body
        assert headers[DEAD_REASON] == "Refused: not today"
        assert headers[DEAD_BEHAVIOR] == "b.bill"
        assert (headers[DEAD_ATTEMPTS], headers[DEAD_SEQUENCE]) == ("3", "1")
        counters = node.agent_statistics("b").behaviors["bill"]
        assert (counters.received, counters.handled, counters.refused, counters.dead_lettered) == (4, 1, 3, 1)
        assert node.agent_statistics("b").restarts == 0
        await sim.sleep(100.0)
        assert len(log) == 4

    Simulation(seed=3).run(scenario)


def test_a_defect_restarts_the_agent_and_the_event_comes_again() -> None:
    log: list[tuple[float, str, Delivery | None]] = []

    async def scenario(sim: Simulation) -> None:
        node = await sim.node("n", agents={"b": Billing(log, {"bad": ValueError("boom")})})
        await node.publish(say("bad"), durable=True)
        await node.publish(say("good"), durable=True)
        await sim.until(lambda: node.agent_statistics("b").behaviors["bill"].failed == 3)
        await sim.until(lambda: node.agent_statistics("b").state == "running")
        statistics = node.agent_statistics("b")
        assert (statistics.restarts, statistics.state) == (3, "running")
        assert statistics.behaviors["bill"].dead_lettered == 1
        assert [value for _, value, _ in log].count("good") == 1

    Simulation(seed=3).run(scenario)


def test_an_event_that_takes_long_is_not_given_to_another() -> None:
    log: list[tuple[float, str, Delivery | None]] = []

    async def scenario(sim: Simulation) -> None:
        a = await sim.node("a", agents={"b": Billing(log, {"long": 60.0})})
        await sim.node("b", agents={"b2": Billing(log, {"long": 60.0})})
        await a.publish(say("long"), durable=True)
        await sim.sleep(70.0)
        assert [value for _, value, _ in log] == ["long"]

    Simulation(seed=3).run(scenario)


def test_jobs_that_come_and_go_keep_one_watch() -> None:
    log: list[tuple[float, str, Delivery | None]] = []

    async def scenario(sim: Simulation) -> None:
        node = await sim.node("n", agents={"b": Billing(log)})
        for number in range(50):
            await node.publish(say(str(number)), durable=True)
            await sim.until(lambda number=number: len(log) == number + 1)
            await sim.sleep(0.05)
        assert len(node.bus.deadlines) <= 1

    Simulation(seed=3).run(scenario)


def test_a_crashed_nodes_events_go_to_another() -> None:
    log: list[tuple[float, str, Delivery | None]] = []

    async def scenario(sim: Simulation) -> None:
        hold = asyncio.Event()
        await sim.node("a", agents={"b": Billing(log, {"x": hold})})
        speaker = await sim.node("s")
        await speaker.publish(say("x"), durable=True)
        await sim.until(lambda: bool(log))
        sim.crash("a")
        await sim.node("c", agents={"b": Billing(log)})
        await sim.until(lambda: len(log) == 2)
        assert log[1][0] - log[0][0] <= 6.0
        assert log[1][2] == Delivery(2, False, 1)

    Simulation(seed=3).run(scenario)


def test_an_event_that_kills_every_process_ends_with_the_dead() -> None:
    log: list[tuple[float, str, Delivery | None]] = []

    async def scenario(sim: Simulation) -> None:
        speaker = await sim.node("s")
        await speaker.publish(say("poison"), durable=True)
        for life in range(3):
            await sim.node(f"n{life}", agents={"b": Billing(log, {"poison": asyncio.Event()})})
            await sim.until(lambda life=life: len(log) == life + 1)
            sim.crash(f"n{life}")
            await sim.sleep(6.0)
        last = await sim.node("last", agents={"b": Billing(log)})
        await sim.until(lambda: last.agent_statistics("b").behaviors["bill"].dead_lettered == 1)
        assert len(log) == 3, "no fourth attempt"

    Simulation(seed=3).run(scenario)


def test_stopping_gives_back_what_waits_and_finishes_what_runs() -> None:
    log: list[tuple[float, str, Delivery | None]] = []

    async def scenario(sim: Simulation) -> None:
        a = await sim.node("a", agents={"b": Billing(log, {"0": 1.0})})
        for number in range(5):
            await a.publish(say(str(number)), durable=True)
        await sim.until(lambda: bool(log))
        await sim.stop("a")
        assert [value for _, value, _ in log] == ["0"]
        b = await sim.node("b", agents={"b": Billing(log)})
        await sim.until(lambda: b.agent_statistics("b").behaviors["bill"].handled == 4)
        assert [value for _, value, _ in log] == ["0", "1", "2", "3", "4"]

    Simulation(seed=3).run(scenario)


async def test_a_mailbox_bounds_what_is_in_flight(url: str) -> None:
    running: list[str] = []
    gate = asyncio.Event()

    class Slow(Agent):
        @on(StringValue, durable="slow", mailbox=4)
        async def work(self, event: StringValue, ctx: Context) -> None:
            running.append(event.value)
            await gate.wait()

    async with Node(url, agents=[Slow()]) as node, Node(url) as speaker:
        for number in range(40):
            await speaker.publish(say(str(number)), durable=True)
        await until(lambda: running)
        counters = lambda: node.agent_statistics("slow").behaviors["work"]  # noqa: E731
        assert counters().received <= 5
        gate.set()
        await until(lambda: counters().handled == 40)
        assert counters().dropped == 0
        assert running == [str(number) for number in range(40)]


async def test_what_can_never_be_read_goes_to_the_dead_at_once(url: str) -> None:
    log: list[tuple[float, str, Delivery | None]] = []
    async with Node(url, agents={"b": Billing(log)}) as node, wire(url) as bare:
        bodies = [
            b"\x00\x01\xff\xff",
            b"\x00\x07",
            framed(Reading()),
            framed(say("one"), say("two")),
            b"\xff\xff\xff",
        ]
        for number, body in enumerate(bodies):
            headers = {"Nats-Expected-Last-Msg-Id": "never", "X-Mine": "kept"} if number == 4 else None
            await bare.transport.store(LOG, body, message_id=f"bad-{number}", headers=headers)
        await bare.transport.store(LOG, say("plain").SerializeToString(), message_id="fine")
        headers = {"Content-Type": "application/json"}
        await bare.transport.store(LOG, b'"json"', message_id="json", headers=headers)
        await until(lambda: node.agent_statistics("b").behaviors["bill"].dead_lettered == 5)
        await until(lambda: len(log) == 2)
        assert sorted(value for _, value, _ in log) == ["json", "plain"]
        jobs = await dead_letters(bare)
        await until(lambda: len(jobs) == 5)
        assert {job.body for job in jobs} == set(bodies)
        for job in jobs:
            assert job.headers is not None
            assert job.headers[DEAD_REASON].startswith("SchemaMismatch: ")
            assert "Nats-Expected-Last-Msg-Id" not in job.headers
        assert any((job.headers or {}).get("X-Mine") == "kept" for job in jobs)
        counters = node.agent_statistics("b").behaviors["bill"]
        assert (counters.malformed, counters.received) == (5, 7)
        assert node.agent_statistics("b").restarts == 0


async def test_a_mismatch_that_a_peer_answers_with_is_tried_again(url: str) -> None:
    tries: list[int] = []

    class Relay(Agent):
        @on(StringValue, durable="relay", backoff=Backoff(first_s=0.001), max_deliver=2)
        async def relay(self, event: StringValue, ctx: Context) -> None:
            tries.append(1)
            if len(tries) == 1:
                raise SchemaMismatch("the peer is being upgraded")

    async with Node(url, agents=[Relay()]) as node:
        await node.publish(say("x"), durable=True)
        await until(lambda: node.agent_statistics("relay").behaviors["relay"].handled == 1)
        assert len(tries) == 2


async def test_a_dead_letter_that_can_not_be_stored_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentbus.durable.TRANSFER_S", 0.02)
    how: list[str] = ["hang", "refuse", ""]

    class Faulty(MemoryTransport):
        async def store(self, subject: str, body: bytes, **more: Any) -> Any:
            if subject.startswith("default.dead."):
                fault = how.pop(0)
                if fault == "hang":
                    await asyncio.Event().wait()
                if fault == "refuse":
                    raise StorageFailed("the disk is full")
            return await super().store(subject, body, **more)

    class Hopeless(Agent):
        @on(StringValue, durable="h", max_deliver=1, backoff=Backoff(first_s=0.001, max_s=0.001))
        async def hear(self, event: StringValue, ctx: Context) -> None:
            raise Refused("never")

    async with Node(transport=Faulty(MemoryBroker()), agents=[Hopeless()]) as node:
        await node.publish(say("x"), durable=True)
        await until(lambda: node.agent_statistics("hopeless").behaviors["hear"].dead_lettered == 1)
        assert how == []
        assert node.agent_statistics("hopeless").restarts == 0


async def test_publishing_fails_as_it_should() -> None:
    broker = MemoryBroker(max_payload=2000)
    async with Node(transport=MemoryTransport(broker)) as node:
        with pytest.raises(PayloadTooLarge):
            await node.publish(say("x" * 3000), durable=True)
        with pytest.raises(SubjectError):
            await node.publish(say("x"), topic="a b", durable=True)
        await node.publish(say("x"), durable=True)
        broker.stop_broker()
        with pytest.raises((StorageFailed, NotConnected)):
            await node.publish(say("x"), durable=True, timeout_s=0.02)
    with pytest.raises(Closed):
        await node.publish(say("x"), durable=True)


def test_the_first_publish_ends_by_its_deadline_too() -> None:
    async def scenario(sim: Simulation) -> None:
        node = await sim.node("n")
        sim.partition({"n"}, {"broker"})
        start = sim.now()
        with pytest.raises((StorageFailed, NotConnected)):
            await node.publish(say("x"), durable=True, timeout_s=0.5)
        assert sim.now() - start <= 0.6

    Simulation(seed=3).run(scenario)


async def test_the_streams_limits_are_the_nodes(url: str) -> None:
    log: list[tuple[float, str, Delivery | None]] = []
    async with Node(url, durable=StreamLimits(max_messages=3)) as node:
        for number in range(6):
            await node.publish(say(str(number)), durable=True)
        assert node.streams.ready
        async with Node(url, agents={"b": Billing(log)}, durable=StreamLimits(max_messages=3)):
            await until(lambda: len(log) == 3)
            assert [value for _, value, _ in log] == ["3", "4", "5"]


async def test_realms_have_streams_of_their_own(url: str) -> None:
    log: list[tuple[float, str, Delivery | None]] = []
    async with Node(url, realm="one", agents={"b": Billing(log)}) as one, Node(url, realm="two") as two:
        await two.publish(say("two"), durable=True)
        await one.publish(say("one"), durable=True)
        await until(lambda: log)
        assert [value for _, value, _ in log] == ["one"]


async def test_a_consumer_that_can_not_begin_is_said_to_whoever_added_it(url: str) -> None:
    class Other(Agent):
        @on(StringValue, topic="elsewhere", durable="billing")
        async def bill(self, event: StringValue, ctx: Context) -> None: ...

    async with Node(url, agents={"b": Billing([])}) as node:
        with pytest.raises(StorageFailed, match="billing"):
            await node.add(Other())
        assert set(node.cells) == {"b"}
        alarm = Alarm()
        await node.publish(alarm, durable=True)


async def test_an_event_that_fills_a_message_gets_a_letter_that_says_where_it_is() -> None:
    broker = MemoryBroker(max_payload=2000)

    class Fails(Agent):
        @on(StringValue, durable="fails", max_deliver=1)
        async def hear(self, event: StringValue, ctx: Context) -> None:
            raise ValueError("no" * 200)

    letters: list[tuple[bytes, Headers | None]] = []
    limits = StreamLimits(max_bytes=100_000)
    async with Node(transport=MemoryTransport(broker), agents=[Fails()], durable=limits) as node:
        reader = MemoryTransport(broker)
        await reader.connect()
        await node.streams.ensure()
        spec = ConsumerSpec(stream=node.streams.dead, name="reader", filters=("default.dead.>",))
        await reader.consume(spec, lambda job: letters.append((job.body, job.headers)))
        stored = await node.publish(say("x" * 1650), durable=True)
        assert stored is not None
        await until(lambda: letters)
        await reader.close()
    body, headers = letters[0]
    assert body == b""
    assert headers is not None
    assert headers["Agentbus-Dead-Body"] == "in the log"
    assert headers["Agentbus-Dead-Sequence"] == str(stored.sequence)


class Numbering(Agent):
    """Stores what it is told to."""

    @on(Int64Value)
    async def keep(self, number: Int64Value, ctx: Context) -> None:
        await ctx.publish(StringValue(value=str(number.value)), durable=True)


class Keeper(Agent):
    """Keeps what was stored."""

    def __init__(self, kept: list[str]) -> None:
        self.kept = kept

    @on(StringValue, durable="keeper")
    async def keep(self, text: StringValue, ctx: Context) -> None:
        self.kept.append(text.value)


async def test_agents_of_one_name_whose_nodes_begin_at_once_store_two_events() -> None:
    kept: list[str] = []
    url, moment = "memory://twins", 1_800_000_000.0
    async with (
        Node(url, agents=[Keeper(kept)]) as node,
        Node(url, agents=[Numbering()], clock=lambda: moment),
        Node(url, agents=[Numbering()], clock=lambda: moment),
    ):
        await node.publish(Int64Value(value=1))
        await until(lambda: len(kept) == 2)
