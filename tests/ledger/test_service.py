"""Ledgers and witnesses at work on networks: what gets into the log, who cosigns it, and what becomes of liars."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agentbus import Agent, Context, Node, Refused, on, rpc
from agentbus.errors import Busy, Closed, ConfigurationError, LedgerInvalid, StorageFailed
from agentbus.faults import LYING, Fault
from agentbus.healing import Healer, HealingConfig
from agentbus.ledger import (
    Folder,
    InBucket,
    Keep,
    Key,
    Kind,
    Ledger,
    LedgerConfig,
    Outcome,
    Reader,
    Record,
    Rule,
    Rules,
    Witness,
    download,
    is_fork,
    read_record,
    verify,
)
from agentbus.ledger.codec import CosignReply, CosignRequest, HeldReply, HeldRequest, to_outcome
from agentbus.ledger.notes import Checkpoint, cosign, open_checkpoint, sign
from agentbus.ledger.store import Store
from agentbus.ledger.tiles import decode_bundle
from agentbus.testing import Simulation
from agentbus.transport import Transport
from examples.climate.v1.climate_pb2 import Reading, TargetReply, TargetRequest
from tests.cli.world import Courier
from tests.ledger.logs import LOG, LOG_KEY, ONE, ONE_KEY, TWO, TWO_KEY

WITNESSES = {"one": ONE_KEY, "two": TWO_KEY}
WHOLE = Rules(
    [
        Rule(type="agentbus.wire.v1.*", kinds=frozenset({Kind.SENT, Kind.RECEIVED, Kind.DONE}), keep=Keep.NOTHING),
        Rule(keep=Keep.WHOLE),
    ]
)


class Thermostat(Agent):
    """Answers, hears, and tells."""

    def __init__(self, *, once: bool = False) -> None:
        self.once, self.asked = once, False

    @rpc(TargetRequest, TargetReply)
    async def target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        if self.asked:
            raise Refused("once is enough")
        self.asked = self.once
        await ctx.publish(Reading(room="hall", celsius=3.0))
        return TargetReply(celsius=21.0)

    @on(Reading)
    async def hear(self, reading: Reading, ctx: Context) -> None: ...


async def witnesses(sim: Simulation) -> dict[str, Witness]:
    """Two, on nodes of their own."""
    made: dict[str, Witness] = {}
    for name, signer in (("one", ONE), ("two", TWO)):
        made[name] = Witness(InBucket(name), signer, logs=[LOG_KEY], clock=sim.now)
        await sim.node(name, agents={name: made[name]})
    return made


def ledger(sim: Simulation, bucket: str = "log", **options: Any) -> Ledger:
    given: Mapping[str, Any] = {"witnesses": WITNESSES, "hear": False, "rules": WHOLE, "clock": sim.now, **options}
    return Ledger(InBucket(bucket), LOG, **given)


async def records(store: Store, size: int) -> list[Record]:
    """What is in a log's tiles."""
    found: list[Record] = []
    for number in range(-(-size // 256)):
        width = min(256, size - number * 256)
        path = f"tile/entries/{number:03}" + (f".p/{width}" if width < 256 else "")
        found += [read_record(entry) for entry in decode_bundle(await store.read(path) or b"")]
    return found


async def contents(sim: Simulation, node: Node, size: int, bucket: str = "log") -> list[Record]:
    store = InBucket(bucket)
    await store.open(node.transport, "default")
    return await records(store, size)


def done(number: int) -> Record:
    return Record(at_us=0, kind=Kind.DONE, agent="till", type="shop.Order", subject=f"order {number}")


def test_what_a_node_receives_does_and_sends_is_logged_and_cosigned() -> None:
    async def scenario(sim: Simulation) -> None:
        await witnesses(sim)
        log = ledger(sim, hear=True)
        node = await sim.node(
            "n", agents={"ledger": log, "thermostat": Thermostat(once=True)}, middleware=[log.records()]
        )
        desk = await sim.node("desk")
        assert (await desk.request(TargetRequest(), TargetReply, to="thermostat")).celsius == 21.0
        with pytest.raises(Refused):
            await desk.request(TargetRequest(), TargetReply, to="thermostat")
        assert await log.append(done(1), b"one") == log.log.size - 1
        await sim.sleep(2.5)
        assert log.log.checkpoint is not None
        found = await contents(sim, node, log.log.checkpoint.size)
        told = [(each.kind.value, each.agent, each.type.rpartition(".")[2], each.outcome) for each in found]
        assert ("received", "thermostat", "TargetRequest", "") in told
        assert ("done", "thermostat", "TargetRequest", "") in told
        assert ("done", "thermostat", "TargetRequest", "Refused") in told
        assert ("sent", "thermostat", "TargetReply", "") in told
        assert ("sent", "thermostat", "Reading", "") in told
        assert ("received", "thermostat", "Reading", "") in told
        sent = next(each for each in found if each.type == Reading.DESCRIPTOR.full_name)
        assert Reading.FromString(sent.payload) == Reading(room="hall", celsius=3.0)
        received = next(each for each in found if each.kind is Kind.RECEIVED)
        assert (received.peer, received.node, received.subject) == (
            "desk",
            "n",
            "default.to.thermostat.examples-climate-v1-TargetRequest",
        )
        assert received.message_id.startswith("desk:")
        assert not any("Cosign" in each.type for each in found), "a log of its own checkpoints would never rest"
        assert log.witnessed is not None
        assert log.witnessed.checkpoint.size == log.log.checkpoint.size
        assert all(log.witnessed.signed_by(key) for key in (LOG_KEY, ONE_KEY, TWO_KEY))

    Simulation(seed=1).run(scenario)


def test_decisions_of_healing_and_about_jobs_are_logged() -> None:
    async def scenario(sim: Simulation) -> None:
        log = ledger(sim, hear=True, witnesses={}, rules=None)
        agents = {"ledger": log, "healer": Healer(config=HealingConfig(faulty=0)), "anna": Courier()}
        node = await sim.node("n", agents=agents)
        await sim.sleep(1.0)
        await node.publish(
            Fault(kind=LYING, agent="bert", node="m", epoch=7, reason="it lied", witnesses=["n"]), topic="n"
        )
        deal = await node.negotiate(Reading(), Reading, value=3.0, bid_window_s=1.0)
        await sim.sleep(2.5)
        assert log.log.checkpoint is not None
        found = await contents(sim, node, log.log.checkpoint.size)
        kinds = {each.type.rpartition(".")[2] for each in found if each.kind is Kind.DECIDED}
        assert {"Fault", "HealingAction", "decision"} <= kinds
        about = [json.loads(each.payload) for each in found if each.subject == deal.job]
        assert [entry["what"] for entry in about if entry["agent"] == "n"][-1] == "done"
        assert {entry["what"] for entry in about if entry["agent"] == "anna"} >= {"bid"}

    Simulation(seed=2).run(scenario)


def test_a_log_that_forgets_is_not_cosigned_and_both_checkpoints_are_kept() -> None:
    async def scenario(sim: Simulation) -> None:
        made = await witnesses(sim)
        true = ledger(sim)
        await sim.node("n", agents={"ledger": true})
        for number in range(5):
            await true.append(done(number))
        await sim.sleep(2.0)
        assert true.witnessed is not None
        await sim.stop("n")
        short = ledger(sim, bucket="forgotten")
        await sim.node("m", agents={"ledger": short})
        await short.append(done(1))
        await sim.sleep(2.0)
        assert short.refused == {"one": Outcome.ROLLBACK, "two": Outcome.ROLLBACK}
        assert short.witnessed is None
        for witness, key in ((made["one"], ONE_KEY), (made["two"], TWO_KEY)):
            (evidence, *_) = witness.evidence(LOG.name)
            assert evidence.outcome is Outcome.ROLLBACK
            sizes = [open_checkpoint(note, LOG_KEY)[1].size for note in (evidence.held, evidence.offered)]
            assert sizes in ([5, 1], [5, 0])
            held = witness.held(LOG.name)
            assert held is not None
            note, checkpoint = open_checkpoint(held, LOG_KEY)
            assert checkpoint.size == 5
            assert note.signed_by(key)

    Simulation(seed=3).run(scenario)


def test_a_log_that_tells_two_stories_gives_portable_evidence_that_outlives_the_witness() -> None:
    async def scenario(sim: Simulation) -> None:
        made = await witnesses(sim)
        true, false = ledger(sim), ledger(sim, bucket="other")
        await sim.node("n", agents={"ledger": true})
        for number in range(5):
            await true.append(done(number))
        await sim.sleep(2.0)
        await sim.stop("n")
        await sim.node("m", agents={"other": false})
        for number in range(5):
            false.put(done(number + 100))
        await sim.sleep(3.0)
        assert set(false.refused.values()) == {Outcome.FORK}
        forks = [one for one in made["one"].evidence(LOG.name) if one.outcome is Outcome.FORK]
        assert is_fork(forks[0].held, forks[0].offered, LOG_KEY)
        await false.append(done(7))
        await sim.sleep(2.0)
        assert set(false.refused.values()) == {Outcome.INCONSISTENT}
        again = await sim.restart("one")
        assert again is not None
        await sim.sleep(1.0)
        held = await again.request(HeldRequest(origin=LOG.name), HeldReply, to="one")
        assert open_checkpoint(held.checkpoint, LOG_KEY)[1].size == 5
        witness = again.cells["one"].agent
        assert isinstance(witness, Witness)
        kept = witness.evidence(LOG.name)
        assert kept[0] == forks[0]
        assert {one.outcome for one in kept} >= {Outcome.FORK, Outcome.INCONSISTENT}

    Simulation(seed=4).run(scenario)


def test_a_witness_that_is_away_holds_nobody_up_and_catches_up() -> None:
    async def scenario(sim: Simulation) -> None:
        made = await witnesses(sim)
        log = ledger(sim, config=LedgerConfig(cosign_s=0.3))
        await sim.node("n", agents={"ledger": log})
        await log.append(done(1))
        await sim.sleep(2.0)
        sim.partition({"two"})
        for number in range(20):
            await log.append(done(number))
            await sim.sleep(0.5)
        assert log.witnessed is not None
        assert log.witnessed.checkpoint.size == 1, "two are needed, and one is there"
        held = made["one"].held(LOG.name)
        assert held is not None
        assert open_checkpoint(held)[1].size >= 19
        sim.heal()
        await sim.sleep(3.0)
        assert log.witnessed.checkpoint.size == 21

    Simulation(seed=5).run(scenario)


def test_checkpoints_come_each_second_whatever_witnesses_do() -> None:
    async def scenario(sim: Simulation) -> None:
        await witnesses(sim)
        log = ledger(sim, config=LedgerConfig(cosign_s=5.0))
        await sim.node("n", agents={"ledger": log})
        sim.partition({"two"})
        await sim.sleep(0.5)
        sizes: list[int] = []
        for number in range(8):
            await log.append(done(number))
            await sim.sleep(1.0)
            assert log.log.checkpoint is not None
            sizes.append(log.log.checkpoint.size)
        assert sizes == list(range(1, 9))
        assert log.witnessed is None

    Simulation(seed=6).run(scenario)


class Liar(Agent):
    """A witness that says what is not so."""

    def __init__(self, lies: list[CosignReply]) -> None:
        self.lies, self.told = lies, 0

    @rpc(CosignRequest, CosignReply)
    async def cosign(self, request: CosignRequest, ctx: Context) -> CosignReply:
        self.told += 1
        return self.lies[self.told % len(self.lies)]


def test_a_witness_that_lies_is_not_believed_and_holds_nobody_up() -> None:
    note = sign(Checkpoint("example.org/another", 1, b"r" * 32), ONE)
    other = cosign(note, ONE, 1).line
    lies = [
        CosignReply(outcome=to_outcome(Outcome.COSIGNED), cosignature=cosignature)
        for cosignature in (
            other,
            "",
            "\u2014 one.example AAAA\n",
            other * 2,
            "\u2014 one.example\nx AAAA\n",
            "x" * 100_000,
        )
    ]
    lies += [
        CosignReply(outcome=to_outcome(Outcome.OTHER_SIZE), held_size=size, held=b"\xff" * 99)
        for size in (0, 1, 3, (1 << 63) - 1, (1 << 64) - 1)
    ]
    lies += [CosignReply(), CosignReply(outcome=to_outcome(Outcome.FORK))]

    async def scenario(sim: Simulation) -> None:
        liar = Liar(lies)
        log = ledger(sim)
        await sim.node("w", agents={"one": liar, "two": Liar(lies[::-1])})
        await sim.node("n", agents={"ledger": log})
        await sim.sleep(0.5)
        for number in range(30):
            await log.append(done(number))
            await sim.sleep(1.0)
        assert liar.told >= len(lies)
        assert log.witnessed is None
        assert log.log.checkpoint is not None
        assert log.log.checkpoint.size == 30

    Simulation(seed=7).run(scenario)


def test_a_node_that_crashes_loses_nothing_that_was_acknowledged() -> None:
    async def scenario(sim: Simulation) -> None:
        await witnesses(sim)
        log = ledger(sim)
        await sim.node("n", agents={"ledger": log})
        for number in range(7):
            assert await log.append(done(number)) == number
        await sim.sleep(1.6)
        for number in range(7, 10):
            assert await log.append(done(number)) == number
        sim.crash("n")
        node = await sim.restart("n")
        assert node is not None
        fresh = node.cells["ledger"].agent
        assert isinstance(fresh, Ledger)
        assert fresh.log.size == 10
        assert await fresh.append(done(10)) == 10
        await sim.sleep(2.5)
        assert [each.subject for each in await contents(sim, node, 11)] == [f"order {number}" for number in range(11)]
        assert fresh.witnessed is not None
        assert (fresh.witnessed.checkpoint.size, fresh.refused) == (11, {})

    Simulation(seed=6).run(scenario)


def test_a_log_that_is_behind_says_what_it_could_not_take() -> None:
    async def scenario(sim: Simulation) -> None:
        log = ledger(sim, witnesses={}, config=LedgerConfig(queue=5, batch=2))
        node = await sim.node("n", agents={"ledger": log})
        await log.append(done(0))
        sim.crash("broker")
        refused = 0
        for number in range(1, 21):
            try:
                log.put(done(number))
            except Busy:
                refused += 1
            await sim.sleep(0.05)
        assert refused == log.lost > 0
        assert any("not taken" in line["event"] for line in sim.logs)
        await sim.restart("broker")
        await log.durable()
        await sim.sleep(2.0)
        found = await contents(sim, node, log.log.size)
        (lost,) = [each for each in found if each.kind is Kind.LOST]
        assert lost.outcome == f"{refused} not logged: {refused} done"
        assert len(found) == 21 - refused + 1

    Simulation(seed=7).run(scenario)


class Flaky(InBucket):
    """Can't be opened at first."""

    attempts = 0

    async def open(self, transport: Transport, realm: str) -> None:
        self.attempts += 1
        if self.attempts == 1:
            raise StorageFailed("not yet")
        await super().open(transport, realm)


def test_a_ledger_that_was_made_anew_is_reached_by_who_has_the_first() -> None:
    async def scenario(sim: Simulation) -> None:
        log = Ledger(Flaky("log"), LOG, witnesses={}, rules=WHOLE, clock=sim.now)
        node = await sim.node("n", agents={"ledger": log, "t": Thermostat()}, middleware=[log.records()])
        hosted = node.cells["ledger"].agent
        assert isinstance(hosted, Ledger)
        assert hosted is not log
        await node.request(TargetRequest(), TargetReply, to="t")
        assert await log.append(done(1)) == hosted.log.size - 1
        assert hosted.log.size >= 4

    Simulation(seed=11).run(scenario)


def test_two_agents_that_write_one_log_are_found_out() -> None:
    async def scenario(sim: Simulation) -> None:
        first, second = ledger(sim, witnesses={}), ledger(sim, witnesses={})
        await sim.node("n", agents={"ledger": first})
        await sim.node("m", agents={"ledger": second})
        await first.append(done(1))
        with pytest.raises(LedgerInvalid, match="somebody else"):
            await second.append(done(2))
        with pytest.raises(LedgerInvalid):
            await second.append(done(3))
        with pytest.raises(LedgerInvalid):
            second.put(done(4))
        assert second.lost == 2
        assert await first.append(done(5)) == 1

    Simulation(seed=8).run(scenario)


def test_a_witness_cosigns_no_log_that_it_does_not_know() -> None:
    async def scenario(sim: Simulation) -> None:
        await witnesses(sim)
        node = await sim.node("n")
        from agentbus.ledger import Checkpoint, Ed25519

        stranger = sign(Checkpoint("example.org/other", 0, bytes(32)), Ed25519("example.org/other"))
        forged = sign(Checkpoint(LOG.name, 0, bytes(32)), Ed25519(LOG.name))
        for content, why in (
            (bytes(stranger), "is known here"),
            (bytes(forged), "not signed"),
            (b"x", "not a signed note"),
        ):
            with pytest.raises(Refused, match=why):
                await node.request(CosignRequest(checkpoint=content), CosignReply, to="one")
        long = CosignRequest(checkpoint=bytes(sign(Checkpoint(LOG.name, 0, bytes(32)), LOG)), proof=[bytes(32)] * 65)
        with pytest.raises(Refused, match="65 hashes"):
            await node.request(long, CosignReply, to="one")

    Simulation(seed=9).run(scenario)


def test_a_cosignature_by_another_key_is_not_taken() -> None:
    async def scenario(sim: Simulation) -> None:
        await witnesses(sim)
        log = ledger(sim, witnesses={"one": TWO_KEY})
        await sim.node("n", agents={"ledger": log})
        await log.append(done(1))
        await sim.sleep(2.0)
        assert log.witnessed is None
        assert any("another key" in line["event"] for line in sim.logs)

    Simulation(seed=10).run(scenario)


def test_settings_that_cannot_work_are_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(ConfigurationError, match="a quorum of 2, and 1"):
        Ledger(folder, LOG, witnesses={"one": ONE_KEY}, config=LedgerConfig(quorum=2))
    with pytest.raises(ConfigurationError, match="COSIGNATURE"):
        Ledger(folder, LOG, witnesses={"one": Key.of(ONE)})
    with pytest.raises(ConfigurationError, match="signs notes"):
        Witness(folder, ONE, logs=[ONE_KEY])
    for wrong in ({"queue": 0}, {"batch": 0}, {"whole": -1}, {"cosign_s": 0.0}, {"retry_s": -1.0}):
        with pytest.raises(ConfigurationError):
            LedgerConfig(**wrong)  # type: ignore[arg-type]


async def test_a_log_in_jetstream_is_witnessed_over_nats_and_audited_from_a_copy(nats_url: str, tmp_path: Path) -> None:
    made: dict[str, Agent] = {
        "one": Witness(InBucket("one", max_bytes=1 << 20), ONE, logs=[LOG_KEY]),
        "two": Witness(InBucket("two", max_bytes=1 << 20), TWO, logs=[LOG_KEY]),
    }
    store = InBucket("wide", max_bytes=64 << 20)
    log = Ledger(store, LOG, witnesses=WITNESSES, rules=WHOLE)
    async with Node(nats_url, name="w", agents=made), Node(nats_url, name="reader") as reader:
        async with Node(nats_url, name="n", agents={"ledger": log}):
            for number in range(300):
                log.put(done(number), b"x" * number * 20)
            assert await log.append(done(300)) == 300
        copied = InBucket("wide", max_bytes=64 << 20)
        await copied.open(reader.transport, "default")
        checkpoint = await download(copied, tmp_path / "copy")
        assert checkpoint.size >= 301
        held = await reader.request(HeldRequest(origin=LOG.name), HeldReply, to="two")
    report = verify(tmp_path / "copy", [LOG_KEY, ONE_KEY, TWO_KEY], [held.checkpoint])
    assert report.findings == ()
    assert report.witnessed == checkpoint.size
    found = [read_record(entry) for _, entry in Reader(tmp_path / "copy", 301).records()]
    assert [each.size for each in found[:300]] == [number * 20 for number in range(300)]
    assert found[150].payload == b"x" * 3000
    assert (found[299].payload, len(found[299].digest)) == (b"", 32), "a record in a bucket has less room"


async def test_what_is_no_log_is_not_copied(nats_url: str, tmp_path: Path) -> None:
    async with Node(nats_url) as node:
        store = InBucket("none", max_bytes=1 << 20)
        await store.open(node.transport, "default")
        with pytest.raises(LedgerInvalid, match="no checkpoint"):
            await download(store, tmp_path)


async def test_a_log_on_a_disk_is_whole_when_its_node_has_ended(tmp_path: Path) -> None:
    log = Ledger(Folder(tmp_path / "log"), LOG, witnesses=WITNESSES, rules=WHOLE)
    agents: dict[str, Agent] = {
        "one": Witness(Folder(tmp_path / "one"), ONE, logs=[LOG_KEY]),
        "two": Witness(Folder(tmp_path / "two"), TWO, logs=[LOG_KEY]),
    }
    async with (
        Node("memory://ledger-on-disk", name="w", agents=agents),
        Node(
            "memory://ledger-on-disk", name="n", agents={"ledger": log, "t": Thermostat()}, middleware=[log.records()]
        ) as node,
    ):
        for _ in range(20):
            await node.request(TargetRequest(), TargetReply, to="t")
        assert await log.append(done(1)) is not None
    assert log.waiting == 0
    with pytest.raises(Closed):
        log.put(done(2))
    witness = agents["one"]
    assert isinstance(witness, Witness)
    held = witness.held(LOG.name)
    assert held is not None
    report = verify(tmp_path / "log", [LOG_KEY, ONE_KEY, TWO_KEY], [held])
    assert report.findings == ()
    assert report.checkpoint is not None
    assert report.witnessed == report.checkpoint.size == log.log.size > 60
