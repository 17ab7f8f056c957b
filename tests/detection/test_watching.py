"""Agents that watch one another, in a simulation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from agentbus import Agent, Context, Node, PeerId, rpc
from agentbus.detection import Measured, WatchConfig, quorum_of
from agentbus.errors import AgentBusError
from agentbus.faults import ERRING, SILENT, SLOW, Fault
from agentbus.testing import Simulation
from examples.climate.v1.climate_pb2 import TargetReply, TargetRequest

from .fleet import Fleet

WATCH = WatchConfig(probe_s=0.5, silent_s=4.0)


class Worker(Agent):
    """Takes `pace_s` to answer, and fails with probability `errors`."""

    def __init__(self, pace_s: list[float], errors: list[float]) -> None:
        self.pace_s = pace_s
        self.errors = errors

    @rpc(TargetRequest, TargetReply, concurrency=8)
    async def tell(self, request: TargetRequest, ctx: Context) -> TargetReply:
        await asyncio.sleep(self.pace_s[0] * ctx.rng.uniform(0.8, 1.2))
        if ctx.rng.random() < self.errors[0]:
            raise Refusal("no")
        return TargetReply(celsius=1.0)


class Refusal(AgentBusError):
    """On purpose."""


class Yard(Fleet):
    """A fleet whose every node has a worker that is kept busy."""

    def __init__(self, sim: Simulation, size: int = 6) -> None:
        super().__init__(sim, quorum_of(1, watch=WATCH))
        self.size = size
        self.pace = [[0.02] for _ in range(size)]
        self.errors = [[0.0] for _ in range(size)]

    async def open(self) -> None:
        for number in range(self.size):
            worker = Worker(self.pace[number], self.errors[number])
            await self.add(f"n-{number}", more={f"worker-{number}": worker})
        await self.settle()


def faults(fleet: Fleet) -> set[tuple[str, str]]:
    return {(fault.kind, fault.agent) for _, fault, _ in fleet.heard}


def test_a_worker_that_becomes_slow_is_found_by_all() -> None:
    async def scenario(sim: Simulation) -> None:
        yard = Yard(sim)
        await yard.open()
        await keep_busy(yard, 6.0)
        assert faults(yard) == set()
        yard.pace[3][0] = 0.4
        await keep_busy(yard, 5.0)
        assert faults(yard) == {(SLOW, "worker-3")}
        assert yard.all_told(SLOW, "n-3")
        assert all(len(heard[0].witnesses) >= 2 for heard in yard.told(SLOW).values())

    Simulation(1, limit_s=100).run(scenario)


def test_workers_that_are_slow_together_accuse_nobody() -> None:
    async def scenario(sim: Simulation) -> None:
        yard = Yard(sim)
        await yard.open()
        await keep_busy(yard, 6.0)
        for pace in yard.pace:
            pace[0] = 0.4
        await keep_busy(yard, 6.0)
        assert faults(yard) == set()

    Simulation(2, limit_s=100).run(scenario)


def test_a_worker_that_fails_is_found() -> None:
    async def scenario(sim: Simulation) -> None:
        yard = Yard(sim)
        await yard.open()
        yard.errors[5][0] = 0.9
        await keep_busy(yard, 6.0)
        assert (ERRING, "worker-5") in faults(yard)
        assert {agent for _, agent in faults(yard)} == {"worker-5"}

    Simulation(3, limit_s=100).run(scenario)


def test_a_node_alive_that_says_nothing_is_silent_in_the_name_of_whom_it_speaks_for() -> None:
    async def scenario(sim: Simulation) -> None:
        yard = Yard(sim)
        yard.speaks_for = "ear"
        await yard.open()
        await sim.sleep(2.0)
        await yard.nodes["n-2"].remove("detection")
        await sim.sleep(WATCH.silent_s - 1.0)
        assert faults(yard) == set()
        await sim.sleep(3.0)
        told = {node: [(fault.kind, fault.agent, fault.node) for fault in heard] for node, heard in told_of(yard)}
        assert told == {name: [(SILENT, "ear", "n-2")] for name in yard.nodes if name != "n-2"}

    Simulation(4, limit_s=100).run(scenario)


def told_of(yard: Yard) -> list[tuple[str, list[Fault]]]:
    return [(node, heard) for node, heard in yard.told(SILENT).items() if node != "n-2"]


def test_an_observer_with_a_bad_link_accuses_nobody_and_is_not_blamed() -> None:
    async def scenario(sim: Simulation) -> None:
        yard = Yard(sim)
        await yard.open()
        await sim.sleep(4.0)
        sim.link("n-5", delay_s=(0.15, 0.25))
        await sim.sleep(8.0)
        assert {agent for kind, agent in faults(yard) if kind != SLOW} == set()
        assert {fault.node for _, fault, _ in yard.heard} <= {"n-5"}

    Simulation(5, limit_s=100).run(scenario)


class Backlogs:
    """Gauges: what every observer knows of everybody's backlog."""

    def __init__(self) -> None:
        self.nodes: dict[str, PeerId] = {}
        self.late = ""

    def measured(self) -> Iterable[Measured]:
        for node, agent in self.nodes.items():
            yield Measured(agent, node, "backlog", 9.0 if node == self.late else 0.2, "shards", SLOW, 0.5)


def test_what_the_application_measures_is_compared_too() -> None:
    async def scenario(sim: Simulation) -> None:
        backlogs = Backlogs()
        yard = Yard(sim)
        yard.gauges = (backlogs,)
        await yard.open()
        backlogs.nodes = {name: PeerId(f"worker-{name[2:]}", node.epoch) for name, node in yard.nodes.items()}
        await sim.sleep(4.0)
        assert faults(yard) == set()
        backlogs.late = "n-4"
        await sim.sleep(4.0)
        assert faults(yard) == {(SLOW, "worker-4")}

    Simulation(6, limit_s=100).run(scenario)


async def keep_busy(yard: Yard, seconds: float) -> None:
    """Each node asks its own worker five times a second, without waiting for answers in between."""
    until = yard.sim.now() + seconds

    async def ask(number: int, node: Node) -> None:
        while yard.sim.now() < until:
            with suppress(AgentBusError):
                await node.request(TargetRequest(), TargetReply, to=f"worker-{number}", timeout_s=2.0)
            await asyncio.sleep(0.2)

    await asyncio.gather(*(ask(number, node) for number, node in enumerate(yard.nodes.values())))
