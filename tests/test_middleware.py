"""Middleware: wraps handlers, sees messages, and decides by raising, answering or calling on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from structlog.testing import capture_logs

from agentbus import Agent, Context, Node, Supervision, on, rpc
from agentbus.errors import Busy, ConfigurationError, DeadlineExceeded, HandlerFailed, NotConnected, Refused
from agentbus.messages import PLAIN, Frame, encode_frame, full_name
from agentbus.middleware import Handler, Middleware, deadline, dedupe, limit, retry, stack, trace
from agentbus.testing import Simulation

from .waiting import until
from .wire import framed, wire

Act = Callable[[str, Context], Coroutine[Any, Any, str]]
EVENTS = "default.ev.google-protobuf-StringValue"


def agent(act: Act, *middleware: Middleware, concurrency: int = 1) -> Agent:
    """An agent whose rpc and event handler do as `act` does, inside `middleware`."""

    class Acting(Agent):
        supervision = Supervision(on_failure="resume")

        @rpc(StringValue, StringValue, middleware=middleware, concurrency=concurrency)
        async def ask(self, request: StringValue, ctx: Context) -> StringValue:
            return StringValue(value=await act(request.value, ctx))

        @on(StringValue, middleware=middleware, concurrency=concurrency)
        async def hear(self, event: StringValue, ctx: Context) -> None:
            await act(event.value, ctx)

    return Acting()


async def ask(node: Node, value: str = "", timeout_s: float = 5.0) -> str:
    return (await node.request(StringValue(value=value), StringValue, to="a", timeout_s=timeout_s)).value


def noting(log: list[str], name: str) -> Middleware:
    def wrap(handler: Handler) -> Handler:
        async def noted(message: Any, ctx: Context) -> Any:
            log.append(name)
            return await handler(message, ctx)

        return noted

    return wrap


async def echo(value: str, ctx: Context) -> str:
    return value


async def test_the_nodes_middleware_is_outside_the_behaviors_and_the_first_is_outermost(url: str) -> None:
    log: list[str] = []
    agents = {"a": agent(echo, noting(log, "c"), noting(log, "d"))}
    async with Node(url, agents=agents, middleware=[noting(log, "a"), noting(log, "b")]) as node:
        assert await ask(node, "x") == "x"
        assert log == ["a", "b", "c", "d"]


async def test_no_middleware_is_the_handler_itself() -> None:
    async def handler(message: Any, ctx: Context) -> None: ...

    assert stack(handler, ()) is handler


async def test_a_middleware_may_answer_without_calling_on(url: str) -> None:
    def wrap(handler: Handler) -> Handler:
        async def answered(message: Any, ctx: Context) -> Any:
            return StringValue(value="from outside")

        return answered

    async def never(value: str, ctx: Context) -> str:
        raise AssertionError

    async with Node(url, agents={"a": agent(never, wrap)}) as node:
        assert await ask(node) == "from outside"


def test_deadline_ends_what_takes_longer_and_nothing_else() -> None:
    async def act(value: str, ctx: Context) -> str:
        if value == "mine":
            raise TimeoutError("my own")
        if value == "theirs":
            raise DeadlineExceeded("a peer's")
        await asyncio.sleep(float(value))
        return value

    async def scenario(sim: Simulation) -> None:
        node = await sim.node("n", agents={"a": agent(act, deadline(1.0))})
        assert await ask(node, "0.9") == "0.9"
        start = sim.now()
        with pytest.raises(DeadlineExceeded, match="the handler took more than 1 s"):
            await ask(node, "2")
        assert sim.now() - start == pytest.approx(1.0, abs=0.01)
        with pytest.raises(HandlerFailed, match="TimeoutError: my own"):
            await ask(node, "mine")
        with pytest.raises(DeadlineExceeded, match="a peer's"):
            await ask(node, "theirs")

    Simulation(seed=1).run(scenario)


def test_retry_tries_again_when_that_can_help() -> None:
    tries: list[str] = []

    async def act(value: str, ctx: Context) -> str:
        tries.append(value)
        if value == "third time" and len(tries) == 3:
            return "done"
        if value == "refused":
            raise Refused("no")
        if value == "defect":
            raise ValueError("boom")
        raise NotConnected("down")

    async def scenario(sim: Simulation) -> None:
        node = await sim.node("n", agents={"a": agent(act, retry(3, first_s=0.1, factor=3.0, max_s=0.2))})
        start = sim.now()
        assert await ask(node, "third time") == "done"
        assert sim.now() - start <= 0.3
        for value, kind, count in [("always", NotConnected, 3), ("refused", Refused, 1), ("defect", HandlerFailed, 1)]:
            tries.clear()
            with pytest.raises(kind):
                await ask(node, value)
            assert len(tries) == count

    Simulation(seed=1).run(scenario)


def test_retry_gives_up_when_the_requester_would_be_gone() -> None:
    tries: list[float] = []

    async def act(value: str, ctx: Context) -> str:
        tries.append(ctx.now())
        raise NotConnected("down")

    async def scenario(sim: Simulation) -> None:
        node = await sim.node("n", agents={"a": agent(act, retry(1000, first_s=5.0, factor=1.0, max_s=5.0))})
        with pytest.raises(NotConnected):
            await ask(node, timeout_s=20.0)
        assert len(tries) >= 2
        assert tries[-1] - tries[0] < 20.0

    Simulation(seed=1).run(scenario)


def test_limit_is_a_token_bucket() -> None:
    async def scenario(sim: Simulation) -> None:
        node = await sim.node("n", agents={"a": agent(echo, limit(10.0, burst=3))})
        for _ in range(3):
            await ask(node)
        with pytest.raises(Busy, match=r"more than 10 google\.protobuf\.StringValue a second: try again in"):
            await ask(node)
        passed = 0
        start = sim.now()
        while sim.now() - start < 10.0:
            await sim.sleep(0.01)
            try:
                await ask(node)
                passed += 1
            except Busy:
                continue
        assert passed == pytest.approx(100, abs=2)
        await sim.sleep(100.0)
        for _ in range(3):
            await ask(node)
        with pytest.raises(Busy):
            await ask(node)

    Simulation(seed=1).run(scenario)


def copies(value: str, first: int) -> bytes:
    return framed(StringValue(value=value), first=first)


async def test_dedupe_handles_an_event_once(url: str) -> None:
    seen: list[str] = []

    async def act(value: str, ctx: Context) -> str:
        seen.append(value)
        if value == "fails" and seen.count("fails") == 1:
            raise ValueError("boom")
        return value

    async with Node(url, agents={"a": agent(act, dedupe(3))}) as node, wire(url) as bare:
        for value, number in [("x", 1), ("x", 1), ("fails", 2), ("fails", 2), ("fails", 2), ("y", 3)]:
            bare.transport.send(EVENTS, copies(value, number))
        for value, number in [("z", 4), ("w", 5), ("x", 1)]:  # three more ids: the first is forgotten
            bare.transport.send(EVENTS, copies(value, number))
        bare.transport.send(EVENTS, StringValue(value="foreign").SerializeToString())
        bare.transport.send(EVENTS, StringValue(value="foreign").SerializeToString())
        await until(lambda: node.agent_statistics("a").behaviors["hear"].received == 11)
        await until(lambda: seen.count("foreign") == 2)
        assert seen == ["x", "fails", "fails", "y", "z", "w", "x", "foreign", "foreign"]


async def test_dedupe_gives_a_repeated_request_the_first_ones_reply(url: str) -> None:
    gate = asyncio.Event()
    runs: list[str] = []

    async def act(value: str, ctx: Context) -> str:
        runs.append(value)
        await gate.wait()
        if value == "fails":
            raise ValueError("boom")
        return f"{value} {len(runs)}"

    async with Node(url, agents={"a": agent(act, dedupe(), concurrency=4)}) as node, wire(url) as bare:
        subject = "default.to.a.google-protobuf-StringValue"

        async def repeat(value: str, number: int) -> Any:
            heard = bare.hear(f"back.{number}.>")
            await bare.flush()
            for copy in range(2):
                payload = StringValue(value=value).SerializeToString()
                frame = Frame(full_name(StringValue), "s", 1, 0, number, 0, [payload], [], [], [])
                bare.transport.send(subject, PLAIN + encode_frame(frame), f"back.{number}.{copy}_{number}_1")
            return heard

        good, bad = await repeat("once", 1), await repeat("fails", 2)
        await until(lambda: len(runs) == 2)
        gate.set()
        await until(lambda: len(good) == len(bad) == 2)
        assert runs == ["once", "fails"]
        assert len({heard.body[-8:] for heard in good}) == 1
        counters = node.agent_statistics("a").behaviors["ask"]
        assert (counters.handled, counters.failed, counters.refused) == (2, 1, 1)
        assert "another copy of it was being handled, and failed" in counters.last_error or counters.failed == 1


async def test_trace_logs_what_became_of_each(url: str) -> None:
    async def act(value: str, ctx: Context) -> str:
        if value == "boom":
            raise ValueError("boom")
        return value

    with capture_logs() as logs:
        async with Node(url, agents={"a": agent(act, trace())}) as node:
            await ask(node, "x")
            with pytest.raises(HandlerFailed):
                await ask(node, "boom")
    handled = next(entry for entry in logs if entry["event"] == "handled")
    assert (handled["log_level"], handled["type"], handled["agent"]) == ("debug", "google.protobuf.StringValue", "a")
    assert handled["sender"].startswith("node-")
    assert handled["duration_s"] >= 0.0
    failed = next(entry for entry in logs if entry["event"] == "failed")
    assert (failed["log_level"], failed["error"]) == ("warning", "ValueError('boom')")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: deadline(0.0), "deadline: 0.0: use a number above 0"),
        (lambda: deadline(float("nan")), "deadline: nan"),
        (lambda: retry(0), "retry: attempts=0: use at least 1"),
        (lambda: limit(0.0), "limit: 0.0: use a number above 0"),
        (lambda: limit(1.0, burst=0), "limit: burst=0: use at least 1"),
        (lambda: dedupe(0), "dedupe: remember=0: use at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: Callable[[], object], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        wrong()
    assert says in str(caught.value)
