"""What fails a run, and that its text says where, and how to replay it."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from agentbus import Agent, Context, every, on, rpc
from agentbus.errors import AgentBusError, HandlerFailed
from agentbus.testing import (
    BackgroundFailed,
    NotSimulated,
    Simulation,
    SimulationDeadlock,
    SimulationFailed,
    SimulationStalled,
    SimulationTimeout,
    TasksLeft,
)
from examples.climate.v1.climate_pb2 import Reading, TargetReply, TargetRequest

from .world import Sensor, Thermostat

HERE = __file__


def line_of(text: str) -> int:
    """The number of the only line of this file that has this text as its comment."""
    with open(HERE, encoding="utf-8") as file:
        numbers = [number for number, line in enumerate(file, 1) if line.rstrip().endswith(f"# {text}")]
    assert len(numbers) == 1
    return numbers[0]


async def inner(event: asyncio.Event) -> None:
    await event.wait()  # waits for ever


def test_a_deadlock_names_the_waiting_line() -> None:
    async def stuck(sim: Simulation) -> None:
        class Quiet(Agent):
            @on(Reading)
            async def hear(self, reading: Reading, ctx: Context) -> None: ...

        await sim.node("a", agents=[Quiet()])
        other = asyncio.create_task(inner(asyncio.Event()), name="other")
        await sim.sleep(5.0)
        await inner(asyncio.Event())
        await other

    with pytest.raises(SimulationDeadlock) as caught:
        Simulation(seed=13).run(stuck)
    text = str(caught.value)
    assert f"scenario: {HERE}:{line_of('waits for ever')} in inner" in text
    assert "other: " in text
    assert "at 5.000000 s" in text
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, AgentBusError)
    assert "Simulation(seed=13).run" in caught.value.__notes__[0]


def test_the_limit_names_what_waits_though_others_tick() -> None:
    async def stuck(sim: Simulation) -> None:
        await sim.node("a", agents=[Sensor()])
        await asyncio.gather(sim.sleep(1.0), asyncio.Event().wait())  # gathers for ever

    with pytest.raises(SimulationTimeout) as caught:
        Simulation(limit_s=100.0).run(stuck)
    text = str(caught.value)
    assert "limit_s=100 is reached" in text
    assert f"scenario: {HERE}:{line_of('gathers for ever')}" in text
    assert "sensor.measure: " in text
    assert "limit_s=100.0" in caught.value.__notes__[0]


def test_time_that_stands_still_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentbus.testing.virtual_time.MAX_TURNS", 10_000)

    async def spins(sim: Simulation) -> None:
        for _ in itertools.count():
            await asyncio.sleep(0)  # spins

    with pytest.raises(SimulationStalled, match=f":{line_of('spins')} in "):
        Simulation().run(spins)


def test_a_failure_keeps_its_type_and_is_told_how_to_replay_it() -> None:
    async def fails(sim: Simulation) -> None:
        await sim.node("a", agents=[Thermostat(21.0)])
        await sim.sleep(2.5)
        sim.note("about to fail")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        Simulation(seed=99).run(fails)
    note = caught.value.__notes__[0]
    assert "seed=99, at 2.500000 s of virtual time; to replay it: Simulation(seed=99).run(...)" in note
    assert "note scenario (about to fail)" in note


def test_an_exception_that_nobody_saw_fails_the_run() -> None:
    async def background(sim: Simulation) -> None:
        async def fails() -> None:
            raise OSError("unseen")

        task = asyncio.create_task(fails(), name="forgotten")
        await sim.sleep(1.0)
        del task

    with pytest.raises(BackgroundFailed, match=r"never retrieved \(forgotten\): OSError: unseen") as caught:
        Simulation().run(background)
    assert isinstance(caught.value.__cause__, OSError)


def test_a_callback_that_raises_fails_the_run() -> None:
    async def background(sim: Simulation) -> None:
        asyncio.get_running_loop().call_later(0.5, {}.__getitem__, "missing")
        await sim.sleep(1.0)

    with pytest.raises(BackgroundFailed, match="KeyError: 'missing'"):
        Simulation().run(background)


def test_tasks_that_outlive_the_scenario_are_named() -> None:
    async def leaves(sim: Simulation) -> None:
        sim.kept = asyncio.create_task(inner(asyncio.Event()), name="forgotten")  # type: ignore[attr-defined]

    with pytest.raises(TasksLeft, match=rf"forgotten: .*:{line_of('waits for ever')} in inner"):
        Simulation().run(leaves)


def test_a_task_that_refuses_to_be_cancelled_does_not_hang_the_run() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(1000.0)
            except asyncio.CancelledError:
                continue

    async def leaves(sim: Simulation) -> None:
        sim.kept = asyncio.create_task(stubborn(), name="stubborn")  # type: ignore[attr-defined]

    with pytest.raises(TasksLeft, match="stubborn"):
        Simulation().run(leaves)


def test_an_assertion_in_a_behavior_fails_the_run() -> None:
    class Checks(Agent):
        @every(1.0)
        async def check(self, ctx: Context) -> None:
            assert ctx.now() < 3.0, "too late"

    async def passes(sim: Simulation) -> None:
        await sim.node("a", agents=[Checks()])
        await sim.sleep(5.0)

    with pytest.raises(BackgroundFailed, match=r"checks\.check failed an assertion: AssertionError: too late"):
        Simulation().run(passes)


def test_other_failures_of_behaviors_are_supervisions_business() -> None:
    class Fails(Agent):
        @rpc(TargetRequest, TargetReply)
        async def tell(self, request: TargetRequest, ctx: Context) -> TargetReply:
            raise OSError("no sensor")

    async def passes(sim: Simulation) -> None:
        node = await sim.node("a", agents=[Fails()])
        with pytest.raises(HandlerFailed, match="no sensor"):
            await node.request(TargetRequest(), TargetReply)

    Simulation().run(passes)


def test_a_thread_in_a_behavior_is_named_although_supervision_resumes() -> None:
    class Threads(Agent):
        @every(1.0)
        async def compute(self, ctx: Context) -> None:
            await asyncio.to_thread(print)

    async def passes(sim: Simulation) -> None:
        await sim.node("a", agents=[Threads()])
        await sim.sleep(5.0)

    with pytest.raises(NotSimulated, match=r"a thread .*print"):
        Simulation().run(passes)


def test_what_is_found_beside_a_failure_is_noted() -> None:
    async def fails(sim: Simulation) -> None:
        asyncio.get_running_loop().call_soon({}.__getitem__, "beside")
        await sim.sleep(1.0)
        raise ValueError("the failure")

    with pytest.raises(ValueError, match="the failure") as caught:
        Simulation().run(fails)
    assert "KeyError('beside')" in caught.value.__notes__[0]


def test_all_findings_are_of_one_kind() -> None:
    for kind in (SimulationDeadlock, SimulationTimeout, SimulationStalled, BackgroundFailed, TasksLeft):
        assert issubclass(kind, SimulationFailed)


def test_a_tests_own_timeout_in_a_callback_ends_the_run() -> None:
    class Enough(BaseException):
        """As pytest's outcomes are."""

    def stop() -> None:
        raise Enough

    async def goes_on(sim: Simulation) -> None:
        asyncio.get_running_loop().call_later(3.0, stop)
        while True:
            await sim.sleep(1.0)

    sim = Simulation()
    with pytest.raises(Enough):
        sim.run(goes_on)
    assert sim.now() < 5.0
