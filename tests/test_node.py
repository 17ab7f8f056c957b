"""A node's life: start, requests in all forms, failure and restart, drain and stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, ClassVar

import pytest
from google.protobuf.descriptor_pb2 import UninterpretedOption
from google.protobuf.struct_pb2 import Value
from google.protobuf.wrappers_pb2 import BytesValue, Int64Value, StringValue
from structlog.testing import capture_logs

from agentbus import Agent, Context, Node, Supervision, every, on, on_start, on_stop, rpc, run
from agentbus.errors import (
    AgentExists,
    AgentNotFound,
    AgentStopped,
    Busy,
    Closed,
    ConfigurationError,
    DeadlineExceeded,
    DefinitionError,
    HandlerFailed,
    NoResponders,
    NotConnected,
    PayloadTooLarge,
    Refused,
    SchemaMismatch,
    SubjectError,
    TooFewReplies,
    UnknownScheme,
)
from agentbus.inbound import Inbound
from agentbus.messages import AgentFailed, full_name
from agentbus.testing import Simulation
from agentbus.transports.memory import MemoryBroker, MemoryTransport
from examples.climate.v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest

from .waiting import turns, until
from .wire import framed, wire

RESUME = Supervision(on_failure="resume")


class Thermostat(Agent):
    """Answers with its target, or fails as told."""

    def __init__(self, target: float = 21.0, error: Exception | None = None) -> None:
        self.target = target
        self.error = error

    @rpc(TargetRequest, TargetReply)
    async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        if self.error is not None:
            raise self.error
        return TargetReply(celsius=self.target)


class Listener(Agent):
    """Notes what it hears. The first of each of its lives is told by `life`."""

    def __init__(self, heard: list[tuple[str, str]] | None = None) -> None:
        self.heard = heard if heard is not None else []

    @on(Reading, topic="hall.*")
    async def hall(self, reading: Reading, ctx: Context) -> None:
        self.heard.append(("hall", reading.room))

    @on(Reading)
    async def all(self, reading: Reading, ctx: Context) -> None:
        self.heard.append(("all", reading.room))


class Gate(Agent):
    """Handlers that end when they are let; it counts how many run at once."""

    def __init__(self, gate: asyncio.Event, log: list[str] | None = None) -> None:
        self.gate = gate
        self.log = log if log is not None else []
        self.running = 0
        self.most = 0

    async def pass_through(self, what: str) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self.log.append(f"begin {what}")
        try:
            await self.gate.wait()
            self.log.append(f"end {what}")
        except asyncio.CancelledError:
            self.log.append(f"cut {what}")
            raise
        finally:
            self.running -= 1

    @rpc(StringValue, StringValue, mailbox=3)
    async def one(self, request: StringValue, ctx: Context) -> StringValue:
        await self.pass_through(request.value)
        return request

    @rpc(Int64Value, Int64Value, concurrency=3)
    async def three(self, request: Int64Value, ctx: Context) -> Int64Value:
        await self.pass_through(str(request.value))
        return request

    @on(Reading)
    async def event(self, reading: Reading, ctx: Context) -> None:
        await self.pass_through(reading.room)

    @on(Alarm, overflow="drop_oldest", mailbox=3)
    async def newest(self, alarm: Alarm, ctx: Context) -> None:
        await self.pass_through(alarm.room)

    @on_stop
    async def stop(self, ctx: Context) -> None:
        self.log.append(f"stop, {self.running} running")


def say(value: str) -> StringValue:
    return StringValue(value=value)


async def cancel(task: asyncio.Future[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


# -- requests in all forms ---------------------------------------------------------------------------------------------


async def test_a_request_in_all_its_forms(url: str) -> None:
    async with Node(url, agents={"hall": Thermostat(21.0)}) as node, Node(url) as other:
        for asker in (node, other):
            assert (await asker.request(TargetRequest(), TargetReply, to="hall")).celsius == 21.0
            assert (await asker.request(Thermostat.tell_target, TargetRequest(), to="hall")).celsius == 21.0
            assert (await asker.request(TargetRequest(), TargetReply)).celsius == 21.0
            assert (await asker.request(Thermostat.tell_target, TargetRequest())).celsius == 21.0
            plain = "default.to.hall.examples-climate-v1-TargetRequest"
            reply = await asker.request(TargetRequest(), TargetReply, plain=True, subject=plain)
            assert reply.celsius == 21.0
            (gathered,) = await asker.gather(Thermostat.tell_target, TargetRequest(), at_most=1)
            assert (gathered.sender, gathered.message.celsius) == ("hall", 21.0)


async def test_any_agent_that_answers_may_and_each_in_its_turn(url: str) -> None:
    agents = {f"t{index}": Thermostat(index) for index in range(4)}
    async with Node(url, agents=agents) as node:
        replies = await asyncio.gather(*(node.request(TargetRequest(), TargetReply) for _ in range(200)))
        assert {reply.celsius for reply in replies} == {0.0, 1.0, 2.0, 3.0}


async def test_gather_hears_all_who_answer_and_who_failed(url: str) -> None:
    agents = {"a": Thermostat(1), "b": Thermostat(2), "c": Thermostat(error=Refused("not today"))}
    async with Node(url, agents=agents) as node, Node(url, agents={"d": Thermostat(4)}):
        replies = await node.gather(TargetRequest(), TargetReply, timeout_s=0.1, at_least=3)
        assert {reply.sender: reply.message.celsius for reply in replies} == {"a": 1.0, "b": 2.0, "d": 4.0}
        assert {name: type(error) for name, error in replies.failures.items()} == {"c": Refused}
        early = await node.gather(TargetRequest(), TargetReply, timeout_s=5.0, at_most=2)
        assert len(early) == 2
        assert await node.gather(TargetRequest(), TargetReply, at_most=0) == []
        with pytest.raises(TooFewReplies, match=r"3 of at least 4 answered within 0\.05 s; 1 failed") as caught:
            await node.gather(TargetRequest(), TargetReply, timeout_s=0.05, at_least=4)
        assert len(caught.value.replies) == 3
        assert set(caught.value.failures) == {"c"}
        assert node.statistics().open_calls == 0


async def test_a_gather_that_nobody_answers_ends_at_once(url: str) -> None:
    async with Node(url) as node:
        assert await node.gather(TargetRequest(), TargetReply, timeout_s=5.0) == []
        with pytest.raises(TooFewReplies, match="0 of at least 1"):
            await node.gather(TargetRequest(), TargetReply, timeout_s=5.0, at_least=1)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (ValueError("no such room"), HandlerFailed, "ValueError: no such room"),
        (Refused("not today"), Refused, "not today"),
        (Busy("later"), Busy, "later"),
        (KeyError("\ud800"), HandlerFailed, "KeyError"),
    ],
    ids=["ValueError", "Refused", "Busy", "surrogate"],
)
async def test_a_failed_handler_is_told_to_who_asked(
    url: str, error: Exception, kind: type[Exception], text: str
) -> None:
    async with Node(url) as node:
        await node.add(Thermostat(error=error), name="hall", supervision=RESUME)
        for ask in (
            node.request(TargetRequest(), TargetReply, to="hall"),
            node.request(TargetRequest(), TargetReply),
        ):
            with pytest.raises(kind, match=text):
                await ask


async def test_a_handler_that_returns_something_else_has_failed(url: str) -> None:
    class Wrong(Agent):
        supervision = RESUME

        @rpc(TargetRequest, TargetReply)
        async def tell(self, request: TargetRequest, ctx: Context) -> Any:
            return None

    async with Node(url, agents=[Wrong()]) as node:
        with pytest.raises(HandlerFailed, match="TypeError: tell returned a NoneType, not a examples"):
            await node.request(TargetRequest(), TargetReply, to="wrong")


async def test_a_reply_that_can_not_be_written_is_told_to_who_asked(url: str) -> None:
    class Unfinished(Agent):
        @rpc(TargetRequest, UninterpretedOption.NamePart)
        async def half(self, request: TargetRequest, ctx: Context) -> UninterpretedOption.NamePart:
            return UninterpretedOption.NamePart()

        @rpc(StringValue, Value)
        async def number(self, request: StringValue, ctx: Context) -> Value:
            return Value(number_value=float("nan"))

    subject = "default.to.unfinished."
    async with Node(url, agents=[Unfinished()]) as node, wire(url) as bare:
        with pytest.raises(SchemaMismatch, match="can't be serialized"):
            await node.request(TargetRequest(), UninterpretedOption.NamePart, to="unfinished")
        heard = await bare.ask(f"{subject}examples-climate-v1-TargetRequest", b"")
        assert heard.headers["Agentbus-Error"] == "SchemaMismatch"
        heard = await bare.ask(f"{subject}google-protobuf-StringValue", b'"x"', {"Content-Type": "application/json"})
        assert heard.headers["Agentbus-Error"] == "SchemaMismatch"
        assert node.agent_statistics("unfinished").restarts == 0


async def test_a_reply_that_is_too_large_is_told_to_who_asked() -> None:
    class Verbose(Agent):
        @rpc(TargetRequest, BytesValue)
        async def tell(self, request: TargetRequest, ctx: Context) -> BytesValue:
            return BytesValue(value=bytes(10_000))

    broker = MemoryBroker(max_payload=5000)
    async with Node(transport=MemoryTransport(broker), agents=[Verbose()]) as node:
        with pytest.raises(PayloadTooLarge, match=r"the reply, a .*BytesValue of 10003 bytes"):
            await node.request(TargetRequest(), BytesValue, to="verbose")
        with pytest.raises(PayloadTooLarge):
            await node.publish(BytesValue(value=bytes(6000)))


async def test_what_cannot_be_asked_is_said_so(url: str) -> None:
    async with Node(url, agents={"hall": Thermostat()}) as node:
        wrong: list[tuple[Callable[[], Coroutine[Any, Any, Any]], type[Exception], str]] = [
            (lambda: node.request(TargetRequest(), TargetReply, to="nobody"), NoResponders, "is the agent running"),
            (lambda: node.request(Reading(), TargetReply, to="hall"), SchemaMismatch, "has no @rpc for examples.cl"),
            (lambda: node.request(TargetRequest(), Reading, to="hall"), SchemaMismatch, "the reply is a examples"),
            (lambda: node.request(TargetRequest(), TargetReply, to="a b"), SubjectError, "agent 'a b'"),
            (lambda: node.request(Thermostat.tell_target, Reading(), to="x"), DefinitionError, r"write request\("),  # type: ignore[arg-type]
            (lambda: node.request(Reading, TargetReply), DefinitionError, "request and gather take"),  # type: ignore[call-overload]
            (lambda: node.request(TargetRequest(), int), DefinitionError, "not \\(TargetRequest, int\\)"),  # type: ignore[type-var]
            (lambda: node.request(TargetRequest(), TargetReply, plain=True), ConfigurationError, "go together"),
            (lambda: node.request(TargetRequest(), TargetReply, subject="x"), ConfigurationError, "go together"),
            (lambda: node.publish(Reading(), topic="a b"), SubjectError, "topic 'a b'"),
            (lambda: node.publish(Reading(), plain=True), ConfigurationError, "go together"),
            (lambda: node.publish(Reading(), plain=True, subject="a b"), SubjectError, "subject 'a b'"),
            (lambda: node.publish("text"), DefinitionError, "not a protobuf message"),  # type: ignore[arg-type]
            (lambda: node.send(Reading(), to="a.b"), SubjectError, "agent 'a.b'"),
            (
                lambda: node.request(TargetRequest(), TargetReply, timeout_s=float("inf")),
                ConfigurationError,
                "timeout_s=inf",
            ),
            (lambda: node.gather(TargetRequest(), TargetReply, timeout_s=float("nan")), ConfigurationError, "=nan"),
        ]
        for ask, kind, text in wrong:
            with pytest.raises(kind, match=text):
                await ask()


# -- events ------------------------------------------------------------------------------------------------------------


async def test_events_reach_all_who_listen_by_topic(url: str) -> None:
    one, two = Listener(), Listener()
    async with Node(url, agents={"a": one}) as node, Node(url, agents={"b": two}) as other:
        await node.publish(Reading(room="1"), topic="hall.north")
        await other.publish(Reading(room="2"), topic="attic")
        await node.publish(Reading(room="3"))
        await node.publish(Reading(room="4"), topic="hall.a.b")
        expected = {("hall", "1"), ("all", "1"), ("all", "2"), ("all", "3"), ("all", "4")}
        await until(lambda: len(one.heard) == len(two.heard) == 5)
        assert set(one.heard) == set(two.heard) == expected


async def test_send_reaches_one_agent_and_its_rpc_without_an_answer(url: str) -> None:
    one, two, gate = Listener(), Listener(), asyncio.Event()
    gate.set()
    door = Gate(gate)
    async with Node(url, agents={"a": one, "b": two, "door": door}) as node:
        await node.send(Reading(room="x"), to="b")
        await node.send(say("quiet"), to="door")
        await node.send(Value(), to="door")
        await until(lambda: "end quiet" in door.log and node.statistics().unhandled == 1)
        assert sorted(two.heard) == [("all", "x"), ("hall", "x")]
        assert one.heard == []


async def test_a_behavior_handles_in_order_and_one_at_a_time(url: str) -> None:
    gate, log = asyncio.Event(), []
    door = Gate(gate, log)
    async with Node(url, agents={"door": door}) as node, Node(url) as other:
        for number in range(500):
            await other.publish(Reading(room=str(number)), topic=f"t{number % 3}" if number % 2 else "")
            if number % 50 == 0:
                await turns(1)
        await until(lambda: door.running)
        assert door.most == 1
        gate.set()
        await until(lambda: node.agent_statistics("door").behaviors["event"].handled == 500)
        by_topic: dict[str, list[int]] = {}
        for entry in log:
            verb, number = entry.split()
            if verb == "begin":
                topic = f"t{int(number) % 3}" if int(number) % 2 else ""
                by_topic.setdefault(topic, []).append(int(number))
        assert all(numbers == sorted(numbers) for numbers in by_topic.values())
        assert sum(map(len, by_topic.values())) == 500
        assert door.most == 1


async def test_concurrency_n_runs_n_however_they_come(url: str) -> None:
    gate = asyncio.Event()
    door = Gate(gate)
    async with Node(url, agents={"door": door}) as node:
        asking = []
        for number in range(5):
            asking.append(asyncio.ensure_future(node.request(Int64Value(value=number), Int64Value, to="door")))
            await until(lambda number=number: door.running == min(3, number + 1))
        gate.set()
        assert [reply.value for reply in await asyncio.gather(*asking)] == list(range(5))
        assert door.most == 3
        gate.clear()
        asking = [asyncio.ensure_future(node.request(Int64Value(value=n), Int64Value, to="door")) for n in range(9)]
        await until(lambda: door.running == 3)
        gate.set()
        await asyncio.gather(*asking)
        assert door.most == 3
        await until(lambda: not node.cells["door"].tasks())


async def test_a_full_mailbox_answers_busy_and_counts(url: str) -> None:
    gate = asyncio.Event()
    async with Node(url, agents={"door": Gate(gate)}) as node:
        asking = [asyncio.ensure_future(node.request(say("0"), StringValue, to="door"))]
        await until(node.cells["door"].tasks)
        await turns()
        asking += [asyncio.ensure_future(node.request(say(str(n)), StringValue, to="door")) for n in range(1, 8)]
        await until(lambda: sum(one.done() for one in asking) == 4)
        gate.set()
        results = await asyncio.gather(*asking, return_exceptions=True)
        assert [getattr(result, "value", None) for result in results] == ["0", "1", "2", "3", None, None, None, None]
        assert all(isinstance(result, Busy) for result in results[4:])
        assert "door.one: its mailbox of 3 is full" in str(results[-1])
        counters = node.agent_statistics("door").behaviors["one"]
        assert (counters.received, counters.handled, counters.dropped) == (8, 4, 4)


async def test_drop_oldest_keeps_the_newest(url: str) -> None:
    gate, log = asyncio.Event(), []
    async with Node(url, agents={"door": Gate(gate, log)}) as node:
        await node.publish(Alarm(room="0"))
        await until(lambda: log)
        for number in range(1, 12):
            await node.publish(Alarm(room=str(number)))
            if number == 5:
                await node.bus.transport.flush()
        await until(lambda: node.agent_statistics("door").behaviors["newest"].received == 12)
        gate.set()
        await until(lambda: log[-1] == "end 11")
        counters = node.agent_statistics("door").behaviors["newest"]
        assert counters.dropped + counters.handled == 12
        begun = [entry for entry in log if entry.startswith("begin")]
        assert begun == ["begin 0", "begin 9", "begin 10", "begin 11"]


async def test_a_handler_that_never_waits_leaves_the_loop_to_others(url: str) -> None:
    class Grinder(Agent):
        def __init__(self) -> None:
            self.done = 0

        @on(Reading)
        async def grind(self, reading: Reading, ctx: Context) -> None:
            until_s = ctx.now() + 0.001
            while ctx.now() < until_s:
                pass
            self.done += 1

    grinder = Grinder()
    async with Node(url, agents=[grinder]) as node, Node(url) as other:
        for _ in range(400):
            await other.publish(Reading())
        await until(lambda: grinder.done)
        seen = set()
        while grinder.done < 400:
            seen.add(grinder.done)
            await asyncio.sleep(0)
        assert len(seen) > 20
        assert node.agent_statistics("grinder").behaviors["grind"].busy_s > 0.3


async def test_a_realm_is_a_network_of_its_own(url: str) -> None:
    listener = Listener()
    async with (
        Node(url, realm="one", agents={"hall": Thermostat(), "a": listener}) as one,
        Node(url, realm="two") as two,
    ):
        await two.publish(Reading(room="x"))
        with pytest.raises(NoResponders):
            await two.request(TargetRequest(), TargetReply, to="hall")
        with pytest.raises(NoResponders):
            await two.request(TargetRequest(), TargetReply)
        assert await two.gather(TargetRequest(), TargetReply) == []
        await one.publish(Reading(room="y"))
        await until(lambda: listener.heard)
        assert listener.heard == [("all", "y")]


async def test_two_agents_of_one_name_on_two_nodes_share_and_never_both_answer(url: str) -> None:
    calls: list[str] = []

    class Counting(Agent):
        @rpc(TargetRequest, TargetReply)
        async def tell(self, request: TargetRequest, ctx: Context) -> TargetReply:
            calls.append(ctx.node)
            return TargetReply()

    async with (
        Node(url, name="n1", agents={"hall": Counting()}),
        Node(url, name="n2", agents={"hall": Counting()}),
        Node(url) as asker,
    ):
        for _ in range(100):
            await asker.request(TargetRequest(), TargetReply, to="hall")
        assert len(calls) == 100
        assert set(calls) == {"n1", "n2"}


async def test_two_agents_that_answer_each_others_events_end_at_the_hop_limit(url: str) -> None:
    class Echo(Agent):
        def __init__(self, mine: type[Reading] | type[Alarm]) -> None:
            self.hops: list[int] = []

        @on(Reading, topic="loop")
        async def again(self, reading: Reading, ctx: Context) -> None:
            self.hops.append(ctx.hops)
            await ctx.publish(Alarm(), topic="loop")

        @on(Alarm, topic="loop")
        async def and_again(self, alarm: Alarm, ctx: Context) -> None:
            await ctx.publish(Reading(), topic="loop")

    echo = Echo(Reading)
    async with Node(url, agents={"a": echo}, max_hops=20) as one, Node(url, max_hops=20) as two:
        await two.publish(Reading(), topic="loop")
        counters = lambda: one.agent_statistics("a").behaviors  # noqa: E731
        await until(lambda: counters()["again"].errors + counters()["and_again"].errors == 1)
        assert echo.hops == list(range(0, 21, 2))
        failed = next(counter for counter in counters().values() if counter.errors)
        assert (failed.refused, failed.failed) == (1, 0)
        assert failed.last_error.startswith("HopLimitExceeded")
        assert one.agent_statistics("a").restarts == 0


# -- deadlines ---------------------------------------------------------------------------------------------------------


def test_deadlines_travel_and_cut_the_handler() -> None:
    seen: dict[str, Any] = {}

    class Inner(Agent):
        @rpc(StringValue, StringValue)
        async def slow(self, request: StringValue, ctx: Context) -> StringValue:
            seen["inner"] = ctx.deadline_s
            try:
                await asyncio.sleep(100.0)
            except asyncio.CancelledError:
                seen["inner cut"] = ctx.now()
                raise
            return request

    class Outer(Agent):
        @rpc(Int64Value, StringValue)
        async def nested(self, request: Int64Value, ctx: Context) -> StringValue:
            await asyncio.sleep(0.5)
            seen["outer"] = ctx.deadline_s
            try:
                return await ctx.request(StringValue(), StringValue, to="inner", timeout_s=60.0)
            finally:
                seen["outer ended"] = ctx.now()

        @on(Reading)
        async def event(self, reading: Reading, ctx: Context) -> None:
            seen["event"] = ctx.deadline_s

    async def scenario(sim: Simulation) -> None:
        a = await sim.node("a", agents={"outer": Outer()})
        b = await sim.node("b", agents={"inner": Inner()})
        await b.publish(Reading())
        start = sim.now()
        with pytest.raises(DeadlineExceeded):
            await b.request(Int64Value(), StringValue, to="outer", timeout_s=2.0)
        assert sim.now() - start == pytest.approx(2.0, abs=0.02)
        await sim.sleep(0.1)
        assert seen["event"] is None
        assert seen["outer"] == pytest.approx(1.5, abs=0.02)
        assert seen["inner"] == pytest.approx(1.5, abs=0.02)
        assert seen["inner cut"] - start == pytest.approx(2.0, abs=0.05)
        assert seen["outer ended"] - start == pytest.approx(2.0, abs=0.05)
        assert a.agent_statistics("outer").behaviors["nested"].expired == 1
        assert b.agent_statistics("inner").behaviors["slow"].expired == 1
        assert a.statistics().open_calls == b.statistics().open_calls == 0
        assert a.agent_statistics("outer").restarts == 0

    Simulation(seed=1).run(scenario)


def test_an_expired_request_never_runs() -> None:
    ran: list[str] = []

    class Slow(Agent):
        @rpc(StringValue, StringValue)
        async def one(self, request: StringValue, ctx: Context) -> StringValue:
            ran.append(request.value)
            await asyncio.sleep(1.0)
            return request

    async def scenario(sim: Simulation) -> None:
        node = await sim.node("a", agents=[Slow()])
        first = asyncio.ensure_future(node.request(say("first"), StringValue, to="slow", timeout_s=5.0))
        await sim.sleep(0.1)
        with pytest.raises(DeadlineExceeded):
            await node.request(say("late"), StringValue, to="slow", timeout_s=0.2)
        assert (await first).value == "first"
        assert (await node.request(say("third"), StringValue, to="slow")).value == "third"
        assert ran == ["first", "third"]
        counters = node.agent_statistics("slow").behaviors["one"]
        assert (counters.received, counters.handled, counters.expired) == (3, 2, 1)

    Simulation(seed=1).run(scenario)


def test_a_handler_that_swallows_its_cancellation_harms_only_itself() -> None:
    class Deaf(Agent):
        @rpc(StringValue, StringValue)
        async def one(self, request: StringValue, ctx: Context) -> StringValue:
            if request.value == "swallow":
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(50.0)
                return request
            if request.value == "refuse":
                try:
                    await asyncio.sleep(50.0)
                except asyncio.CancelledError:
                    raise Refused("late") from None
            async with asyncio.timeout(0.1):
                await asyncio.sleep(10.0 if request.value == "timeout" else 0.0)
            return request

    async def scenario(sim: Simulation) -> None:
        node = await sim.node("a")
        await node.add(Deaf(), supervision=RESUME)

        def ask(what: str, timeout_s: float = 1.0) -> Coroutine[Any, Any, StringValue]:
            return node.request(say(what), StringValue, to="deaf", timeout_s=timeout_s)

        # All wait at once, so that one task of the agent handles them one after the other.
        results = await asyncio.gather(
            *(ask(what, 1.0 + index) for index, what in enumerate(["swallow", "refuse", "timeout", "swallow", "fine"])),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [
            DeadlineExceeded,
            DeadlineExceeded,
            HandlerFailed,
            DeadlineExceeded,
            StringValue,
        ]
        counters = node.agent_statistics("deaf").behaviors["one"]
        assert counters.handled + counters.errors + counters.expired == counters.received == 5

    Simulation(seed=1).run(scenario)


def test_a_request_waits_five_seconds_unless_told_and_no_longer_than_its_cause() -> None:
    class Silent(Agent):
        @rpc(StringValue, StringValue)
        async def one(self, request: StringValue, ctx: Context) -> StringValue:
            await asyncio.sleep(99.0)
            return request

    async def scenario(sim: Simulation) -> None:
        node = await sim.node("a", agents=[Silent()])
        start = sim.now()
        with pytest.raises(DeadlineExceeded, match="within 5 s"):
            await node.request(say(""), StringValue, to="silent")
        assert sim.now() - start == pytest.approx(5.0, abs=0.02)

    Simulation(seed=1).run(scenario)


# -- supervision -------------------------------------------------------------------------------------------------------


class Fragile(Agent):
    """Fails when told; notes the lives it has."""

    def __init__(self, lives: list[Fragile], stops: list[Fragile] | None = None) -> None:
        self.lives = lives
        self.stops = stops if stops is not None else []
        self.seen: list[str] = []

    @on_start
    async def begin(self, ctx: Context) -> None:
        self.lives.append(self)

    @on_stop
    async def over(self, ctx: Context) -> None:
        self.stops.append(self)

    @on(Reading)
    async def hear(self, reading: Reading, ctx: Context) -> None:
        self.seen.append(reading.room)
        if reading.room.startswith("boom"):
            raise ValueError(reading.room)
        if reading.room == "no":
            raise Refused("no")

    @rpc(StringValue, StringValue)
    async def echo(self, request: StringValue, ctx: Context) -> StringValue:
        return request


async def test_a_defect_gives_a_fresh_instance_and_keeps_the_mailbox(url: str) -> None:
    lives: list[Fragile] = []
    stops: list[Fragile] = []
    first = Fragile(lives, stops)
    async with Node(url, agents={"f": first}) as node:
        for room in ("a", "boom", "b", "c"):
            await node.publish(Reading(room=room))
        await until(lambda: len(lives) == 2 and len(lives[1].seen) == 2)
        assert lives[0] is first
        assert lives[1] is not first
        assert (lives[0].seen, lives[1].seen) == (["a", "boom"], ["b", "c"])
        assert stops == [first]
        statistics = node.agent_statistics("f")
        assert (statistics.state, statistics.restarts) == ("running", 1)
        counters = statistics.behaviors["hear"]
        assert (counters.received, counters.handled, counters.failed) == (4, 3, 1)
        assert counters.last_error == "ValueError: boom"
        assert (await node.request(say("x"), StringValue, to="f")).value == "x"


async def test_an_error_of_the_world_restarts_nobody(url: str) -> None:
    lives: list[Fragile] = []
    async with Node(url, agents={"f": Fragile(lives)}) as node:
        for room in ("no", "no", "a"):
            await node.publish(Reading(room=room))
        await until(lambda: lives[0].seen == ["no", "no", "a"])
        counters = node.agent_statistics("f").behaviors["hear"]
        assert (counters.refused, counters.failed, counters.handled) == (2, 0, 1)
        assert len(lives) == 1


def test_the_default_gives_an_agent_up_after_three_restarts_in_a_minute() -> None:
    lives: list[Fragile] = []

    async def scenario(sim: Simulation) -> None:
        node = await sim.node("a", agents={"f": Fragile(lives), "hall": Thermostat()})
        failures: list[AgentFailed] = []

        class Watch(Agent):
            @on(AgentFailed)
            async def note(self, event: AgentFailed, ctx: Context) -> None:
                failures.append(event)

        await node.add(Watch())
        for number in range(3):
            await node.publish(Reading(room=f"boom {number}"))
            await sim.until(lambda number=number: len(lives) == number + 2)
            await sim.sleep(1.1)
        assert node.agent_statistics("f").restarts == 3
        await node.publish(Reading(room="boom 3"))
        await node.publish(Reading(room="waits"))
        await sim.until(lambda: node.agent_statistics("f").state == "failed")
        with pytest.raises(NoResponders):
            await node.request(say("x"), StringValue, to="f")
        assert (await node.request(TargetRequest(), TargetReply, to="hall")).celsius == 21.0
        assert [failure.decision for failure in failures] == ["restart", "restart", "restart", "stop"]
        assert (failures[0].agent, failures[0].behavior, failures[0].error_type) == ("f", "hear", "ValueError")
        counters = node.agent_statistics("f").behaviors["hear"]
        assert counters.received == counters.handled + counters.failed + counters.dropped == 5
        assert not node.cells["f"].tasks()
        await node.remove("f")
        await node.add(Fragile(lives), name="f")
        assert (await node.request(say("x"), StringValue, to="f")).value == "x"

    Simulation(seed=1).run(scenario)


def test_failures_that_are_rare_restart_for_ever() -> None:
    lives: list[Fragile] = []

    async def scenario(sim: Simulation) -> None:
        node = await sim.node("a", agents={"f": Fragile(lives)})
        for number in range(10):
            await node.publish(Reading(room="boom"))
            await sim.until(lambda number=number: len(lives) == number + 2)
            await sim.sleep(25.0)
        assert node.agent_statistics("f").state == "running"

    Simulation(seed=1).run(scenario)


def test_restarts_wait_longer_and_longer_and_requests_wait_with_them() -> None:
    lives: list[Fragile] = []

    async def scenario(sim: Simulation) -> None:
        policy = Supervision(max_restarts=5, backoff_s=1.0)
        node = await sim.node("a")
        await node.add(Fragile(lives), name="f", supervision=policy)
        waits = []
        for number in range(3):
            start = sim.now()
            await node.publish(Reading(room="boom"))
            await sim.until(lambda number=number: node.agent_statistics("f").restarts == number + 1)
            assert (await node.request(say("x"), StringValue, to="f", timeout_s=9.0)).value == "x"
            waits.append(sim.now() - start)
        assert waits == pytest.approx([0.0, 1.0, 2.0], abs=0.1)

    Simulation(seed=1).run(scenario)


@pytest.mark.parametrize("then", ["stop", "escalate"])
async def test_the_last_agent_given_up_or_an_escalation_ends_the_node(url: str, then: Any) -> None:
    agents = {"f": Fragile([])} if then == "stop" else {"f": Fragile([]), "hall": Thermostat()}
    async with Node(url, agents={}) as node:
        for name, agent in agents.items():
            await node.add(agent, name=name, supervision=Supervision(max_restarts=0, then=then))
        running = asyncio.ensure_future(node.run())
        await node.publish(Reading(room="boom"))
        with pytest.raises(AgentStopped, match="failed more than 0 times in 60 s, last with ValueError: boom"):
            await asyncio.wait_for(running, 5.0)
        with pytest.raises(Closed, match="not running"):
            await node.publish(Reading())


class Starter(Agent):
    """Fails to start as often as told."""

    def __init__(self, failures: list[Exception], log: list[str]) -> None:
        self.failures = failures
        self.log = log
        log.append("init")
        if self.failures and isinstance(self.failures[0], MemoryError):
            raise self.failures.pop(0)

    @on_start
    async def begin(self, ctx: Context) -> None:
        self.log.append("start")
        if self.failures:
            raise self.failures.pop(0)

    @on_stop
    async def over(self, ctx: Context) -> None:
        self.log.append("stop")

    @rpc(StringValue, StringValue)
    async def echo(self, request: StringValue, ctx: Context) -> StringValue:
        if request.value == "boom":
            raise ValueError("boom")
        return request


QUICK = Supervision(backoff_s=0.001)


async def test_an_agent_that_fails_to_start_is_built_again(url: str) -> None:
    log: list[str] = []
    async with Node(url) as node:
        await node.add(Starter([ValueError("1"), Refused("2"), MemoryError("3")], log), supervision=QUICK)
        assert (await node.request(say("x"), StringValue, to="starter")).value == "x"
        assert log == ["init", "start", "init", "start", "init", "init", "start"]
        assert node.agent_statistics("starter").restarts == 3


async def test_an_agent_that_never_starts_is_said_to_whoever_added_it(url: str) -> None:
    async with Node(url) as node:
        with pytest.raises(AgentStopped, match="could not start: ValueError: 3") as caught:
            await node.add(Starter([ValueError(str(n)) for n in range(9)], []), name="s", supervision=QUICK)
        assert isinstance(caught.value.__cause__, ValueError)
        assert node.cells == {}
        await node.add(Thermostat(), name="s")
        running = asyncio.ensure_future(node.run())
        await turns()
        assert not running.done(), "who added it was told; the node goes on"
        assert (await node.request(TargetRequest(), TargetReply, to="s")).celsius == 21.0
        await cancel(running)


async def test_a_node_whose_agent_cannot_start_does_not_start(url: str) -> None:
    class Hopeless(Starter):
        supervision = QUICK

    node = Node(url, agents={"s": Hopeless([ValueError("x")] * 9, [])})
    with pytest.raises(AgentStopped, match="agent 's' could not start"):
        await node.start()
    with pytest.raises(Closed, match="make a new one"):
        await node.start()


@pytest.mark.parametrize(
    "failures", [[ValueError("x")] * 9, [MemoryError("x") for _ in range(9)]], ids=["on_start", "__init__"]
)
async def test_an_agent_that_cannot_be_built_again_is_given_up(url: str, failures: list[Exception]) -> None:
    later: list[Exception] = []
    async with Node(url, agents={"hall": Thermostat()}) as node:
        await node.add(Starter(later, []), name="s", supervision=QUICK)
        later.extend(failures)
        with pytest.raises(HandlerFailed, match="boom"):
            await node.request(say("boom"), StringValue, to="s")
        await until(lambda: node.agent_statistics("s").state == "failed")
        with pytest.raises(NoResponders):
            await node.request(say("x"), StringValue, to="s")


async def test_requests_that_wait_for_an_agent_that_is_given_up_are_answered(url: str) -> None:
    gate = asyncio.Event()

    class Doomed(Gate):
        supervision = Supervision(max_restarts=0)

        @on(Value)
        async def fail(self, value: Value, ctx: Context) -> None:
            raise ValueError("boom")

    async with Node(url, agents={"door": Doomed(gate), "hall": Thermostat()}) as node:
        asking = [asyncio.ensure_future(node.request(say(str(n)), StringValue, to="door")) for n in range(3)]
        await until(lambda: node.agent_statistics("door").queued == 2)
        await node.send(Value(), to="door")
        results = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(result) for result in results] == [HandlerFailed, Busy, Busy]
        assert "the agent was stopped meanwhile" in str(results[0])
        assert "the agent was given up" in str(results[1])


async def test_a_restart_waits_for_what_it_cut_off_before_it_stops_the_old_instance(url: str) -> None:
    log: list[str] = []

    class Tidy(Agent):
        @rpc(StringValue, StringValue)
        async def hold(self, request: StringValue, ctx: Context) -> StringValue:
            log.append("held")
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.01)
                log.append("let go")
            return request

        @on(Reading)
        async def boom(self, reading: Reading, ctx: Context) -> None:
            raise ValueError("boom")

        @on_start
        async def start(self, ctx: Context) -> None:
            log.append("start")

        @on_stop
        async def stop(self, ctx: Context) -> None:
            log.append("stop")

    async with Node(url, agents={"t": Tidy()}) as node:
        asking = asyncio.ensure_future(node.request(say("x"), StringValue, to="t"))
        await until(lambda: "held" in log)
        await node.publish(Reading())
        with pytest.raises(HandlerFailed, match="stopped meanwhile"):
            await asking
        await until(lambda: log.count("start") == 2)
        assert log == ["start", "held", "let go", "stop", "start"]


async def test_stopping_in_the_middle_of_a_restart_stops_once(url: str) -> None:
    log: list[str] = []
    async with Node(url) as node:
        await node.add(Starter([], log), supervision=Supervision(backoff_s=5.0))
        for _ in range(2):
            with pytest.raises(HandlerFailed):
                await node.request(say("boom"), StringValue, to="starter")
            await until(lambda: node.agent_statistics("starter").restarts)
        await until(lambda: node.agent_statistics("starter").state == "restarting")
        waiting = asyncio.ensure_future(node.request(say("x"), StringValue, to="starter"))
        await until(lambda: node.agent_statistics("starter").queued)
        await node.stop()
        with pytest.raises((Busy, Closed)):
            await waiting
    assert log == ["init", "start", "stop", "init", "start", "stop"]


async def test_an_error_without_words_harms_nobody(url: str) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

        __repr__ = __str__

    async with Node(url) as node:
        await node.add(Thermostat(error=Mute()), name="hall", supervision=RESUME)
        for _ in range(3):
            with pytest.raises(HandlerFailed, match="Mute"):
                await node.request(TargetRequest(), TargetReply, to="hall")
        assert node.agent_statistics("hall").behaviors["tell_target"].failed == 3


def test_ticks_come_on_time_and_a_failed_one_restarts() -> None:
    ticks: list[float] = []

    class Clock(Agent):
        def __init__(self) -> None:
            self.count = 0

        @every(10.0)
        async def steady(self, ctx: Context) -> None:
            ticks.append(ctx.now())
            self.count += 1
            if self.count == 3:
                raise ValueError("boom")

        @every(7.0, immediately=True)
        async def slow(self, ctx: Context) -> None:
            await asyncio.sleep(20.0)

        @every(5.0, jitter=1.0)
        async def loose(self, ctx: Context) -> None:
            raise Refused("not now")

    async def scenario(sim: Simulation) -> None:
        start = sim.now()
        node = await sim.node("a", agents=[Clock()])
        await sim.sleep(61.0)
        assert [tick - start for tick in ticks] == pytest.approx([10, 20, 30, 40, 50, 60], abs=0.1)
        statistics = node.agent_statistics("clock")
        assert (statistics.restarts, statistics.state) == (1, "running") or statistics.restarts == 2
        assert statistics.behaviors["steady"].failed >= 1
        assert statistics.behaviors["slow"].handled in (2, 3)
        assert statistics.behaviors["loose"].errors >= 8
        assert statistics.behaviors["loose"].last_error == "Refused: not now"

    Simulation(seed=1).run(scenario)


# -- drain and stop ----------------------------------------------------------------------------------------------------


async def test_drain_finishes_what_runs_and_answers_what_waits_with_busy(url: str) -> None:
    gate, log = asyncio.Event(), []
    async with Node(url) as asker:
        node = Node(url, agents={"door": Gate(gate, log)})
        await node.start()
        asking = [asyncio.ensure_future(asker.request(say(str(n)), StringValue, to="door")) for n in range(3)]
        await until(lambda: node.agent_statistics("door").queued == 2)
        stopping = asyncio.ensure_future(node.stop())
        await until(lambda: asking[1].done() and asking[2].done())
        assert not asking[0].done()
        gate.set()
        await stopping
        results = await asyncio.gather(*asking, return_exceptions=True)
        assert results[0] == say("0")
        assert all(isinstance(result, Busy) and "going away" in str(result) for result in results[1:])
        assert log == ["begin 0", "end 0", "stop, 0 running"]
        with pytest.raises(NoResponders):
            await asker.request(say("late"), StringValue, to="door")


async def test_drain_handles_the_events_that_wait(url: str) -> None:
    gate, log = asyncio.Event(), []
    gate.set()
    async with Node(url) as other:
        node = Node(url, agents={"door": Gate(gate, log)})
        await node.start()
        for number in range(50):
            await other.publish(Reading(room=str(number)))
        await until(lambda: log)
        await node.stop()
        assert log[-1] == "stop, 0 running"
        assert [entry for entry in log if entry.startswith("end")] == [f"end {number}" for number in range(50)]


async def test_a_handler_that_outlasts_the_drain_is_cut_and_nothing_is_left(url: str) -> None:
    gate, log = asyncio.Event(), []
    before = asyncio.all_tasks()
    async with Node(url) as asker:
        node = Node(url, agents={"door": Gate(gate, log)}, drain_s=0.05)
        await node.start()
        for number in range(5):
            await asker.publish(Reading(room=f"e{number}"))
        asking = asyncio.ensure_future(asker.request(say("r"), StringValue, to="door"))
        await until(lambda: len(log) == 2)
        await node.stop()
        with pytest.raises(HandlerFailed, match="stopped meanwhile"):
            await asking
        assert sorted(log[:2]) == ["begin e0", "begin r"]
        assert sorted(log[2:4]) == ["cut e0", "cut r"]
        assert log[4:] == ["stop, 0 running"]
        counters = node.agent_statistics("door").behaviors["event"]
        assert counters.received == counters.handled + counters.failed + counters.dropped == 5
    await turns()
    assert asyncio.all_tasks() == before


async def test_stop_may_be_called_by_a_handler_and_twice(url: str) -> None:
    class Suicidal(Agent):
        def __init__(self, node: list[Node]) -> None:
            self.node = node

        @on(Reading)
        async def end(self, reading: Reading, ctx: Context) -> None:
            await self.node[0].stop()

    nodes: list[Node] = []
    async with Node(url, drain_s=0.05) as node:
        nodes.append(node)
        await node.add(Suicidal(nodes))
        running = asyncio.ensure_future(node.run())
        await node.publish(Reading())
        await asyncio.wait_for(running, 5.0)
        await node.stop()
    assert node.statistics().connected is False


async def test_a_stop_hook_that_fails_or_hangs_does_not_stop_the_stop(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentbus.cell.HOOK_S", 0.02)

    class Bad(Agent):
        @on_stop
        async def fails(self, ctx: Context) -> None:
            raise ValueError("boom")

        @on_stop
        async def hangs(self, ctx: Context) -> None:
            await asyncio.Event().wait()

    with capture_logs() as logs:
        async with Node(url, agents=[Bad()]):
            pass
    failed = [entry["behavior"] for entry in logs if entry["event"] == "behavior failed"]
    assert failed == ["fails", "hangs"]


async def test_a_node_that_is_stopped_while_an_agent_starts_leaves_nothing(url: str) -> None:
    gate, log = asyncio.Event(), []
    before = asyncio.all_tasks()

    class Slow(Agent):
        @on_start
        async def begin(self, ctx: Context) -> None:
            log.append("begin")
            await gate.wait()

        @every(0.001)
        async def tick(self, ctx: Context) -> None:
            log.append("tick")

    async with Node(url, agents={"door": Gate(asyncio.Event())}, drain_s=0.1) as node:
        adding = asyncio.ensure_future(node.add(Slow()))
        await until(lambda: log)
        asking = asyncio.ensure_future(node.request(say("x"), StringValue, to="door"))
        await until(node.cells["door"].tasks)
        stopping = asyncio.ensure_future(node.stop())
        await turns()
        gate.set()
        with pytest.raises((Closed, AgentStopped)):
            await adding
        await stopping
        with pytest.raises((HandlerFailed, Closed)):
            await asking
    await turns()
    assert log == ["begin"]
    assert asyncio.all_tasks() == before


async def test_one_agent_can_be_removed(url: str) -> None:
    gate, log = asyncio.Event(), []
    async with Node(url, agents={"door": Gate(gate, log), "hall": Thermostat()}) as node:
        asking = [asyncio.ensure_future(node.request(say(str(n)), StringValue, to="door")) for n in range(2)]
        await until(lambda: node.agent_statistics("door").queued == 1)
        removing = asyncio.ensure_future(node.remove("door"))
        with pytest.raises(Busy):
            await asking[1]
        gate.set()
        await removing
        assert (await asking[0]).value == "0"
        assert log[-1] == "stop, 0 running"
        with pytest.raises(NoResponders):
            await node.request(say("x"), StringValue, to="door")
        for call in (lambda: node.remove("door"),):
            with pytest.raises(AgentNotFound, match="hosts no agent 'door'"):
                await call()
        assert (await node.request(TargetRequest(), TargetReply)).celsius == 21.0


async def test_abort_is_a_crash_nothing_is_answered_and_no_hook_runs(url: str) -> None:
    gate, log = asyncio.Event(), []
    async with Node(url) as asker:
        node = Node(url, agents={"door": Gate(gate, log)})
        await node.start()
        asking = asyncio.ensure_future(asker.request(say("x"), StringValue, to="door", timeout_s=0.1))
        await until(lambda: log)
        await node.abort()
        with pytest.raises(DeadlineExceeded):
            await asking
        assert log == ["begin x", "cut x"]
    unborn = Node(url)
    await unborn.abort()
    with pytest.raises(Closed):
        await unborn.start()


async def test_run_ends_on_a_signal(url: str) -> None:
    log: list[str] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        async with Node(url, agents={"s": Starter([], log)}) as node:
            running = asyncio.ensure_future(node.run())
            await turns()
            os.kill(os.getpid(), number)
            await asyncio.wait_for(running, 5.0)
    assert log == ["init", "start", "stop"] * 2


def test_run_hosts_agents_until_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []

    class Brief(Agent):
        @on_start
        async def begin(self, ctx: Context) -> None:
            log.append(f"{ctx.realm} {ctx.node}")

        @every(0.001)
        async def end(self, ctx: Context) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        @on_stop
        async def over(self, ctx: Context) -> None:
            log.append("stop")

    run(Brief(), url="memory://run", realm="city", name="n")
    assert log == ["city n", "stop"]


# -- set-up ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://x", "memory", "", "://", "redis://127.0.0.1"])
def test_an_unknown_scheme_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTBUS_URL", "carrier-pigeon://loft")
    with pytest.raises(UnknownScheme, match="use one of memory://, embedded://, nats://, tls://"):
        Node(url)


@pytest.mark.parametrize(("more", "says"), [({"name": "a b"}, "node 'a b'"), ({"realm": "a.b"}, "realm 'a.b'")])
async def test_a_node_of_an_impossible_name_is_refused(url: str, more: dict[str, str], says: str) -> None:
    with pytest.raises(SubjectError, match=says):
        Node(url, **more)  # type: ignore[arg-type]


async def test_a_url_and_a_transport_are_one_too_many(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not both"):
        Node(url, transport=MemoryTransport(MemoryBroker()))


async def test_the_environment_says_where_when_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTBUS_URL", "memory://elsewhere")
    async with Node(agents={"hall": Thermostat()}), Node("memory://elsewhere") as other:
        assert (await other.request(TargetRequest(), TargetReply, to="hall")).celsius == 21.0


async def test_two_agents_of_one_name_on_one_node_are_refused(url: str) -> None:
    agent = Thermostat()
    async with Node(url, agents=[agent]) as node:
        with pytest.raises(AgentExists, match="hosts an agent 'thermostat' already: give this one another name="):
            await node.add(Thermostat())
        with pytest.raises(AgentExists, match="make one for each name"):
            await node.add(agent, name="other")
        with pytest.raises(SubjectError, match="agent 'a b'"):
            await node.add(Thermostat(), name="a b")
        assert set(node.cells) == {"thermostat"}


async def test_without_a_link_publishing_and_asking_fail_at_once() -> None:
    broker = MemoryBroker()
    async with Node(transport=MemoryTransport(broker)) as node:
        broker.stop_broker()
        for words in (node.publish(Reading()), node.send(Reading(), to="x"), node.publish(Reading(), spread=True)):
            with pytest.raises(NotConnected, match="no link to memory://"):
                await words
        with pytest.raises(NotConnected):
            await node.request(TargetRequest(), TargetReply)
        with pytest.raises(NotConnected):
            await node.gather(TargetRequest(), TargetReply)
        with pytest.raises(NotConnected):
            await node.publish(Reading(), plain=True, subject="x")
        assert node.statistics().connected is False
        broker.start_broker()
        await until(lambda: node.statistics().connected)
        await node.publish(Reading())


async def test_no_broker_means_no_start() -> None:
    broker = MemoryBroker()
    broker.stop_broker()
    node = Node(transport=MemoryTransport(broker))
    with pytest.raises(NotConnected, match="did not answer"):
        await node.start(timeout_s=0.02)
    await node.stop()


async def test_a_node_that_is_not_running_says_so(url: str) -> None:
    node = Node(url, name="n")
    for words in (node.publish(Reading()), node.add(Thermostat())):
        with pytest.raises(Closed, match="node 'n' is not running"):
            await words


async def test_statistics_and_info_tell_what_is_there(url: str) -> None:
    async with Node(url, name="n", realm="city", agents={"hall": Thermostat()}) as node:
        await node.request(TargetRequest(), TargetReply, to="hall")
        statistics = node.statistics()
        assert (statistics.name, statistics.realm, statistics.connected) == ("n", "city", True)
        assert statistics.agents["hall"].behaviors["tell_target"].handled == 1
        assert statistics.messages_sent >= 2
        assert (statistics.malformed, statistics.lost, statistics.open_calls) == (0, 0, 0)
        info = node.info("hall")
        assert info.id == f"n-hall-{node.epoch:x}"
        assert info.description == "Answers with its target, or fails as told."
        for ask in (node.info, node.agent_statistics):
            with pytest.raises(AgentNotFound, match="'x'"):
                ask("x")
        (peer,) = node.peers.alive()
        assert (peer.id.name, peer.node, peer.answers) == ("hall", "n", ("examples.climate.v1.TargetRequest",))
        assert node.peers.get("hall") == peer
        assert node.peers.get("x") is None


async def test_malformed_bytes_are_logged_once_a_second_and_counted(url: str) -> None:
    with capture_logs() as logs:
        async with Node(url, agents={"l": Listener()}) as node, wire(url) as bare:
            for _ in range(50):
                bare.transport.send("default.ev.examples-climate-v1-Reading", b"\x00\x09")
            await until(lambda: node.statistics().malformed == 50)
            bare.transport.send("default.ev.examples-climate-v1-Reading", framed(Reading()))
            await until(lambda: node.agent_statistics("l").behaviors["all"].handled == 1)
    assert sum(entry["event"] == "malformed message dropped" for entry in logs) == 1


async def test_failures_under_a_congested_wire_leave_no_loose_end() -> None:
    class Congested(MemoryTransport):
        @property
        def congested(self) -> bool:
            return self.stuck

        stuck = False

    transport = Congested(MemoryBroker())
    async with Node(transport=transport) as node:
        await node.add(Thermostat(error=ValueError("boom")), name="hall", supervision=RESUME)
        asking = asyncio.ensure_future(node.request(TargetRequest(), TargetReply, to="hall"))
        await asyncio.sleep(0)
        transport.stuck = True
        with pytest.raises(HandlerFailed):
            await asking
        transport.stuck = False


async def test_idle_agents_cost_no_task(url: str) -> None:
    before = len(asyncio.all_tasks())
    async with Node(url, agents={f"t{n}": Thermostat(n) for n in range(300)}) as node:
        assert len(asyncio.all_tasks()) <= before + 1
        await asyncio.gather(*(node.request(TargetRequest(), TargetReply, to=f"t{n}") for n in range(300)))
        await turns()
        assert len(asyncio.all_tasks()) <= before + 1


async def test_speaking_waits_while_the_wire_is_congested() -> None:
    class Congested(MemoryTransport):
        stuck = False
        waits: ClassVar[list[float]] = []

        @property
        def congested(self) -> bool:
            return self.stuck

        async def writable(self, *, timeout_s: float = 5.0) -> None:
            self.waits.append(timeout_s)

    transport = Congested(MemoryBroker())
    async with Node(transport=transport) as node:
        transport.stuck = True
        await node.publish(Reading(), timeout_s=0.5)
        await node.publish(Reading(), spread=True, timeout_s=0.25)
        await turns()
        await node.send(Alarm(), to="x")
        assert transport.waits == [0.5, 0.25, 5.0]
        transport.stuck = False


async def test_more_receivers_than_are_remembered_are_still_reached(url: str) -> None:
    async with Node(url, agents={"hall": Thermostat()}) as node:
        for number in range(1100):
            with pytest.raises(NoResponders):
                await node.request(TargetRequest(), TargetReply, to=f"nobody-{number}")
        assert (await node.request(TargetRequest(), TargetReply, to="hall")).celsius == 21.0
        assert len(node.port.routes) <= 1024


async def test_a_method_that_hears_two_things_counts_them_apart(url: str) -> None:
    heard: list[str] = []

    class Both(Agent):
        @on(Reading, topic="a")
        @on(Reading, topic="b")
        @on(Alarm)
        async def hear(self, message: Reading | Alarm, ctx: Context) -> None:
            heard.append(f"{type(message).__name__} {ctx.topic}".strip())

    async with Node(url, agents={"both": Both()}) as node:
        for message, topic in [(Reading(), "a"), (Reading(), "b"), (Reading(), "c"), (Alarm(), "")]:
            await node.publish(message, topic=topic)
        await until(lambda: len(heard) == 3)
        assert sorted(heard) == ["Alarm", "Reading a", "Reading b"]
        behaviors = node.agent_statistics("both").behaviors
        assert {name: counters.handled for name, counters in behaviors.items()} == {
            "hear[examples.climate.v1.Reading, topic a]": 1,
            "hear[examples.climate.v1.Reading, topic b]": 1,
            "hear[examples.climate.v1.Alarm]": 1,
        }


async def test_events_that_can_not_be_read_are_counted_and_the_rest_handled(url: str) -> None:
    listener = Listener()
    subject = "default.ev.examples-climate-v1-Reading"
    async with Node(url, agents={"l": listener}) as node, wire(url) as bare:
        bare.transport.send(subject, b"\xff\xff")
        bare.transport.send(subject, b"[]", "", {"Content-Type": "application/json"})
        bare.transport.send(subject, b'{"room": "json"}', "", {"Content-Type": "application/json"})
        await until(lambda: node.agent_statistics("l").behaviors["all"].handled == 1)
        counters = node.agent_statistics("l").behaviors["all"]
        assert (counters.received, counters.malformed, counters.failed) == (3, 2, 0)
        assert listener.heard == [("all", "json")]


async def test_failures_while_a_node_stops_are_reported_and_restart_nobody(url: str) -> None:
    gate = asyncio.Event()

    class Late(Agent):
        @on(Reading)
        async def hear(self, reading: Reading, ctx: Context) -> None:
            await gate.wait()
            raise ValueError("late")

    with capture_logs() as logs:
        async with Node(url, agents=[Late()]) as node:
            await node.publish(Reading())
            await until(node.cells["late"].tasks)
            stopping = asyncio.ensure_future(node.stop())
            await turns()
            gate.set()
            await stopping
            assert node.agent_statistics("late").restarts == 0
            assert node.agent_statistics("late").behaviors["hear"].failed == 1
    assert [entry["decision"] for entry in logs if entry["event"] == "behavior failed"] == ["stopping"]


def test_a_start_that_hangs_is_a_failure() -> None:
    class Hangs(Agent):
        supervision = Supervision(max_restarts=0, start_s=2.0)

        @on_start
        async def hang(self, ctx: Context) -> None:
            await asyncio.Event().wait()

    async def scenario(sim: Simulation) -> None:
        node = await sim.node("n")
        began = sim.now()
        with pytest.raises(AgentStopped, match="could not start"):
            await node.add(Hangs())
        assert sim.now() - began == pytest.approx(2.0)

    Simulation(seed=1).run(scenario)


async def test_a_second_stop_returns_when_the_first_is_done() -> None:
    ended: list[str] = []

    class Slow(Agent):
        @on_stop
        async def end(self, ctx: Context) -> None:
            await turns()
            ended.append("slow")

    node = Node("memory://stops", agents=[Slow()])
    await node.start()
    first = asyncio.ensure_future(node.stop())
    await asyncio.sleep(0)
    await node.stop()
    assert ended == ["slow"]
    await first


async def test_handlers_do_not_run_in_the_senders_context_variables() -> None:
    secret: ContextVar[str] = ContextVar("secret", default="none")
    seen: list[str] = []

    class Reads(Agent):
        @rpc(TargetRequest, TargetReply)
        async def read(self, request: TargetRequest, ctx: Context) -> TargetReply:
            seen.append(secret.get())
            return TargetReply()

    async with Node("memory://variables", agents=[Reads()]) as node:
        secret.set("the sender's")
        await node.request(TargetRequest(), TargetReply, to="reads")
    assert seen == ["none"]


class Awaiter(Agent):
    """Awaits, where it is told to, something that somebody else has cancelled."""

    def __init__(self, lives: list[str], where: str) -> None:
        self.lives = lives
        self.where = where

    async def wait_in(self, where: str) -> None:
        if self.where == where:
            gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            gone.cancel()
            await gone

    @on_start
    async def start(self, ctx: Context) -> None:
        self.lives.append("start")
        if len(self.lives) == 2:
            await self.wait_in("start")

    @on_stop
    async def stop(self, ctx: Context) -> None:
        await self.wait_in("stop")

    @every(60.0, immediately=True)
    async def tick(self, ctx: Context) -> None:
        await self.wait_in("tick")

    @on(Reading)
    async def event(self, reading: Reading, ctx: Context) -> None:
        await self.wait_in("event")

    @on(Reading, durable="awaiter", max_deliver=1)
    async def job(self, reading: Reading, ctx: Context) -> None:
        await self.wait_in("job")

    @rpc(StringValue, StringValue)
    async def ask(self, request: StringValue, ctx: Context) -> StringValue:
        if request.value == "fail":
            raise ValueError("boom")
        await self.wait_in("ask")
        return request


@pytest.mark.parametrize("where", ["tick", "event", "job", "ask", "start", "stop"])
async def test_awaiting_what_somebody_else_cancelled_is_a_failure_and_leaves_nobody_deaf(url: str, where: str) -> None:
    patience = Supervision(max_restarts=1000, backoff_s=0.0)
    async with Node(url) as node:
        await node.add(Awaiter([], where), name="a", supervision=patience)
        await node.publish(Reading())
        await node.publish(Reading(), durable=True)
        with suppress(HandlerFailed):
            await node.request(say("fail"), StringValue, to="a")
        if where == "ask":
            with pytest.raises(HandlerFailed, match="somebody else had cancelled"):
                await node.request(say("x"), StringValue, to="a")
        else:
            assert await node.request(say("x"), StringValue, to="a") == say("x")
        if where in ("tick", "event", "job", "ask"):
            await until(lambda: node.agent_statistics("a").behaviors[where].failed)


def test_drain_drops_events_that_wait_too_long_and_cuts_no_handler_within_its_time() -> None:
    log: list[str] = []

    class Slow(Agent):
        @on(Int64Value)
        async def event(self, number: Int64Value, ctx: Context) -> None:
            log.append(f"begin {number.value}")
            await asyncio.sleep(0.3)
            log.append(f"end {number.value}")

        @rpc(StringValue, StringValue)
        async def ask(self, request: StringValue, ctx: Context) -> StringValue:
            await asyncio.sleep(0.9)
            return request

    async def scenario(sim: Simulation) -> None:
        a, b = await sim.node("a", agents=[Slow()]), await sim.node("b")
        asking = asyncio.ensure_future(b.request(say("x"), StringValue, to="slow"))
        for number in range(10):  # the first goes alone, the others share a frame
            await b.publish(Int64Value(value=number))
        await sim.sleep(0.01)
        began = sim.now()
        await a.stop()
        assert sim.now() - began <= 1.0
        assert await asking == say("x")
        assert log == ["begin 0", "end 0", "begin 1", "end 1"]
        counters = a.agent_statistics("slow").behaviors["event"]
        assert (counters.received, counters.handled, counters.dropped) == (10, 2, 8)

    Simulation(seed=1).run(scenario)


@pytest.mark.parametrize("spread", [False, True])
async def test_order_holds_whatever_caused_a_message_and_however_it_travels(url: str, spread: bool) -> None:
    heard: list[int] = []

    class Ear(Agent):
        @on(Int64Value)
        async def hear(self, number: Int64Value, ctx: Context) -> None:
            heard.append(number.value)

    class Mouth(Agent):
        @on_start
        async def start(self, ctx: Context) -> None:
            self.first = ctx

        @rpc(StringValue, StringValue)
        async def say(self, request: StringValue, ctx: Context) -> StringValue:
            for number in range(10):
                speaker = ctx if number % 3 and not spread else self.first
                await speaker.publish(Int64Value(value=number), spread=spread and number % 3 == 0)
            return request

    async with Node(url, agents=[Ear(), Mouth()]) as node:
        await node.request(say("go"), StringValue, to="mouth")
        await until(lambda: len(heard) == 10)
        assert heard == list(range(10))


@pytest.mark.parametrize("remove", [False, True])
async def test_a_tick_that_runs_when_its_node_stops_may_finish(url: str, remove: bool) -> None:
    log: list[str] = []
    gate = asyncio.Event()

    class Clock(Agent):
        @every(0.001, immediately=True)
        async def tick(self, ctx: Context) -> None:
            log.append("begin")
            await gate.wait()
            log.append("end")

        @every(60.0)
        async def rare(self, ctx: Context) -> None:
            log.append("never")

        @on_stop
        async def stop(self, ctx: Context) -> None:
            log.append("stop")

    node = Node(url, agents=[Clock()])
    await node.start()
    await until(lambda: log)
    stopping = asyncio.ensure_future(node.remove("clock") if remove else node.stop())
    await turns()
    gate.set()
    await stopping
    assert log == ["begin", "end", "stop"]
    await node.stop()


async def test_a_request_that_comes_while_an_agent_says_goodbye_is_answered(url: str) -> None:
    leaving, gate = asyncio.Event(), asyncio.Event()

    class Leaving(Thermostat):
        @on_stop
        async def stop(self, ctx: Context) -> None:
            leaving.set()
            await gate.wait()

    async with Node(url) as node, wire(url) as bare:
        await node.add(Leaving(), name="hall")
        offer = node.cells["hall"].workers["tell_target"].offer  # what a message under way comes to
        answers = bare.hear("late")
        await bare.flush()
        removing = asyncio.ensure_future(node.remove("hall"))
        await leaving.wait()
        offer(Inbound.foreign_of("default.to.hall.x", b"", "late", None, full_name(TargetRequest), 0.0))
        gate.set()
        await removing
        await until(lambda: answers)
        assert "Busy" in answers[0].headers.values()


def test_a_memory_broker_outside_an_event_loop_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigurationError, match="inside a coroutine"):
        Node("memory://nowhere")
