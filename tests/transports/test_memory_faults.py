"""What the in-memory broker's faults do, in virtual time, and that one seed gives one history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from agentbus.errors import Closed, ConfigurationError, NotConnected, StorageFailed
from agentbus.testing.conformance_ground import Inbox, Worker
from agentbus.transport import ConsumerSpec, Job, StreamSpec
from agentbus.transports.memory import MemoryBroker, MemoryTransport
from tests.virtual_loop import run_virtually

LOG = StreamSpec(name="log", subjects=("log.>",))
JOBS = ConsumerSpec(stream="log", name="jobs", filters=("log.>",), ack_wait_s=10.0)
Scenario = Callable[["World"], Awaitable[None]]


class World:
    """A broker with three connections, a, b and c, each listening on its name and on ``all``, and a log."""

    def __init__(self, seed: int = 1, **options: int) -> None:
        self.events: list[tuple[float, str, str, str, str, bytes, str]] = []
        self.broker = MemoryBroker(rng=Random(seed), on_event=self._note, **options)
        self.links: dict[str, MemoryTransport] = {}
        self.inboxes: dict[str, Inbox] = {}

    def _note(self, kind: str, source: str, target: str, subject: str, body: bytes, reason: str) -> None:
        self.events.append((asyncio.get_running_loop().time(), kind, source, target, subject, body, reason))

    async def start(self) -> None:
        for name in "abc":
            await self.connect(name)

    async def connect(self, name: str) -> None:
        self.links[name] = transport = MemoryTransport(self.broker, name=name)
        await transport.connect()
        self.inboxes[name] = inbox = Inbox(60.0)
        for subject in (name, "all"):
            transport.subscribe(subject, inbox)
        await transport.flush()

    def drops(self) -> list[tuple[str, str, str]]:
        return [(source, target, why) for _, kind, source, target, _, _, why in self.events if kind == "drop"]

    async def worker(self, name: str, settle: Callable[[Job], None] | None = None) -> Worker:
        worker = Worker(60.0, settle)
        await self.links[name].consume(JOBS, worker)
        return worker


def play(scenario: Scenario, seed: int = 1, **options: int) -> World:
    world = World(seed, **options)

    async def run() -> None:
        await world.start()
        await scenario(world)

    run_virtually(run())
    return world


async def settled(seconds: float = 1.0) -> None:
    await asyncio.sleep(seconds)


def test_delay_is_within_its_bounds_and_keeps_order() -> None:
    async def scenario(world: World) -> None:
        world.broker.link(delay_s=(0.1, 0.5))
        for number in range(50):
            world.links["a"].send("b", b"%d" % number)
            await asyncio.sleep(0.2)
        await settled()
        assert world.inboxes["b"].bodies == [b"%d" % number for number in range(50)]

    world = play(scenario)
    sent = [at for at, kind, *_ in world.events if kind == "send"]
    took = [at - sent[int(body)] for at, kind, _, _, _, body, _ in world.events if kind == "deliver"]
    assert all(0.0999 <= seconds <= 0.5001 for seconds in took)
    assert len(set(took)) > 40


def test_narrower_rules_win_over_wider_ones() -> None:
    async def scenario(world: World) -> None:
        world.broker.link(delay_s=(1.0, 1.0))
        world.broker.link("b", delay_s=(2.0, 2.0))
        world.broker.link("b", "a", delay_s=(3.0, 3.0))
        world.broker.link("c", "c")
        for source, target in ("ab", "cb", "ac", "cc"):
            world.links[source].send(target, b"")
        await settled(5.0)

    world = play(scenario)
    arrivals = {source + target: at for at, kind, source, target, *_ in world.events if kind == "deliver"}
    assert arrivals == {"cc": 0.0, "ac": 1.0, "cb": 2.0, "ab": 3.0}


def test_loss_and_duplication_have_their_rates() -> None:
    async def scenario(world: World) -> None:
        world.broker.link("a", "b", loss=0.3)
        world.broker.link("a", "c", duplicate=0.3)
        for number in range(1000):
            world.links["a"].send("b", b"%d" % number)
            world.links["a"].send("c", b"%d" % number)
        await settled()

    world = play(scenario)
    assert 620 < len(world.inboxes["b"].items) < 780
    assert 1220 < len(world.inboxes["c"].items) < 1380
    assert world.broker.dropped == {"loss": 1000 - len(world.inboxes["b"].items)}
    assert world.links["b"].link.dropped == world.broker.dropped


def test_reorder_lets_messages_overtake_and_loses_none() -> None:
    async def scenario(world: World) -> None:
        world.broker.link(reorder=0.2)
        for number in range(100):
            world.links["a"].send("b", b"%d" % number)
        await settled()

    numbers = [int(body) for body in play(scenario).inboxes["b"].bodies]
    assert sorted(numbers) == list(range(100))
    assert numbers != sorted(numbers)


def test_a_partition_drops_in_silence_and_is_not_no_responders() -> None:
    async def scenario(world: World) -> None:
        world.broker.partition({"a"}, {"b"})
        world.links["a"].send("b", b"lost", "a")
        world.links["b"].send("a", b"lost", "b")
        world.links["a"].send("all", b"heard")
        world.links["a"].send("nobody", b"", "a")
        await settled()
        assert world.inboxes["b"].items == []
        assert [(m.subject, m.body, m.headers) for m in world.inboxes["a"].items] == [
            ("all", b"heard", None),
            ("a", b"", {"Status": "503"}),
        ]
        assert world.inboxes["c"].bodies == [b"heard"]
        world.broker.heal()
        world.links["a"].send("b", b"after")
        await settled()
        assert world.inboxes["b"].bodies == [b"after"]

    assert play(scenario).drops() == [("a", "b", "partition"), ("b", "a", "partition"), ("a", "b", "partition")]


def test_one_group_is_cut_off_from_all_others_but_the_broker() -> None:
    async def scenario(world: World) -> None:
        world.broker.partition({"a"})
        for source in "abc":
            world.links[source].send("all", source.encode())
        await world.links["a"].flush()
        await settled()

    world = play(scenario)
    assert {name: inbox.bodies for name, inbox in world.inboxes.items()} == {
        "a": [b"a"],
        "b": [b"b", b"c"],
        "c": [b"b", b"c"],
    }


def test_messages_under_way_are_caught_by_a_partition() -> None:
    async def scenario(world: World) -> None:
        world.broker.link(delay_s=(1.0, 1.0))
        world.links["a"].send("b", b"lost")
        await asyncio.sleep(0.5)
        world.broker.partition({"a"}, {"b"})
        await asyncio.sleep(1.0)

    world = play(scenario)
    assert world.inboxes["b"].items == []
    assert world.drops() == [("a", "b", "partition")]


def test_cut_off_from_the_broker_nothing_passes_and_store_ends_in_time() -> None:
    async def scenario(world: World) -> None:
        await world.links["b"].ensure_stream(LOG)
        world.broker.partition({"a"}, {"broker"})
        a, loop = world.links["a"], asyncio.get_running_loop()
        a.send("b", b"lost")
        a.send("a", b"lost")
        a.send("nobody", b"", "a")
        world.links["b"].send("all", b"for b and c")
        assert a.connected
        begun = loop.time()
        with pytest.raises(StorageFailed, match=r"log\.a: not acknowledged within 3 s"):
            await a.store("log.a", b"x", message_id="1", timeout_s=3.0)
        with pytest.raises(NotConnected):
            await a.flush(timeout_s=2.0)
        assert loop.time() - begun == 5.0
        assert world.inboxes["a"].items == []
        assert world.inboxes["b"].bodies == [b"for b and c"]
        added = Inbox(5.0)
        a.subscribe("added", added)
        late = MemoryTransport(world.broker, name="a")
        with pytest.raises(NotConnected):
            await late.connect(timeout_s=1.0)
        loop.call_later(1.0, world.broker.heal)
        assert not (await a.store("log.a", b"x", message_id="1", timeout_s=10.0)).duplicate
        world.links["b"].send("added", b"heard")
        await added.wait(1, "a subscription made behind a partition")

    play(scenario)


def test_a_lost_acknowledgement_of_store_is_tried_again_and_stored_once() -> None:
    async def scenario(world: World) -> None:
        await world.links["b"].ensure_stream(LOG)
        world.broker.link("a", "broker", loss=0.4)
        stored = [await world.links["a"].store("log.a", b"", message_id=str(n), timeout_s=60.0) for n in range(40)]
        assert [one.sequence for one in stored] == list(range(1, 41))
        assert any(one.duplicate for one in stored)
        worker = await world.worker("b", lambda job: job.ack())
        await worker.wait(40, "jobs")
        await settled(30.0)
        assert len(worker.items) == 40

    play(scenario)


def test_lost_jobs_and_settlements_lead_to_a_further_delivery() -> None:
    async def scenario(world: World) -> None:
        await world.links["a"].ensure_stream(LOG)
        world.broker.link("b", "broker", loss=0.3)
        worker = await world.worker("b", lambda job: job.ack())
        for number in range(20):
            await world.links["a"].store("log.a", b"%d" % number, message_id=str(number))
        await asyncio.sleep(300.0)
        assert {job.sequence for job in worker.items} == set(range(1, 21))
        before = len(worker.items)
        assert before > 20
        assert max(job.attempt for job in worker.items) > 1
        await asyncio.sleep(300.0)
        assert len(worker.items) == before

    play(scenario)


def test_a_crash_loses_the_connection_at_once_and_keeps_its_jobs_unsettled() -> None:
    async def scenario(world: World) -> None:
        await world.links["a"].ensure_stream(LOG)
        held = await world.worker("b")
        await world.links["a"].store("log.a", b"job", message_id="1")
        await held.wait(1, "the job")
        waiting = asyncio.create_task(world.links["b"].flush(timeout_s=30.0), name="flush-of-a-crashed-one")
        await asyncio.sleep(0)
        world.broker.crash("b")
        held.items[0].ack()
        with pytest.raises(Closed):
            await waiting
        with pytest.raises(Closed):
            world.links["b"].send("a", b"")
        with pytest.raises(ConfigurationError, match="no connection 'b' at this broker; there are: a, c"):
            world.broker.crash("b")
        world.links["a"].send("b", b"", "a")
        await world.links["a"].flush()
        assert world.inboxes["a"].items[0].headers == {"Status": "503"}
        next_one = await world.worker("c", lambda job: job.ack())
        begun = asyncio.get_running_loop().time()
        await next_one.wait(1, "the job that the crashed one held", within_s=30.0)
        assert asyncio.get_running_loop().time() - begun == JOBS.ack_wait_s
        assert next_one.items[0].attempt == 2
        await world.connect("b")
        world.links["a"].send("b", b"again")
        await world.inboxes["b"].wait(1, "a message to the restarted one")

    play(scenario)


def test_retry_is_at_once_for_another_when_its_connection_closes() -> None:
    async def scenario(world: World) -> None:
        await world.links["a"].ensure_stream(LOG)
        held = await world.worker("b", lambda job: job.retry() if job.attempt == 1 else None)
        await world.links["a"].store("log.a", b"job", message_id="1")
        await held.wait(2, "the job, twice")
        held.items[1].retry()
        await world.links["b"].close()
        worker, begun = await world.worker("c"), asyncio.get_running_loop().time()
        await worker.wait(1, "the job", within_s=30.0)
        assert asyncio.get_running_loop().time() == begun
        assert worker.items[0].attempt == 3

    play(scenario)


def test_a_broker_that_stops_loses_what_is_live_and_keeps_what_is_stored() -> None:
    async def scenario(world: World) -> None:
        await world.links["a"].ensure_stream(LOG)
        await world.links["a"].store("log.a", b"kept", message_id="1")
        world.broker.link(delay_s=(1.0, 1.0))
        world.links["a"].send("b", b"under way")
        await asyncio.sleep(0.5)
        world.links["a"].send("b", b"queued")
        world.broker.stop_broker()
        for link in world.links.values():
            assert not link.connected
            with pytest.raises(NotConnected):
                link.send("b", b"")
        await asyncio.sleep(5.0)
        world.broker.start_broker()
        worker = await world.worker("c", lambda job: job.ack())
        await worker.wait(1, "the job stored before the stop")
        world.links["a"].send("b", b"after")
        await world.inboxes["b"].wait(1, "a message after the start")
        assert world.inboxes["b"].bodies == [b"after"]

    world = play(scenario)
    assert ("a", "b", "broker stopped") in world.drops()


def test_jobs_in_flight_at_a_stop_can_be_settled_after_the_start() -> None:
    async def scenario(world: World) -> None:
        await world.links["a"].ensure_stream(LOG)
        worker = await world.worker("b")
        for number in range(2):
            await world.links["a"].store("log.a", b"%d" % number, message_id=str(number))
        held = list(await worker.wait(2, "jobs"))
        world.broker.stop_broker()
        with pytest.raises(NotConnected):
            await world.links["b"].writable()
        held[0].ack()
        world.broker.start_broker()
        await settled(0.1)
        held[1].ack()
        await asyncio.sleep(60.0)
        assert set(worker.bodies[2:]) == {b"0"}

    play(scenario)


def test_a_frozen_link_holds_up_to_its_limit_and_goes_on_in_order() -> None:
    async def scenario(world: World) -> None:
        world.broker.freeze("b")
        for number in range(100):
            world.links["a"].send("b", bytes(1000) + b"%d" % number)
            if number < 46:
                world.links["b"].send("a", bytes(1000) + b"%d" % number)
            else:
                with pytest.raises(NotConnected, match="await writable"):
                    world.links["b"].send("a", bytes(1000))
            await asyncio.sleep(0)
        await settled()
        assert world.inboxes["b"].items == world.inboxes["a"].items == []
        assert not world.links["b"].congested
        world.broker.thaw("b")
        await settled()
        for name in "ab":
            numbers = [int(body[1000:]) for body in world.inboxes[name].bodies]
            assert numbers == list(range(len(numbers)))
            assert len(numbers) == 46
        world.links["a"].send("b", b"after")
        await settled()
        assert world.inboxes["b"].bodies[-1] == b"after"

    world = play(scenario, max_waiting=50_000)
    assert world.broker.dropped == {"slow consumer": 54}
    assert world.links["b"].link.dropped == world.broker.dropped


def test_a_slow_link_beyond_its_limit_is_a_slow_consumer() -> None:
    async def scenario(world: World) -> None:
        world.broker.link("a", "b", delay_s=(1.0, 1.0))
        for _ in range(100):
            world.links["a"].send("b", bytes(1000))
            await asyncio.sleep(0)
        await settled(2.0)

    world = play(scenario, max_waiting=50_000)
    assert len(world.inboxes["b"].items) == 46
    assert world.broker.dropped == {"slow consumer": 54}


def test_order_is_kept_when_faults_end_while_messages_are_under_way() -> None:
    async def scenario(world: World) -> None:
        world.broker.link(delay_s=(0.5, 1.0))
        for number in range(20):
            world.links["a"].send("b", b"%d" % number)
        await asyncio.sleep(0.1)
        world.broker.link()
        for number in range(20, 40):
            world.links["a"].send("b", b"%d" % number)
        await settled(2.0)
        assert world.inboxes["b"].bodies == [b"%d" % number for number in range(40)]

    async def without_observer() -> None:
        world = World()
        world.broker.exchange.network.observer = None
        await world.start()
        await scenario(world)
        assert world.broker.exchange.network.calm

    run_virtually(without_observer())
    play(scenario)


def test_faults_are_checked_when_they_are_set() -> None:
    broker = MemoryBroker()
    with pytest.raises(ConfigurationError, match="delay_s"):
        broker.link(delay_s=(2.0, 1.0))
    with pytest.raises(ConfigurationError, match="loss="):
        broker.link(loss=1.5)
    with pytest.raises(ConfigurationError, match="at most two ends"):
        broker.link("a", "b", "c")
    with pytest.raises(ConfigurationError, match="'a' is in two groups"):
        broker.partition({"a"}, {"a", "b"})
    with pytest.raises(ConfigurationError, match="no connection 'x'"):
        broker.freeze("x")


async def turmoil(world: World) -> None:
    """Everything at once, for histories to be compared."""
    broker, links = world.broker, world.links
    await links["a"].ensure_stream(LOG)
    worker = await world.worker("b", lambda job: job.ack() if job.sequence % 3 else job.retry(0.5))
    crew = Inbox(60.0)
    for name in "abc":
        links[name].subscribe("crew", crew, "crew")
    broker.link(delay_s=(0.0, 0.2), loss=0.1, duplicate=0.1, reorder=0.1)
    for turn in range(60):
        for name in "abc":
            if links[name].connected:
                links[name].send("all", b"%d" % turn)
                links[name].send("crew", b"%d" % turn, "a")
        if turn % 10 == 3 and broker.running:
            await links["a"].store("log.a", b"%d" % turn, message_id=str(turn), timeout_s=20.0)
        if turn == 20:
            broker.partition({"a"}, {"b", "c"})
        if turn == 30:
            broker.heal()
            broker.freeze("c")
        if turn == 40:
            broker.thaw("c")
            broker.stop_broker()
        if turn == 45:
            broker.start_broker()
        await asyncio.sleep(0.05)
    broker.crash("b")
    await asyncio.sleep(5.0)
    assert worker.items


def test_one_seed_gives_one_history() -> None:
    first, again, other = play(turmoil, seed=7), play(turmoil, seed=7), play(turmoil, seed=8)
    assert len(first.events) > 500
    assert first.events == again.events
    assert first.events != other.events
    kinds = {event[1] for event in first.events}
    assert kinds >= {"send", "deliver", "drop", "store", "job", "settle", "partition", "heal", "freeze", "thaw"}
    assert kinds >= {"stop", "start", "crash", "connect"}
