"""The simulation as docs/guides/testing.md promises it: the contract's scenario, its members, its log."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentbus import Agent, Context, every, on_stop
from agentbus.errors import AgentExists, ConfigurationError, NotConnected
from agentbus.testing import Simulation, SimulationFailed
from examples.climate.v1.climate_pb2 import Reading, TargetReply, TargetRequest

from .world import Sensor, Thermostat


async def scenario(sim: Simulation) -> None:
    a = await sim.node("a", agents=[Thermostat(21.0)])
    b = await sim.node("b", agents=[Sensor()])
    sim.link(delay_s=(0.01, 0.05), loss=0.1, duplicate=0.01)
    sim.partition({"a"}, {"b"})
    await sim.sleep(30.0)
    sim.heal()
    sim.crash("a")
    again = await sim.restart("a")
    assert again is not None
    assert again.epoch > a.epoch
    assert (await b.request(TargetRequest(), TargetReply, to="thermostat", timeout_s=1.0)).celsius == 21.0


def logged(seed: int) -> bytes:
    """The scenario's event log, whether it passed: with a loss of a tenth some of the requests are lost."""
    sim = Simulation(seed)
    try:
        sim.run(scenario)
    except TimeoutError:
        sim.note("lost")
    return bytes(sim.log)


def test_the_contracts_scenario_runs_as_written() -> None:
    sim = Simulation(seed=7)
    sim.run(scenario)
    assert 30.0 < sim.now() < 32.0
    assert {event.reason for event in sim.log.find("drop", source="b", target="a")} >= {"partition"}
    assert [event.source for event in sim.log.find("crash")] == ["a"]


def test_one_seed_gives_one_log() -> None:
    assert logged(3) == logged(3)


def test_other_seeds_give_other_logs() -> None:
    assert len({logged(seed) for seed in range(10)}) == 10


def test_one_seed_gives_one_log_in_any_process() -> None:
    program = "import sys; from tests.testing.test_simulation import logged; sys.stdout.buffer.write(logged(5))"
    root = Path(__file__).parents[2]
    logs = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            timeout=15,
        ).stdout
        for hash_seed in ("0", "4711")
    ]
    assert len(logs[0]) > 1000
    assert logs[0] == logs[1] == logged(5)


def test_an_hour_of_three_tickers_is_short() -> None:
    ticks: list[float] = []

    class Ticker(Agent):
        def __init__(self, ticks: list[float]) -> None:
            self.ticks = ticks

        @every(10.0)
        async def tick(self, ctx: Context) -> None:
            self.ticks.append(ctx.now())

    async def an_hour(sim: Simulation) -> None:
        for name in "abc":
            await sim.node(name, agents=[Ticker(ticks)])
        await sim.sleep(3600.5)

    began = time.perf_counter()
    Simulation().run(an_hour)
    took_s = time.perf_counter() - began
    assert len(ticks) == 3 * 360
    assert ticks[-1] == 3600.0
    assert took_s < 0.5


def test_a_restart_is_a_new_process() -> None:
    made: list[Agent] = []

    class Counter(Agent):
        def __init__(self, made: list[Agent]) -> None:
            made.append(self)
            self.count = 0

        @every(1.0)
        async def count_up(self, ctx: Context) -> None:
            self.count += 1

    async def restart(sim: Simulation) -> None:
        node = await sim.node("a", agents={"x": Counter(made)})
        await sim.sleep(5.5)
        sim.crash("a")
        after = await sim.restart("a")
        assert after is not None
        assert after is not node
        assert after.epoch > node.epoch
        assert after.cells["x"].agent is made[1]
        assert after.make_rng("x").random() != node.make_rng("x").random()
        await sim.sleep(2.5)

    Simulation().run(restart)
    assert [agent.count for agent in made if isinstance(agent, Counter)] == [5, 2]


def test_nodes_are_stopped_at_the_end_and_crashed_ones_are_not() -> None:
    stopped: list[str] = []

    class Polite(Agent):
        @on_stop
        async def leave(self, ctx: Context) -> None:
            stopped.append(ctx.node)

    async def two(sim: Simulation) -> None:
        await sim.node("a", agents=[Polite()])
        await sim.node("b", agents=[Polite()])
        await sim.node("c", agents=[Polite()])
        sim.crash("a")
        await sim.stop("b")
        assert stopped == ["b"]

    sim = Simulation()
    sim.run(two)
    assert stopped == ["b", "c"]
    assert [(event.kind, event.source) for event in sim.log if event.kind in ("up", "down", "crash")] == [
        ("up", "a"),
        ("up", "b"),
        ("up", "c"),
        ("crash", "a"),
        ("down", "b"),
        ("down", "c"),
    ]


def test_a_node_runs_until_it_is_stopped() -> None:
    async def runs(sim: Simulation) -> float:
        node = await sim.node("a", agents=[Sensor()])
        running = asyncio.create_task(node.run())
        await sim.sleep(7.0)
        await sim.stop("a")
        await running
        return sim.now()

    assert Simulation().run(runs) == 7.0


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda sim: sim.partition({"thermostat"}, {"a"}), "no member 'thermostat'.*there are a, broker"),
        (lambda sim: sim.link("a", "b", loss=0.1), "no member 'b'"),
        (lambda sim: sim.crash("b"), "no member 'b'"),
        (lambda sim: sim.freeze("broker"), "name a node"),
        (lambda sim: (sim.crash("a"), sim.crash("a")), "'a' does not run: sim.restart"),
        (lambda sim: sim.run(scenario), "runs once"),
        (lambda sim: Simulation().run(scenario), "from `def`"),
        (lambda sim: Simulation(limit_s=0), "above 0"),
    ],
)
def test_wrong_use_says_what_to_do(act: object, text: str) -> None:
    async def wrong(sim: Simulation) -> None:
        await sim.node("a")
        act(sim)  # type: ignore[operator]

    with pytest.raises(ConfigurationError, match=text):
        Simulation().run(wrong)


def test_one_name_is_one_member() -> None:
    async def twice(sim: Simulation) -> None:
        await sim.node("a")
        for name in ("a", "broker"):
            with pytest.raises(ConfigurationError, match="already"):
                await sim.node(name)
        with pytest.raises(AgentExists):
            await sim.node("b", agents=[Sensor(), Sensor()])

    Simulation().run(twice)


def test_a_node_starts_when_the_broker_does() -> None:
    async def late(sim: Simulation) -> None:
        await sim.node("a")
        sim.crash("broker")
        with pytest.raises(NotConnected):
            await sim.node("b")
        assert sim.now() == 10.0
        await sim.restart("broker")
        await sim.restart("b")

    Simulation().run(late)


def test_what_is_returned_comes_back() -> None:
    async def answer(sim: Simulation) -> int:
        await sim.sleep(1.5)
        return 42

    assert Simulation().run(answer) == 42


def test_logs_are_captured_with_their_virtual_time() -> None:
    class Talker(Agent):
        @every(2.0)
        async def talk(self, ctx: Context) -> None:
            ctx.log.warning("hello", number=ctx.rng.random())

    async def talk(sim: Simulation) -> None:
        await sim.node("a", agents=[Talker()])
        await sim.sleep(5.0)

    runs = [Simulation(seed=1), Simulation(seed=1)]
    for sim in runs:
        sim.run(talk)
    said = [entry for entry in runs[0].logs if entry["event"] == "hello"]
    assert [(entry["at_s"], entry["level"], entry["agent"]) for entry in said] == [
        (2.0, "warning", "talker"),
        (4.0, "warning", "talker"),
    ]
    assert list(runs[0].logs) == list(runs[1].logs)


def test_until_waits_for_a_condition() -> None:
    async def waits(sim: Simulation) -> None:
        heard = await sim.node("a", agents=[Thermostat(21.0)])
        await sim.node("b", agents=[Sensor()])
        await sim.until(lambda: heard.statistics().frames_received >= 3)
        assert 2.0 < sim.now() < 4.0
        with pytest.raises(SimulationFailed, match="not within 2 s"):
            await sim.until(lambda: False, timeout_s=2.0)

    Simulation().run(waits)


def test_a_frozen_node_is_late_and_loses_nothing() -> None:
    async def freeze(sim: Simulation) -> None:
        await sim.node("a", agents=[Thermostat(21.0)])
        b = await sim.node("b")
        sim.freeze("a")
        with pytest.raises(TimeoutError):
            await b.request(TargetRequest(), TargetReply, timeout_s=1.0)
        await b.publish(Reading(room="north", celsius=99.0), topic="hall.north")
        await sim.sleep(1.0)
        sim.thaw("a")
        await sim.sleep(0.1)
        assert len(sim.log.find("send", source="a", subject="Alarm")) == 1

    Simulation().run(freeze)


def test_the_log_is_bounded() -> None:
    from agentbus.testing import EventLog

    log = EventLog(lambda: 0.5, capacity=2)
    for number in range(5):
        log.record("note", "scenario", reason=str(number))
    assert str(log).splitlines() == [
        "3 events before these were dropped",
        "0.500000000 note scenario (3)",
        "0.500000000 note scenario (4)",
    ]
