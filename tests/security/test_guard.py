"""The guard on nodes: who speaks is who has signed; what is not signed, for there, in time and new is refused."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus import Agent, Context, Delivery, Node, cooperative, on, rpc
from agentbus.errors import ConfigurationError, DefinitionError, StorageFailed, Unauthorized
from agentbus.messages import SEALED, Frame, encode_frame, full_name
from agentbus.security import Guard, KeyPair
from agentbus.security import guard as guard_module
from agentbus.testing import Simulation
from agentbus.transport import Transport
from examples.climate.v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest
from tests.waiting import turns, until
from tests.wire import Heard, framed, wire

from .realm import ISSUERS, Clock, enrolled, frames, guard, pair_of

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
        assert shown == [
            ("0", 1, 0, False),
            ("1", 2, 0, False),
            ("4", 5, 2, False),
            ("3", 4, 0, True),
            ("5", 6, 0, False),
        ]
        assert (by.counters.skipped, by.counters.late) == (2, 1)


def sealed(by: Guard, source: str, message: Reading, number: int, *, subject: str = READING, says: str = "") -> bytes:
    body = encode_frame(
        Frame(full_name(message), says or source, 1, 0, number, 0, [message.SerializeToString()], [], [], [])
    )
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
        await bare.flush()
        answered = len(frames(seen, ".in."))
        for subject, body, reply in again:
            bare.transport.send(subject, body, reply)
        await until(lambda: b.statistics().malformed == len(again))
        assert by.counters.refused == len(again)
        assert by.counters.replayed == 2
        assert by.counters.forged == 7
        assert hall.rooms() == ["once", "asked"]
        await bare.flush()
        assert len(frames(seen, ".in.")) == answered, "a copy of a request is not answered"


def test_an_answer_goes_to_who_has_asked_and_to_nobody_else() -> None:
    by, spy, reply = guard("b", "hall"), guard("c", "spy"), "city.in.a.1_1_1"
    for inbox, another in ((reply, True), ("city.in.c.1_1_1", False)):
        sent = spy.seal(b"body", subject=ASK, reply=inbox, source="spy", epoch=1, durable=False)
        if another:
            with pytest.raises(Unauthorized, match="another's"):
                by.open(sent, subject=ASK, reply=inbox, ear="", durable=False)
        else:
            assert by.open(sent, subject=ASK, reply=inbox, ear="", durable=False)[0] == b"body"
    assert by.counters.strangers == 1


# -- unsigned ----------------------------------------------------------------------------------------------------------


async def test_what_nobody_has_signed_is_refused_unless_the_behavior_says_so(url: str) -> None:
    hall, window, by = Hall(), Open(), guard("b", "hall", "open")
    async with node(url, "b", agents={"hall": hall, "open": window}, by=by) as b, wire(url) as bare:
        refused = await bare.ask(ASK, b"")
        assert refused.headers["Nats-Service-Error-Code"] == "401"
        assert refused.headers["Agentbus-Error"] == "Unauthorized"
        allowed = await bare.ask(ASK.replace("hall", "open"), b"")
        assert TargetReply.FromString(allowed.body).celsius == 1.0
        json = await bare.ask(ASK, b"{}", {"Content-Type": "application/json"})
        assert b"Unauthorized" in json.body
        bare.transport.send(READING, Reading(room="x").SerializeToString())
        await until(lambda: window.heard == [""])
        framed_one = await bare.ask(ASK.replace("hall", "open"), framed(TargetRequest()))
        assert framed_one.headers["Nats-Service-Error-Code"] == "401", "a frame names a sender: it must be signed"
        assert hall.heard == []
        counts = b.statistics().agents["hall"].behaviors
        assert (counts["answer"].refused, counts["hear"].refused) == (2, 1)
        assert b.statistics().malformed == 4


async def test_discovery_stays_open(url: str) -> None:
    async with node(url, "b", "hall", agents={"hall": Hall()}), wire(url) as bare:
        assert b'"hall"' in (await bare.ask("$SRV.PING.hall", b"")).body


async def test_an_unsigned_durable_event_goes_to_the_dead_letters(url: str) -> None:
    keeper = Keeper()
    async with node(url, "b", "keeper", agents={"keeper": keeper}) as b, wire(url) as bare:
        await b.streams.ensure()
        await bare.transport.store("city.log.examples-climate-v1-Alarm", b"", message_id="foreign")
        await until(lambda: b.statistics().agents["keeper"].behaviors["keep"].dead_lettered == 1)
        dead = await bare.transport.last("agentbus_city_dead", "city.dead.>")
        assert dead is not None
        assert "signed" in (dead.headers or {})["Agentbus-Dead-Reason"]
        assert keeper.kept == []


async def unmarked(self: Agent, message: Any, ctx: Context) -> Any: ...


def test_unsigned_is_one_of_two_words() -> None:
    with pytest.raises(DefinitionError, match="use 'refuse' or 'allow'"):
        on(Reading, unsigned="yes")(unmarked)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="use 'refuse' or 'allow'"):
        rpc(TargetRequest, TargetReply, unsigned=True)(unmarked)  # type: ignore[arg-type]


# -- whom a node may speak as ------------------------------------------------------------------------------------------


async def test_a_node_hosts_and_speaks_as_whom_it_is_enrolled_for() -> None:
    async with node("memory://names", "b", "hall") as b:
        await b.add(Hall(), name="hall")
        with pytest.raises(Unauthorized, match="may not speak as 'attic'"):
            await b.add(Hall(), name="attic")
    with pytest.raises(ConfigurationError, match="write Node"):
        async with Node("memory://names", realm="city", name="other", guard=guard("b")):
            pass
    with pytest.raises(ConfigurationError, match="write Node"):
        async with Node("memory://names", realm="village", name="b", guard=guard("b")):
            pass


async def test_no_enrolled_node_speaks_in_anothers_name() -> None:
    hall, by, spy = Hall(), guard("b", "hall"), guard("c", "spy", "attic")
    async with node("memory://names", "b", agents={"hall": hall}, by=by) as b, wire("memory://names") as bare:
        bare.transport.send(READING, sealed(spy, "attic", Reading(room="so named"), 1))
        bare.transport.send(READING, sealed(spy, "spy", Reading(room="inside"), 2, says="attic"))
        loose = Guard(pair_of("c"), enrolled("c", "*"), ISSUERS, "city")
        loose._enrolment = enrolled("c", "spy")
        bare.transport.send(READING, sealed(loose, "attic", Reading(room="outside"), 3))
        await until(lambda: b.statistics().malformed == 2)
        assert hall.rooms() == ["so named"], "where two nodes are enrolled for one name, both speak in it"
        assert by.counters.strangers == 1


@pytest.mark.parametrize("name", ["", "a b", "x" * 300])
def test_a_name_that_is_none_is_nobodys(name: str) -> None:
    loose = Guard(pair_of("c"), enrolled("c", "*"), ISSUERS, "city")
    other = guard("b")
    try:
        sent = loose.seal(b"", subject="x", reply="", source=name, epoch=1, durable=False)
    except Unauthorized:
        return
    with pytest.raises(Unauthorized, match="no name"):
        other.open(sent, subject="x", reply="", ear="", durable=False)


def test_an_enrolment_of_another_key_or_by_nobody_makes_no_guard() -> None:
    with pytest.raises(Unauthorized, match="another key"):
        Guard(KeyPair.create(), enrolled("b"), ISSUERS, "city")
    with pytest.raises(Unauthorized, match="not by the issuer"):
        Guard(pair_of("b"), enrolled("b"), {}, "city")
    with pytest.raises(ConfigurationError, match="window_s"):
        guard("b", window_s=0)


# -- time --------------------------------------------------------------------------------------------------------------


def exchange(clock: Clock, other: Clock, **options: float) -> tuple[Guard, Guard]:
    return guard("a", clock=clock, **options), guard("b", clock=other)


def passes(by: Guard, sent: bytes, *, durable: bool = False) -> str:
    """Why it does not; empty when it does."""
    try:
        by.open(sent, subject="x", reply="", ear="", durable=durable)
    except Unauthorized as error:
        return str(error)
    return ""


def test_a_live_frame_is_good_for_its_window_and_clocks_may_differ_a_little() -> None:
    clock, other = Clock(), Clock()
    speaks, hears = exchange(clock, other)
    for apart_s, says in ((0.0, ""), (1.9, ""), (-1.9, ""), (2.1, "too early"), (31.9, ""), (-32.1, "too late")):
        other.now = clock.now - apart_s
        sent = speaks.seal(b"", subject="x", reply="", source="a", epoch=1, durable=False)
        if says or abs(apart_s) < 2:
            assert says in passes(hears, sent), apart_s
            assert bool(says) == bool(passes(hears, sent)) or not says
    assert hears.counters.stale >= 2


def test_a_sender_can_not_make_its_frames_live_longer_than_the_receiver_allows() -> None:
    clock, other = Clock(), Clock()
    speaks, hears = exchange(clock, other, window_s=1000.0)
    sent = speaks.seal(b"", subject="x", reply="", source="a", epoch=1, durable=False)
    other.now += 40.0
    assert "too late" in passes(hears, sent)


def test_a_durable_frame_is_good_for_long_also_when_the_enrolment_is_over() -> None:
    clock, other = Clock(), Clock()
    speaks, hears = exchange(clock, other)
    sent = speaks.seal(b"", subject="x", reply="", source="a", epoch=1, durable=True)
    assert "the other way round" in passes(hears, sent)
    other.now += 29 * 86400.0
    assert passes(hears, sent, durable=True) == ""
    other.now += 2 * 86400.0
    assert "too late" in passes(hears, sent, durable=True)


async def test_an_enrolment_that_is_over_ends_the_speaking_with_a_typed_error_and_is_renewed_while_running() -> None:
    clock = Clock()
    hall, by = Hall(), guard("b", "hall", clock=clock)
    speaks = guard("a", clock=clock)
    url = "memory://renewing"
    async with node(url, "b", agents={"hall": hall}, by=by) as b, node(url, "a", by=speaks) as a:
        await a.publish(Reading(room="1"))
        await until(lambda: len(hall.heard) == 1)
        last = sealed(speaks, "a", Reading(room="2"), 2)
        by.renew(enrolled("b", "hall", now_s=clock.now, valid_s=9 * 3600))
        clock.now += 3600.0
        with pytest.raises(Unauthorized, match="expired"):
            await a.publish(Reading(room="3"))
        with pytest.raises(Unauthorized, match="expired"):
            await a.request(TargetRequest(), TargetReply, to="hall")
        async with wire(url) as bare:
            bare.transport.send(READING, last)
            await until(lambda: b.statistics().malformed == 1)
        newer = KeyPair(b"newer".ljust(32))
        with pytest.raises(Unauthorized, match="another key"):
            speaks.renew(enrolled("a", now_s=clock.now), newer)
        with pytest.raises(Unauthorized, match="for node 'c'"):
            speaks.renew(enrolled("c", now_s=clock.now, pair=newer), newer)
        speaks.renew(enrolled("a", now_s=clock.now, pair=newer), newer)
        assert speaks.enrolment.key == newer.key
        await a.publish(Reading(room="4"))
        assert (await a.request(TargetRequest(), TargetReply, to="hall")).celsius == 21.0
        assert hall.rooms() == ["1", "4", "asked"]


async def test_after_a_restart_nothing_passes_that_was_issued_before_it(url: str) -> None:
    hall = Hall()
    async with node(url, "a") as a, wire(url) as bare:
        seen = bare.hear("city.>")
        await bare.flush()
        async with node(url, "b", "hall", agents={"hall": hall}):
            await a.publish(Reading(room="1"))
            await a.request(TargetRequest(), TargetReply, to="hall")
        again = Hall()
        async with node(url, "b", "hall", agents={"hall": again}) as b:
            for one in frames(seen, ".ev.") + frames(seen, ".to."):
                bare.transport.send(one.subject, one.body, one.reply)
            await until(lambda: b.statistics().malformed == 2)
            await a.publish(Reading(room="2"))
            await until(lambda: again.rooms() == ["2"])


# -- who hears one frame several times ---------------------------------------------------------------------------------


class Ears(Agent):
    """Hears the same events by several patterns and groups."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @on(Reading)
    async def all_of_them(self, reading: Reading, ctx: Context) -> None:
        self.heard.append("all")

    @on(Reading, topic="floor.*")
    async def by_topic(self, reading: Reading, ctx: Context) -> None:
        self.heard.append("topic")

    @on(Reading, queue="one")
    async def first_group(self, reading: Reading, ctx: Context) -> None:
        self.heard.append("one")

    @on(Reading, queue="two")
    async def second_group(self, reading: Reading, ctx: Context) -> None:
        self.heard.append("two")


async def test_each_pattern_and_group_of_a_node_hears_a_frame_once(url: str) -> None:
    ears = Ears()
    async with node(url, "b", "ears", agents={"ears": ears}) as b, node(url, "a") as a, wire(url) as bare:
        seen = bare.hear("city.ev.>")
        await bare.flush()
        await a.publish(Reading(), topic="floor.1")
        await until(lambda: len(ears.heard) == 4)
        assert sorted(ears.heard) == ["all", "one", "topic", "two"]
        bare.transport.send(seen[0].subject, seen[0].body)
        await until(lambda: b.statistics().malformed == 4)
        assert len(ears.heard) == 4


# -- durable -----------------------------------------------------------------------------------------------------------


class Keeper(Agent):
    """Keeps alarms; fails at those that it is told to, the first time."""

    def __init__(self, *fails: str, gate: asyncio.Event | None = None) -> None:
        self.fails = set(fails)
        self.gate = gate
        self.kept: list[tuple[str, str, int]] = []

    @on(Alarm, durable="keepers", max_deliver=3)
    async def keep(self, alarm: Alarm, ctx: Context) -> None:
        assert ctx.delivery is not None
        if alarm.room in self.fails and ctx.delivery.attempt == 1:
            raise Unauthorized("not yet")
        if self.gate is not None:
            await self.gate.wait()
        self.kept.append((ctx.sender, alarm.room, ctx.delivery.number))

    def rooms(self) -> list[str]:
        return [room for _, room, _ in self.kept]


async def test_durable_events_are_redelivered_until_completed_and_copies_are_refused_after_a_restart_too(
    url: str,
) -> None:
    keeper, by = Keeper("2"), guard("b", "keeper")
    async with node(url, "a") as a, wire(url) as bare:
        async with node(url, "b", agents={"keeper": keeper}, by=by):
            for room in "123":
                await a.publish(Alarm(room=room), durable=True)
            await until(lambda: len(keeper.kept) == 3)
            assert sorted(keeper.kept) == [("a", "1", 1), ("a", "2", 2), ("a", "3", 3)]
            assert by.counters.again == 1
            copies = [await stored(bare.transport, sequence) for sequence in (1, 2, 3)]
            for place, copy in enumerate(copies):
                await bare.transport.store(copy.subject, copy.body, message_id=f"copy-{place}")
            await until(lambda: by.counters.copies == 3)
        again, by = Keeper(), guard("b", "keeper")
        async with node(url, "b", agents={"keeper": again}, by=by) as b:
            for place, copy in enumerate(copies):
                await bare.transport.store(copy.subject, copy.body, message_id=f"copy-again-{place}")
                await bare.transport.store(copy.subject + ".attic", copy.body, message_id=f"moved-{place}")
            await a.publish(Alarm(room="4"), durable=True)
            await until(lambda: again.kept == [("a", "4", 4)])
            assert by.counters.copies == 3
            assert by.counters.forged == 3
            await until(lambda: b.statistics().agents["keeper"].behaviors["keep"].dead_lettered == 3)
        assert keeper.rooms() == ["1", "3", "2"] or sorted(keeper.rooms()) == ["1", "2", "3"]


async def stored(transport: Transport, sequence: int) -> Heard:
    message = await transport.after("agentbus_city_log", "city.log.>", sequence - 1)
    assert message is not None
    return Heard(message.subject, message.body, "")


async def test_two_nodes_of_one_durable_name_share_what_they_know() -> None:
    gate = asyncio.Event()
    keepers, guards = [Keeper(gate=gate), Keeper(gate=gate)], [guard("b", "keeper"), guard("c", "keeper")]
    url = "memory://shared"
    async with (
        node(url, "b", agents={"keeper": keepers[0]}, by=guards[0]),
        node(url, "c", agents={"keeper": keepers[1]}, by=guards[1]),
        node(url, "a") as a,
        wire(url) as bare,
    ):
        for number in range(40):
            await a.publish(Alarm(room=str(number)), durable=True)
        first = await stored(bare.transport, 1)
        for number in range(20):
            await bare.transport.store(first.subject, first.body, message_id=f"copy-{number}")
        await until(lambda: sum(by.counters.copies for by in guards) == 20)
        gate.set()
        await until(lambda: sum(len(keeper.kept) for keeper in keepers) == 40)
        assert sorted(map(int, keepers[0].rooms() + keepers[1].rooms())) == list(range(40))
        assert keepers[0].kept
        assert keepers[1].kept


async def test_a_dead_letter_is_kept_as_it_came() -> None:
    class Never(Agent):
        @on(Alarm, durable="never", max_deliver=1)
        async def keep(self, alarm: Alarm, ctx: Context) -> None:
            raise Unauthorized("never")

    url = "memory://dead"
    async with node(url, "b", "never", agents={"never": Never()}) as b, node(url, "a") as a, wire(url) as bare:
        await a.publish(Alarm(room="1"), durable=True)
        await until(lambda: b.statistics().agents["never"].behaviors["keep"].dead_lettered == 1)
        dead = await bare.transport.last("agentbus_city_dead", "city.dead.>")
        assert dead is not None
        assert dead.body == (await stored(bare.transport, 1)).body
        by = guard("c")
        by.open(dead.body[2:], subject=dead.subject.replace(".dead.", ".log."), reply="", ear="", durable=True)


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_honest_frames_are_never_refused_however_late_and_no_copy_passes(seed: int) -> None:
    async def scenario(sim: Simulation) -> None:
        def clock() -> float:
            return 946_684_800.0 + sim.now()

        hall, keeper = Hall(), Keeper("3", "4", "5")
        guards = {name: guard(name, "hall", "keeper", clock=clock) for name in ("a", "b")}
        await sim.node("b", realm="city", guard=guards["b"], agents={"hall": hall, "keeper": keeper})
        a = await sim.node("a", realm="city", guard=guards["a"])
        sim.link(delay_s=(0.0, 0.05), reorder=0.3)
        for number in range(150):
            await a.publish(Reading(room=str(number)), spread=True)
            await sim.sleep(0.002)
        await sim.until(lambda: len(hall.heard) == 150)
        assert guards["b"].counters.late > 10
        for number in range(30):
            await a.publish(Alarm(room=str(number)), durable=True)
        await sim.until(lambda: len(keeper.kept) == 30)
        assert guards["b"].counters.refused == guards["a"].counters.refused == 0
        sim.link(delay_s=(0.0, 0.05), reorder=0.3, duplicate=0.5)
        for number in range(100):
            await a.publish(Reading(room=f"twice-{number}"), spread=True)
            await sim.sleep(0.002)
        await sim.sleep(1.0)
        assert sorted(hall.rooms()[150:]) == sorted(f"twice-{number}" for number in range(100))
        assert guards["b"].counters.replayed > 20

    Simulation(seed=seed).run(scenario)


def test_a_crash_of_the_receiver_loses_no_durable_event_and_repeats_none_that_was_completed() -> None:
    kept: list[str] = []

    class Slow(Agent):
        @on(Alarm, durable="slow", ack_wait_s=2.0, concurrency=4)
        async def keep(self, alarm: Alarm, ctx: Context) -> None:
            await asyncio.sleep(0.05)
            kept.append(alarm.room)

    async def scenario(sim: Simulation) -> None:
        def clock() -> float:
            return 946_684_800.0 + sim.now()

        by = guard("b", "slow", clock=clock)
        await sim.node("b", realm="city", guard=by, agents={"slow": Slow()})
        a = await sim.node("a", realm="city", guard=guard("a", clock=clock))
        for number in range(100):
            await a.publish(Alarm(room=str(number)), durable=True)
        for _ in range(3):
            await sim.sleep(0.3)
            sim.crash("b")
            await sim.sleep(0.3)
            await sim.restart("b")
        await sim.until(lambda: len(set(kept)) == 100, timeout_s=30.0)
        assert by.counters.refused == 0
        assert by.counters.again > 0

    Simulation(seed=3).run(scenario)


def test_what_can_not_be_judged_now_is_judged_later() -> None:
    """The broker is away while durable frames wait to be claimed."""

    async def scenario(sim: Simulation) -> None:
        def clock() -> float:
            return 946_684_800.0 + sim.now()

        keeper, by = Keeper(), guard("b", "keeper", clock=clock)
        await sim.node("b", realm="city", guard=by, agents={"keeper": keeper})
        a = await sim.node("a", realm="city", guard=guard("a", clock=clock))
        sim.link("b", delay_s=(0.02, 0.02))
        for number in range(20):
            await a.publish(Alarm(room=str(number)), durable=True)
            if number == 10:
                sim.crash("broker")
                await sim.sleep(3.0)
                await sim.restart("broker")
                await sim.sleep(2.0)
        await sim.until(lambda: len(set(keeper.rooms())) == 20, timeout_s=120.0)
        assert by.counters.refused == 0

    Simulation(seed=4).run(scenario)


def test_a_sender_forgets_its_oldest_streams_and_counts_on_above_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "STREAMS", 4)
    speaks, hears = guard("a"), guard("b")
    for number in range(200):
        subject = f"x.{number * 7 % 9}"
        sent = speaks.seal(b"", subject=subject, reply="", source="a", epoch=1, durable=False)
        _, opened = hears.open(sent, subject=subject, reply="", ear="", durable=False)
        assert opened.skipped == 0
        assert not opened.late


@given(st.binary(max_size=500))
def test_bytes_of_chance_are_refused_and_nothing_else_happens(body: bytes) -> None:
    by = guard("b")
    with pytest.raises(Unauthorized):
        by.open(body, subject="x", reply="", ear="", durable=False)
    assert by.counters.refused == 1


async def test_a_message_leaves_room_for_its_seal() -> None:
    async with node("memory://large", "a") as a:
        largest = a.transport.max_payload - a.bus.guard.overhead - 400  # type: ignore[union-attr]
        await a.publish(Reading(room="x" * largest))
        await turns()
        assert a.statistics().lost == 0
        assert a.statistics().frames_sent == 1


async def test_an_event_whose_id_another_has_taken_is_not_called_stored(url: str) -> None:
    async with node(url, "a") as a, wire(url) as bare:
        first = await a.publish(Alarm(room="1"), durable=True)
        assert first is not None
        number = a.bus.take_numbers(1) + 1
        taken = await bare.transport.store(
            "city.log.examples-climate-v1-Alarm", b"mine", message_id=f"a:{a.epoch}:{number}"
        )
        with pytest.raises(StorageFailed, match="another message under this one's id"):
            await a.publish(Alarm(room="2"), durable=True)
        last = await a.publish(Alarm(room="2"), durable=True)
        assert last is not None
        assert last.sequence == taken.sequence + 1


async def test_answers_of_several_agents_in_one_frame_are_by_agents_of_that_node_only() -> None:
    halls = {f"hall-{number}": Hall() for number in range(4)}
    by, asks = guard("b", "hall-*"), guard("a")
    url = "memory://several"
    async with node(url, "b", agents=dict(halls), by=by), node(url, "a", by=asks) as a, wire(url) as bare:
        gathered = await a.gather(TargetRequest(), TargetReply, at_most=4)
        assert sorted(reply.sender for reply in gathered) == sorted(halls)
        heard = bare.hear("city.all.>")
        await bare.flush()
        asking = asyncio.create_task(a.gather(TargetRequest(), TargetReply, at_most=8, timeout_s=0.3))
        await until(lambda: heard)
        inbox, first, _ = heard[0].reply.rsplit("_", 2)
        spy = guard("c", "spy", "second-*")
        for number, names in enumerate((["spy", "hall-1"], ["spy", "second-1"])):
            answers = [TargetReply(celsius=-1.0).SerializeToString()] * 2
            frame = Frame(full_name(TargetReply), "spy", 1, 0, number, 0, answers, [], [], [int(first)] * 2, names)
            body = encode_frame(frame)
            lie = spy.seal(body, subject=inbox, reply="", source="spy", epoch=1, durable=False)
            bare.transport.send(inbox, SEALED + lie)
        senders = [reply.sender for reply in await asking]
        assert sorted(senders) == [*sorted(halls), "second-1", "spy"], "in their own names only"
        assert a.statistics().malformed == 1


def test_an_enrolled_node_that_opens_streams_takes_little_memory() -> None:
    """Of subjects as long as can be, and with as many gaps as can be told."""
    spy, by = guard("spy"), guard("b")
    numbers = spy._numbers  # pyright: ignore[reportPrivateUsage]
    count = 500

    def hear(place: int) -> None:
        subject = f"city.ev.x.{place}.{'t' * 1800}"
        for number in (1, 4000):
            numbers["spy", 1, subject] = number
            sent = spy.seal(b"", subject=subject, reply="", source="spy", epoch=1, durable=False)
            by.open(sent, subject=subject, reply="", ear="city.ev.x.>", durable=False)
        numbers.clear()

    hear(count)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for place in range(count):
            hear(place)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept / count < 1400, "65,536 of them take less than 100 MB"


@pytest.mark.parametrize(("subject", "reply"), [("x" * 70_000, ""), ("x", "city.in.a." + "y" * 70_000), ("\ud800", "")])
def test_subjects_that_have_no_bytes_are_refused(subject: str, reply: str) -> None:
    speaks, by = guard("a"), guard("b")
    with pytest.raises(Unauthorized, match="subject"):
        speaks.seal(b"", subject=subject, reply=reply, source="a", epoch=1, durable=False)
    sent = speaks.seal(b"", subject="x", reply="", source="a", epoch=1, durable=False)
    with pytest.raises(Unauthorized, match="subject"):
        by.open(sent, subject=subject, reply=reply, ear="", durable=False)
    assert by.counters.forged == 1
