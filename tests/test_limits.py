"""Token buckets: the arithmetic, and what a node does with them on the memory wire."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.wrappers_pb2 import Int32Value, StringValue
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus import Agent, Context, Node, cooperative, on, rpc
from agentbus.errors import Busy, ConfigurationError, DeadlineExceeded, DefinitionError, NoBids, SchemaMismatch
from agentbus.limits import FLOOD, KEPT, Bucket, Buckets, Limits, Principal, Rate
from agentbus.testing import Simulation

from .waiting import until

ARRIVALS = st.lists(st.tuples(st.floats(0.0, 5.0), st.integers(1, 40)), min_size=1, max_size=60)


@settings(deadline=None)
@given(per_s=st.floats(0.1, 100.0), burst=st.integers(1, 50), arrivals=ARRIVALS)
def test_no_span_of_time_lets_more_pass_than_the_burst_and_the_rate(
    per_s: float, burst: int, arrivals: list[tuple[float, int]]
) -> None:
    bucket = Bucket(Rate(per_s=per_s, burst=burst), 0.0)
    now, passed = 0.0, list[tuple[float, int]]()
    for pause, count in arrivals:
        now += pause
        passed.append((now, bucket.take(count, now)))
    for first, (start, _) in enumerate(passed):
        total = 0
        for end, count in passed[first:]:
            total += count
            assert total <= burst + per_s * (end - start) + 1e-6


@settings(deadline=None)
@given(per_s=st.floats(1.0, 100.0), burst=st.integers(1, 20), count=st.integers(1, 60))
def test_who_keeps_to_the_rate_is_never_refused(per_s: float, burst: int, count: int) -> None:
    bucket = Bucket(Rate(per_s=per_s, burst=burst), 0.0)
    assert all(bucket.take(1, number / per_s) == 1 for number in range(count))


@settings(deadline=None)
@given(burst=st.integers(1, 20), asked=st.integers(1, 200))
def test_the_hint_is_true(burst: int, asked: int) -> None:
    bucket = Bucket(Rate(per_s=4.0, burst=burst), 0.0)
    assert bucket.take(asked, 1.0) == min(asked, burst)
    wait_s = bucket.retry_s()
    if asked >= burst:
        assert wait_s > 0
        assert bucket.take(1, 1.0 + wait_s / 2) == 0
    assert bucket.take(1, 1.0 + wait_s) == 1


def test_refusals_are_answered_at_the_rate_at_which_messages_are_taken() -> None:
    bucket = Bucket(Rate(per_s=10.0, burst=5), 0.0)
    assert bucket.take(1000, 0.0) == 5
    assert bucket.answers(995) == 5
    assert bucket.answers(990) == 0
    assert bucket.take(1000, 0.1) == 1
    assert bucket.answers(999) == 1


def test_a_flood_is_told_now_and_then_and_in_full() -> None:
    bucket = Bucket(Rate(per_s=1.0), 0.0)
    told = 0
    for number in range(1000):
        now = number / 1000
        refused = 1 - bucket.take(1, now)
        told += bucket.tell(refused) if refused else 0
    assert bucket.take(1, 1.2) == 1
    told += bucket.tell(0)
    assert told == 999


def test_who_was_heard_longest_ago_is_forgotten() -> None:
    buckets = Buckets(Rate(per_s=1.0), 2)
    first = buckets.of("a", 0.0)
    buckets.of("b", 0.0)
    assert buckets.of("a", 0.0) is first
    buckets.of("c", 0.0)
    assert buckets.of("a", 0.0) is first
    assert len(buckets) == 2


@pytest.mark.parametrize("wrong", [{"per_s": 0.0}, {"per_s": float("inf")}, {"per_s": 1.0, "burst": 0}])
def test_a_rate_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="Rate"):
        Rate(**wrong)  # pyright: ignore[reportArgumentType]


def test_limits_that_remember_nobody_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="senders"):
        Limits(senders=0)


def test_a_durable_behavior_has_no_rate() -> None:
    async def hear(self: Agent, message: StringValue, ctx: Context) -> None: ...

    mark = on(StringValue, durable="late", rate=Rate(per_s=1.0))
    with pytest.raises(DefinitionError, match="leave rate= out"):
        mark(hear)


# -- on a wire ---------------------------------------------------------------------------------------------------------


class Desk(Agent):
    """Answers five a second and one more each fifth of a second; hears three."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @rpc(StringValue, StringValue, rate=Rate(per_s=5.0, burst=5))
    async def answer(self, question: StringValue, ctx: Context) -> StringValue:
        return question

    @on(StringValue, rate=Rate(per_s=1.0, burst=3))
    async def hear(self, message: StringValue, ctx: Context) -> None:
        self.heard.append(message.value)


class Watch(Agent):
    """A watcher that writes down."""

    def __init__(self) -> None:
        self.seen: list[tuple[Principal, str, float]] = []

    def ignores(self, sender: Principal) -> bool:
        return False

    def saw(self, sender: Principal, deed: str, count: float = 1.0) -> None:
        self.seen.append((sender, deed, count))


async def ask(node: Node, timeout_s: float = 0.5) -> str:
    try:
        await node.request(StringValue(value="x"), StringValue, to="desk", timeout_s=timeout_s)
    except Busy as busy:
        return str(busy)
    except DeadlineExceeded:
        return "silence"
    return "answered"


def test_who_asks_too_much_is_refused_with_a_hint_and_nobody_else_is() -> None:
    async def scenario(sim: Simulation) -> None:
        host = await sim.node("host", agents=[Desk()])
        greedy, modest = await sim.node("greedy"), await sim.node("modest")
        outcomes = await asyncio.gather(*(ask(greedy) for _ in range(20)))
        assert outcomes.count("answered") == 5
        refused = [said for said in outcomes if "more than 5 a second from one sender: try again in 0.2 s" in said]
        assert len(refused) == 5, outcomes
        assert outcomes.count("silence") == 10
        assert await ask(modest) == "answered"
        await sim.sleep(1.0)
        assert await ask(greedy) == "answered"
        counters = host.statistics().agents["desk"].behaviors["answer"]
        assert (counters.received, counters.handled, counters.dropped, counters.limited) == (22, 7, 15, 15)

    Simulation(seed=1).run(scenario)


def test_events_over_the_limit_are_counted_drops_and_the_watcher_is_told() -> None:
    async def scenario(sim: Simulation) -> None:
        desk, watch = Desk(), Watch()
        host = await sim.node("host", agents=[desk, watch])
        loud = await sim.node("loud")
        for number in range(10):
            await loud.publish(StringValue(value=str(number)))
        await sim.sleep(0.1)
        assert desk.heard == ["0", "1", "2"]
        counters = host.statistics().agents["desk"].behaviors["hear"]
        assert (counters.dropped, counters.limited) == (7, 7)
        assert {(who, deed) for who, deed, _ in watch.seen} == {("loud", FLOOD)}
        assert sum(count for _, _, count in watch.seen) == pytest.approx(7.0)
        await host.remove("watch")
        assert host.bus.watcher is None

    Simulation(seed=2).run(scenario)


class Plain(Agent):
    """Has no rate of its own."""

    @rpc(StringValue, StringValue)
    async def answer(self, question: StringValue, ctx: Context) -> StringValue:
        return question


async def test_a_nodes_rate_is_for_all_behaviors_that_say_none(url: str) -> None:
    limits = Limits(per_sender=Rate(per_s=0.001, burst=2))
    async with Node(url, name="host", agents={"desk": Plain()}, limits=limits), Node(url, name="asks") as asks:
        outcomes = [await ask(asks, 0.05) for _ in range(5)]
        assert outcomes[:2] == ["answered"] * 2
        assert all("try again in" in said for said in outcomes[2:4])
        assert outcomes[4] == "silence"


async def test_without_limits_nobody_is_counted(url: str) -> None:
    async with Node(url, name="host", agents={"desk": Plain()}), Node(url, name="asks") as asks:
        assert [await ask(asks) for _ in range(200)] == ["answered"] * 200


class Worker(Agent):
    """Bids for two jobs, and no more."""

    @cooperative(Int32Value, StringValue, rate=Rate(per_s=0.001, burst=2))
    async def work(self, job: Int32Value, ctx: Context) -> StringValue:
        return StringValue(value=ctx.me)

    @work.cost
    def cost(self, job: Int32Value) -> float:
        return 1.0


async def test_a_call_counts_once_and_its_award_not_at_all(url: str) -> None:
    watch = Watch()
    async with (
        Node(url, name="host", agents=[Worker()]),
        Node(url, name="buyer", agents=[watch]) as buyer,
    ):
        for number in range(2):
            assert (await buyer.delegate(Int32Value(value=number), StringValue, deadline_s=2.0)).value == "worker"
        with pytest.raises(NoBids) as failed:
            await buyer.delegate(Int32Value(value=3), StringValue, deadline_s=2.0)
        assert "try again in" in str(failed.value.refusals["worker"])
        assert watch.seen == [("worker", KEPT, 1.0)] * 2


class Slow(Agent):
    """Takes its time, and remembers whose turn it was."""

    def __init__(self) -> None:
        self.order: list[str] = []

    @rpc(StringValue, StringValue, mailbox=64)
    async def answer(self, question: StringValue, ctx: Context) -> StringValue:
        await asyncio.sleep(0.01)
        self.order.append(ctx.sender)
        return question

    @on(Int32Value, mailbox=64)
    async def hear(self, number: Int32Value, ctx: Context) -> None:
        self.order.append(ctx.sender)


def test_who_sends_much_waits_for_itself_and_loses_its_own() -> None:
    async def scenario(sim: Simulation) -> None:
        slow = Slow()
        await sim.node("host", agents={"desk": slow}, limits=Limits())
        greedy, modest = await sim.node("greedy"), await sim.node("modest")
        flood = [asyncio.ensure_future(ask(greedy, 5.0)) for _ in range(200)]
        await sim.sleep(0.005)
        assert [await ask(modest, 5.0) for _ in range(3)] == ["answered"] * 3
        assert slow.order.index("modest") <= 2
        outcomes = [await outcome for outcome in flood]
        assert outcomes.count("answered") in (63, 64, 65)
        assert sum("is full" in said for said in outcomes) == 200 - outcomes.count("answered")

    Simulation(seed=3).run(scenario)


async def test_events_take_turns_too(url: str) -> None:
    slow = Slow()
    async with (
        Node(url, name="host", agents=[slow], limits=Limits()),
        Node(url, name="greedy") as greedy,
        Node(url, name="modest") as modest,
    ):
        for number in range(60):
            await greedy.publish(Int32Value(value=number))
        await modest.publish(Int32Value(value=1))
        await until(lambda: len(slow.order) == 61)
    assert sorted(set(slow.order)) == ["greedy", "modest"]


def test_what_nobody_handles_is_not_answered_without_end() -> None:
    async def scenario(sim: Simulation) -> None:
        await sim.node("host", agents={"desk": Plain()}, limits=Limits())
        greedy = await sim.node("greedy")

        async def ask_for_nothing() -> str:
            try:
                await greedy.request(Int32Value(), StringValue, to="desk", timeout_s=0.5)
            except SchemaMismatch:
                return "told"
            except DeadlineExceeded:
                return "silence"
            raise AssertionError

        outcomes = await asyncio.gather(*(ask_for_nothing() for _ in range(300)))
        assert (outcomes.count("told"), outcomes.count("silence")) == (100, 200)

    Simulation(seed=4).run(scenario)
