"""Decorators: what they leave, and what each says about wrong use, at import."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus import Agent, Backoff, Context, Endpoint, every, on, on_start, on_stop, rpc
from agentbus.behaviors import specs_of
from agentbus.errors import DefinitionError
from agentbus.specs import MAILBOX, EverySpec, LifecycleSpec, OnSpec, RpcSpec
from examples.climate.v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest


class Thermostat(Agent):
    """Keeps a room at its target."""

    @on_start
    async def greet(self, ctx: Context) -> None: ...

    @on(Reading, topic="hall.*", concurrency=2, mailbox=10, overflow="drop_oldest")
    async def regulate(self, reading: Reading, ctx: Context) -> None: ...

    @on(Alarm, durable="billing", max_deliver=7, ack_wait_s=2, backoff=Backoff(first_s=1.0))
    async def bill(self, alarm: Alarm, ctx: Context) -> None: ...

    @rpc(TargetRequest, TargetReply, concurrency=8)
    async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        """Says the target."""
        return TargetReply(celsius=21)

    @every(30, jitter=0.1, immediately=True)
    async def report(self, ctx: Context) -> None: ...

    @on_stop
    async def farewell(self, ctx: Context) -> None: ...


def test_decorators_leave_frozen_specs() -> None:
    behaviors = Thermostat.behaviors
    regulate, bill = behaviors.on
    assert regulate == OnSpec(
        name="regulate", type=Reading, topic="hall.*", concurrency=2, mailbox=10, overflow="drop_oldest"
    )
    assert (bill.durable, bill.overflow, bill.max_deliver, bill.ack_wait_s) == ("billing", "block", 7, 2)
    assert behaviors.rpc == (RpcSpec(name="tell_target", type=TargetRequest, reply=TargetReply, concurrency=8),)
    assert behaviors.every == (EverySpec(name="report", period_s=30.0, jitter=0.1, immediately=True),)
    assert behaviors.start == (LifecycleSpec(name="greet", when="start"),)
    assert behaviors.stop == (LifecycleSpec(name="farewell", when="stop"),)
    with pytest.raises(AttributeError):
        regulate.topic = "x"  # type: ignore[misc]


def test_the_defaults_are_those_of_the_documents() -> None:
    class Plain(Agent):
        @on(Reading)
        async def hear(self, reading: Reading, ctx: Context) -> None: ...

    (spec,) = Plain.behaviors.on
    assert (spec.topic, spec.queue, spec.durable, spec.concurrency) == (">", None, None, 1)
    assert (spec.mailbox, spec.overflow, spec.max_deliver, spec.ack_wait_s) == (MAILBOX, "reject", 5, 30.0)
    assert MAILBOX == 65536


async def test_an_rpc_is_its_pair_of_types_on_the_class_and_a_method_on_an_instance() -> None:
    endpoint = Thermostat.tell_target
    assert isinstance(endpoint, Endpoint)
    assert (endpoint.request, endpoint.reply) == (TargetRequest, TargetReply)
    assert repr(endpoint).endswith("tell_target: examples.climate.v1.TargetRequest -> examples.climate.v1.TargetReply)")
    context: Any = None
    assert (await Thermostat().tell_target(TargetRequest(), context)).celsius == 21.0
    assert vars(Thermostat)["tell_target"].__doc__ == "Says the target."
    assert vars(Thermostat)["tell_target"].__name__ == "tell_target"


def test_behaviors_are_inherited_and_overridden() -> None:
    class Quiet(Thermostat):
        async def report(self, ctx: Context) -> None: ...  # no behavior any more

        @on(Reading, topic="attic")
        async def regulate(self, reading: Reading, ctx: Context) -> None: ...

    assert Quiet.behaviors.every == ()
    assert [spec.topic for spec in Quiet.behaviors.on if spec.name == "regulate"] == ["attic"]
    assert [spec.name for spec in Quiet.behaviors.on] == ["regulate", "bill"]
    assert Quiet.behaviors.rpc == Thermostat.behaviors.rpc
    assert Thermostat.behaviors.every != ()


def test_a_class_beside_the_agents_can_lend_behaviors() -> None:
    class Pulse:
        @every(1.0)
        async def beat(self, ctx: Context) -> None: ...

    class Alive(Pulse, Agent): ...

    assert [spec.name for spec in Alive.behaviors.every] == ["beat"]


def test_one_method_may_hear_several_things() -> None:
    class Both(Agent):
        @on(Reading, topic="a")
        @on(Reading, topic="b")
        @on(Alarm)
        async def hear(self, message: Any, ctx: Context) -> None: ...

    assert sorted((spec.type.__name__, spec.topic) for spec in Both.behaviors.on) == [
        ("Alarm", ">"),
        ("Reading", "a"),
        ("Reading", "b"),
    ]


def test_a_wrapper_made_with_functools_stays_a_behavior() -> None:
    def loud(function: Any) -> Any:
        @functools.wraps(function)
        async def wrapped(self: Any, message: Any, ctx: Any) -> None:
            await function(self, message, ctx)

        return wrapped

    class Wrapped(Agent):
        @loud
        @on(Reading)
        async def hear(self, reading: Reading, ctx: Context) -> None: ...

    assert [spec.name for spec in Wrapped.behaviors.on] == ["hear"]


def fresh() -> Any:
    """A coroutine that nothing has marked yet."""

    async def coroutine(self: Any, message: Any, ctx: Any) -> None: ...

    coroutine.__qualname__ = "coroutine"
    return coroutine


async def tick(self: Any, ctx: Any) -> None: ...
async def keyword(self: Any, message: Any, ctx: Any, *, needed: int) -> None: ...
def plain(self: Any, message: Any, ctx: Any) -> None: ...
async def stream(self: Any, message: Any, ctx: Any) -> Any:
    yield


ON = "async def name(self, message, ctx) -> None"
RPC = "async def name(self, request, ctx) -> Reply"
TICK = "async def name(self, ctx) -> None"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: on(Reading)(plain), f"@on at plain: not a coroutine: write `{ON}`"),
        (lambda: on(Reading)(stream), f"@on at stream: not a coroutine: write `{ON}`"),
        (lambda: on(Reading)(tick), f"@on at tick: takes (self, ctx): write `{ON}`"),
        (lambda: on(Reading)(keyword), f"takes (self, message, ctx, needed): write `{ON}`"),
        (lambda: on(Reading)(3), f"@on at 3: not a coroutine: write `{ON}`"),
        (lambda: on(int)(fresh()), "is not a protobuf message class: give a class generated from a .proto file"),
        (lambda: on(Reading())(fresh()), "is not a protobuf message class"),
        (lambda: on(fresh())(fresh()), "`agentbus proto FOLDER` makes them"),
        (lambda: on(Reading, topic="a b")(fresh()), "token 'a b' holds a blank"),
        (lambda: on(Reading, topic="a.>.b")(fresh()), "'>' may only come last"),
        (lambda: on(Reading, queue="a b")(fresh()), "queue 'a b' is not allowed"),
        (lambda: on(Reading, durable="a.b")(fresh()), "durable 'a.b' is not allowed"),
        (lambda: on(Reading, durable="")(fresh()), "durable '' is not allowed"),
        (lambda: on(Reading, durable="a", queue="b")(fresh()), "leave queue= out"),
        (lambda: on(Reading, durable="a", overflow="reject")(fresh()), "a durable behavior blocks"),
        (lambda: on(Reading, overflow="block")(fresh()), "a durable behavior blocks, a live one"),
        (lambda: on(Reading, overflow="explode")(fresh()), "overflow='explode': use 'reject' or 'drop_oldest'"),
        (lambda: on(Reading, concurrency=0)(fresh()), "concurrency=0: use a whole number from 1"),
        (lambda: on(Reading, concurrency=1.5)(fresh()), "concurrency=1.5: use a whole number from 1"),
        (lambda: on(Reading, mailbox=True)(fresh()), "mailbox=True: use a whole number from 1"),
        (lambda: on(Reading, durable="a", max_deliver=0)(fresh()), "max_deliver=0: use a whole number from 1"),
        (lambda: on(Reading, durable="a", ack_wait_s=0)(fresh()), "ack_wait_s=0: use a number of seconds above 0"),
        (lambda: on(Reading)(Thermostat.__dict__["tell_target"]), "it is an @rpc already: write two methods"),
        (lambda: rpc(TargetRequest, TargetReply)(plain), f"@rpc at plain: not a coroutine: write `{RPC}`"),
        (lambda: rpc(TargetRequest, TargetReply)(tick), f"write `{RPC}`"),
        (lambda: rpc(int, TargetReply)(fresh()), "@rpc at coroutine: <class 'int'> is not a protobuf message"),
        (lambda: rpc(TargetRequest, str)(fresh()), "<class 'str'> is not a protobuf message"),
        (lambda: rpc(TargetRequest, TargetReply, overflow="block")(fresh()), "use 'reject' or 'drop_oldest'"),
        (lambda: rpc(TargetRequest, TargetReply, mailbox=0)(fresh()), "mailbox=0: use a whole number from 1"),
        (
            lambda: rpc(TargetRequest, TargetReply)(on(TargetRequest)(fresh())),
            "it is an @on already: write two methods",
        ),
        (lambda: every(0)(tick), "period_s=0: use a number of seconds above 0"),
        (lambda: every(float("inf"))(tick), "period_s=inf: use a number of seconds above 0"),
        (lambda: every(float("nan"))(tick), "period_s=nan: use a number of seconds above 0"),
        (lambda: every("1")(tick), "period_s='1': use a number of seconds above 0"),
        (lambda: every(1.0, jitter=1.5)(tick), "jitter=1.5: use a share of the period, 0 to 1"),
        (lambda: every(1.0)(fresh()), f"@every at coroutine: takes (self, message, ctx): write `{TICK}`"),
        (lambda: on_start(fresh()), f"@on_start at coroutine: takes (self, message, ctx): write `{TICK}`"),
        (lambda: on_stop(plain), f"@on_stop at plain: not a coroutine: write `{TICK}`"),
    ],
)
def test_wrong_use_fails_at_import_and_says_what_to_write(wrong: Any, says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        wrong()
    assert says in str(caught.value)


def test_two_answers_to_one_request_type_are_refused() -> None:
    with pytest.raises(DefinitionError, match="both 'a' and 'b' are @rpc for examples"):

        class Torn(Agent):
            @rpc(TargetRequest, TargetReply)
            async def a(self, request: TargetRequest, ctx: Context) -> TargetReply: ...

            @rpc(TargetRequest, TargetReply)
            async def b(self, request: TargetRequest, ctx: Context) -> TargetReply: ...


def test_a_behavior_whose_name_python_mangles_is_refused() -> None:
    with pytest.raises(DefinitionError, match="'__hear' begins with two underscores"):

        class Hidden(Agent):
            @on(Reading)
            async def __hear(self, reading: Reading, ctx: Context) -> None: ...


def test_a_static_behavior_is_refused() -> None:
    with pytest.raises(DefinitionError, match="'hear' is static: write `async def name"):

        class Static(Agent):
            @staticmethod
            @on(Reading)
            async def hear(agent: Any, reading: Reading, ctx: Context) -> None: ...


def test_a_class_without_behaviors_has_none() -> None:
    assert specs_of(object) == specs_of(Agent)
    assert specs_of(Agent).on == ()


@given(attempt=st.integers(1, 10_000))
def test_backoff_grows_and_stays_below_its_most(attempt: int) -> None:
    backoff = Backoff(first_s=0.2, factor=2.0, max_s=30.0)
    assert 0.2 <= backoff.delay_s(attempt) <= backoff.delay_s(attempt + 1) <= 30.0


def test_backoff_is_exponential() -> None:
    assert [Backoff().delay_s(attempt) for attempt in (1, 2, 3, 8, 9)] == [0.2, 0.4, 0.8, 25.6, 30.0]
