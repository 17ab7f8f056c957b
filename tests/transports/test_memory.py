"""The in-memory broker's own: names, limits, determinism. Faults are in test_memory_faults.py."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter
from random import Random
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from agentbus.errors import Closed, NotConnected, PayloadTooLarge, StorageFailed, SubjectError
from agentbus.subjects import matches
from agentbus.testing.conformance_ground import Inbox, Worker
from agentbus.transport import ConsumerSpec, LinkState, StreamLimits, StreamSpec
from agentbus.transports.memory import MemoryBroker, MemoryTransport
from agentbus.transports.memory_link import Link
from agentbus.transports.memory_routes import Interest, Routes
from agentbus.transports.memory_stream import overlap
from tests.virtual_loop import run_virtually


async def connected(broker: MemoryBroker, name: str = "") -> MemoryTransport:
    transport = MemoryTransport(broker, name=name)
    await transport.connect()
    return transport


async def test_named_brokers_are_shared_within_a_loop() -> None:
    assert MemoryBroker.named("city") is MemoryBroker.named("city")
    assert MemoryBroker.named("city") is not MemoryBroker.named("village")
    one, two = await connected(MemoryBroker.named("city")), await connected(MemoryBroker.named("city"))
    inbox = Inbox(5.0)
    one.subscribe("news", inbox)
    await one.flush()
    two.send("news", b"hello")
    await inbox.wait(1, "a message between two transports of one name")
    assert one.url == "memory://city"


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_named_brokers_end_with_their_loop(new_loop: Any) -> None:
    brokers: list[weakref.ref[MemoryBroker]] = []

    async def work(close: bool) -> None:
        broker = MemoryBroker.named("city")
        brokers.append(weakref.ref(broker))
        transport = await connected(broker)
        transport.subscribe("news", lambda *_: None)
        await transport.ensure_stream(StreamSpec(name="log", subjects=("log.>",)))
        await transport.store("log.a", b"", message_id="1")
        await transport.consume(ConsumerSpec(stream="log", name="c", filters=("log.>",)), lambda job: None)
        await transport.flush()
        if close:
            await transport.close()

    for close in (True, False):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(work(close))
    assert len({id(broker) for broker in brokers}) == 2

    async def look() -> None:
        MemoryBroker.named("other")

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(look())
        gc.collect()
        assert [broker() for broker in brokers] == [None, None]


def test_a_named_broker_needs_a_running_loop() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        MemoryBroker.named("city")


async def test_states_are_told_in_order() -> None:
    broker, told = MemoryBroker(), list[tuple[LinkState, str]]()
    transport = MemoryTransport(broker)
    assert not transport.connected
    await transport.connect(watcher=lambda state, reason: told.append((state, reason)))
    broker.stop_broker()
    broker.stop_broker()
    assert not transport.connected
    broker.start_broker()
    await transport.ensure_stream(StreamSpec(name="log", subjects=("log.>",)))
    assert transport.connected
    await transport.close()
    await transport.close()
    assert [state.value for state, _ in told] == ["connected", "reconnecting", "connected", "closed"]
    with pytest.raises(Closed):
        await transport.connect()


async def test_close_before_connect_is_allowed() -> None:
    transport = MemoryTransport(MemoryBroker())
    await transport.close()
    with pytest.raises(Closed):
        transport.send("a", b"")


def test_connect_waits_for_the_broker_and_not_for_ever() -> None:
    async def work() -> None:
        broker = MemoryBroker()
        broker.stop_broker()
        transport = MemoryTransport(broker)
        with pytest.raises(NotConnected, match="did not answer within 2 s"):
            await transport.connect(timeout_s=2.0)
        asyncio.get_running_loop().call_later(3.0, broker.start_broker)
        await transport.connect(timeout_s=5.0)
        assert transport.connected

    assert run_virtually(work()) == 5.0


async def test_send_refuses_a_bad_subject_and_wildcards() -> None:
    transport = await connected(MemoryBroker())
    for subject in ("", "a..b", "a.*", "a.>", "a b"):
        with pytest.raises(SubjectError):
            transport.send(subject, b"")


async def test_what_is_sent_in_one_turn_is_bounded_and_writable_waits() -> None:
    broker = MemoryBroker(max_waiting=4 << 20)
    transport, inbox = await connected(broker), Inbox(5.0)
    transport.subscribe("big", inbox)
    for _ in range(3):
        transport.send("big", bytes(1 << 20))
    assert transport.congested
    with pytest.raises(NotConnected, match="await writable"):
        transport.send("big", bytes(1 << 20))
    await transport.writable()
    assert not transport.congested
    assert len(inbox.items) == 3
    transport.send("big", b"")


async def test_a_smaller_payload_limit_can_be_set() -> None:
    transport = await connected(MemoryBroker(max_payload=100))
    transport.send("a", bytes(100))
    with pytest.raises(PayloadTooLarge, match="101 bytes of body and headers, 100 are allowed"):
        transport.send("a", bytes(101))
    with pytest.raises(PayloadTooLarge):
        await transport.store("a", bytes(90), message_id="1")


async def test_headers_are_those_at_the_time_of_sending() -> None:
    transport, inbox = await connected(MemoryBroker()), Inbox(5.0)
    transport.subscribe("a", inbox)
    headers = {"K": "before"}
    transport.send("a", b"", "", headers)
    headers["K"] = "after"
    await transport.flush()
    assert inbox.items[0].headers == {"K": "before"}


async def test_failing_receivers_are_counted_and_logged_once_a_second() -> None:
    transport = await connected(MemoryBroker(), "a")

    def fails(*_: object) -> None:
        raise ValueError("no")

    transport.subscribe("a", fails)
    with capture_logs() as logs:
        for _ in range(100):
            transport.send("a", b"")
        await transport.flush()
    assert transport.link.receiver_failures == 100
    assert [(line["event"], line["connection"], line["subject"]) for line in logs] == [("a receiver raised", "a", "a")]


async def test_the_route_cache_is_bounded_and_follows_changes() -> None:
    broker = MemoryBroker()
    transport, inbox = await connected(broker), Inbox(5.0)
    subscription = transport.subscribe("in.*", inbox)
    for number in range(20_000):
        transport.send(f"in.{number}", b"")
    await transport.flush()
    assert len(inbox.items) == 20_000
    assert len(broker.exchange.routes.cache) <= 8192
    subscription.unsubscribe()
    transport.send("in.19999", b"")
    await transport.flush()
    assert len(inbox.items) == 20_000


async def test_queue_members_are_chosen_by_subscription_and_by_the_generator() -> None:
    async def shares(seed: int) -> Counter[str]:
        broker, shares = MemoryBroker(rng=Random(seed)), Counter[str]()
        for name, subscriptions in (("a", 1), ("b", 3)):
            transport = await connected(broker, name)
            for _ in range(subscriptions):
                transport.subscribe("jobs", lambda *_, name=name: shares.update([name]), "crew")
        sender = await connected(broker)
        for _ in range(4000):
            sender.send("jobs", b"")
        await sender.flush()
        return shares

    first = await shares(1)
    assert 850 < first["a"] < 1150
    assert first["a"] + first["b"] == 4000
    assert first == await shares(1)
    assert first != await shares(2)


async def test_a_live_message_to_a_streams_subject_is_stored_and_answered() -> None:
    transport, inbox, worker = await connected(MemoryBroker()), Inbox(5.0), Worker(5.0, lambda job: job.ack())
    await transport.ensure_stream(StreamSpec(name="log", subjects=("log.>",)))
    await transport.consume(ConsumerSpec(stream="log", name="c", filters=("log.>",)), worker)
    transport.subscribe("acks", inbox)
    transport.subscribe("log.*", inbox)
    transport.send("log.a", b"one", "acks", {"Nats-Msg-Id": "1"})
    transport.send("log.a", b"one", "acks", {"Nats-Msg-Id": "1"})
    await worker.wait(1, "the job")
    await transport.flush()
    assert worker.bodies == [b"one"]
    assert inbox.bodies == [
        b'{"stream": "log", "seq": 1}',
        b"one",
        b'{"stream": "log", "seq": 1, "duplicate": true}',
        b"one",
    ]


async def test_streams_must_not_share_subjects_and_limits_must_make_sense() -> None:
    transport = await connected(MemoryBroker())
    await transport.ensure_stream(StreamSpec(name="log", subjects=("log.>",)))
    with pytest.raises(StorageFailed, match=r"stream other: \*\.a overlaps log\.> of stream log"):
        await transport.ensure_stream(StreamSpec(name="other", subjects=("*.a",)))
    with pytest.raises(StorageFailed, match="duplicate_window_s"):
        await transport.ensure_stream(
            StreamSpec(name="short", subjects=("s",), limits=StreamLimits(max_age_s=1.0, duplicate_window_s=2.0))
        )
    await transport.ensure_stream(StreamSpec(name="tiny", subjects=("tiny",), limits=StreamLimits(max_bytes=100)))
    with pytest.raises(StorageFailed, match="max_bytes of stream tiny"):
        await transport.store("tiny", bytes(100), message_id="1")


TOKENS = st.sampled_from(["a", "b", "c"])
SUBJECTS = st.lists(TOKENS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.builds(
    lambda tokens, tail: ".".join([*tokens, ">"] if tail else tokens),
    st.lists(st.sampled_from(["a", "b", "c", "*"]), min_size=1, max_size=3),
    st.booleans(),
)


@given(st.lists(st.tuples(PATTERNS, st.sampled_from(["", "q", "r"])), max_size=8), SUBJECTS, st.data())
def test_the_trie_agrees_with_matching_one_by_one(
    wanted: list[tuple[str, str]], subject: str, data: st.DataObject
) -> None:
    routes, link = Routes(), Link("a")
    interests = [
        Interest(link, number, pattern, queue, lambda *_: None, lambda _: None)
        for number, (pattern, queue) in enumerate(wanted)
    ]
    for interest in interests:
        routes.add(interest)
    gone = data.draw(st.sets(st.sampled_from(range(len(wanted))))) if wanted else set[int]()
    for number in gone:
        routes.find(subject)
        routes.remove(interests[number])
    left = [i for i in interests if i.number not in gone and matches(i.pattern, subject)]
    route = routes.find(subject)
    assert list(route.plain) == [i for i in left if not i.queue]
    assert {group[0].queue: list(group) for group in route.groups} == {
        queue: [i for i in left if i.queue == queue] for queue in {i.queue for i in left if i.queue}
    }
    for interest in interests:
        routes.remove(interest)
    assert routes._root.empty


@given(PATTERNS, PATTERNS, SUBJECTS)
def test_patterns_that_match_one_subject_overlap(one: str, other: str, subject: str) -> None:
    if matches(one, subject) and matches(other, subject):
        assert overlap(one, other)
    assert overlap(one, other) == overlap(other, one)
    assert overlap(one, one)


def test_patterns_without_a_common_subject_do_not_overlap() -> None:
    for one, other in (("a.b", "a.c"), ("a", "a.>"), ("a.*", "a.b.c"), ("a.>", "b.>"), ("a.*.c", "a.b.d")):
        assert not overlap(one, other)
