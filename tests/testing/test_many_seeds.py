"""A thousand histories: the promises of durable work and of live order hold in each, and a broken agent is found."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from agentbus import Agent, Context, every, on
from agentbus.errors import NotConnected, StorageFailed
from agentbus.testing import Simulation
from examples.climate.v1.climate_pb2 import Alarm, Reading

from .world import Biller, CarelessBiller

SEEDS = 1000
Make = Callable[[list[tuple[str, str]]], Agent]


class Source(Agent):
    """Counts to 15, aloud."""

    def __init__(self) -> None:
        self.count = 0

    @every(0.3, jitter=0.5)
    async def tell(self, ctx: Context) -> None:
        if self.count < 15:
            self.count += 1
            with suppress(NotConnected):
                await ctx.publish(Reading(room=str(ctx.epoch), celsius=self.count))


class Listener(Agent):
    """Hears the counting."""

    def __init__(self, heard: list[tuple[str, float]]) -> None:
        self.heard = heard

    @on(Reading)
    async def hear(self, reading: Reading, ctx: Context) -> None:
        self.heard.append((reading.room, reading.celsius))


def history(seed: int, make: Make) -> None:
    """Two seconds of faults, drawn from the seed, then peace; raises AssertionError when a promise is broken."""
    done: list[tuple[str, str]] = []
    heard: list[tuple[str, float]] = []
    stored: list[str] = []

    async def scenario(sim: Simulation) -> None:
        await sim.node("one", agents=[make(done), Source()])
        await sim.node("two", agents=[make(done), Listener(heard)])
        buyer = await sim.node("buyer")
        sim.link(delay_s=(0.0, 0.05), loss=0.05, duplicate=0.02)
        for number in range(4):
            fault = sim.rng.choice(("crash", "broker", "partition", "none"))
            if fault == "broker":
                sim.crash("broker")
            elif fault == "partition":
                sim.partition({"one"}, {"two", "broker"})
            with suppress(StorageFailed, NotConnected):
                await buyer.publish(Alarm(room=f"r{number}"), durable=True, timeout_s=sim.rng.uniform(0.2, 1.0))
                stored.append(f"r{number}")
            await sim.sleep(sim.rng.uniform(0.0, 0.4))
            sim.heal()
            if fault == "broker":
                await sim.restart("broker")
                await sim.sleep(0.5)
            elif fault == "crash":
                sim.crash("one")
                sim.link()
                await sim.restart("one")
                sim.link(delay_s=(0.0, 0.05), loss=0.05, duplicate=0.02)
        sim.link()
        await sim.sleep(8.0)

    sim = Simulation(seed)
    sim.run(scenario)
    assert {room for room, _ in done} >= set(stored), f"seed {seed}: acknowledged to the publisher, and never done"
    for epoch in {epoch for epoch, _ in heard}:
        numbers = [number for of, number in heard if of == epoch]
        assert numbers == sorted(numbers), f"seed {seed}: live messages of one sender out of order"
    acknowledged = {event.reason for event in sim.log.find("settle") if event.reason.endswith(" ack")}
    assert len(acknowledged) <= len({room for room, _ in done}), f"seed {seed}: acknowledged before it was done"


def test_a_thousand_seeds_keep_the_promises() -> None:
    for seed in range(SEEDS):
        history(seed, Biller)


def test_a_broken_agent_is_found_within_a_few_seeds() -> None:
    def hunt() -> None:
        for seed in range(50):
            history(seed, CarelessBiller)

    with pytest.raises(AssertionError, match=r"never done|before it was done"):
        hunt()
