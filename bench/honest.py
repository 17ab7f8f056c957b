"""Honest traffic on a bad wire, for `bench.security`: late, overtaken, delivered again, and the receiver dies."""

from __future__ import annotations

import asyncio

from agentbus import Node
from agentbus.testing import Simulation
from examples.bench.v1.bench_pb2 import Sample

from .attacks import REALM, Target, until
from .sides.signed import guard_of


def honest(attempts: int) -> tuple[int, int, str]:
    """Live frames that overtake one another, and durable ones that are delivered again, in a simulation; returns how
    many there were, how many were refused, and what is to be known of them."""
    simulation = Simulation(seed=11, limit_s=36_000.0)
    seen = [0]
    guards = {"hearing": guard_of(REALM, "hearing", "target", clock=lambda: 0.0)}

    async def scenario(sim: Simulation) -> int:
        def clock() -> float:
            return 946_684_800.0 + sim.now()

        names = ("speaking", "second")
        guards.update({name: guard_of(REALM, name, clock=clock, valid_s=10**6) for name in names})
        guards["hearing"] = guard_of(REALM, "hearing", "target", clock=clock, valid_s=10**6)
        await sim.node("hearing", realm=REALM, guard=guards["hearing"], agents={"target": Target(seen, 3)})
        speakers = [await sim.node(name, realm=REALM, guard=guards[name]) for name in names]
        sim.link(delay_s=(0.0, 0.02), reorder=0.2)
        live, durable = attempts * 4 // 5, attempts // 5
        for place in range(live // 2):
            for node in speakers:
                await node.publish(Sample(room="x", number=place), spread=True)
            if place % 50 == 0:
                await sim.sleep(0.005)
        await sim.until(lambda: seen[0] >= live // 2 * 2, timeout_s=60.0)

        async def store(node: Node) -> None:
            for place in range(durable // 2):
                await node.publish(Sample(room="x", number=place), durable=True)

        storing = asyncio.gather(*(store(node) for node in speakers))
        for _ in range(3):
            await sim.sleep(durable / 2 * 0.005)
            sim.crash("hearing")
            await sim.sleep(0.5)
            await sim.restart("hearing")
        await storing
        await sim.until(lambda: seen[0] >= live // 2 * 2 + durable // 2 * 2, timeout_s=600.0)
        return live // 2 * 2 + durable // 2 * 2

    frames = simulation.run(scenario)
    told = guards["hearing"].counters
    refused = sum(guard.counters.refused for guard in guards.values())
    note = f"{told.late:,} live ones overtaken, {told.again:,} durable ones delivered again, 3 crashes of the receiver"
    return frames, refused, note


async def honest_on(url: str, attempts: int) -> tuple[int, int, str]:
    """The same on a broker, without the reordering; the receiver is killed halfway."""
    seen = [0]
    guards = [guard_of(REALM, "hearing", "target"), guard_of(REALM, "speaking")]
    half = attempts // 2
    async with Node(url, realm=REALM, name="speaking", guard=guards[1]) as speaking:
        node = Node(url, realm=REALM, name="hearing", guard=guards[0], agents={"target": Target(seen, 3)})
        await node.start()
        for place in range(half):
            await speaking.publish(Sample(room="x", number=place), spread=True)
        await until(lambda: seen[0] >= half)
        for start in range(0, half, 50):
            stored = (speaking.publish(Sample(room="x", number=n), durable=True) for n in range(start, start + 50))
            await asyncio.gather(*stored)
            if start == half // 100 * 50:
                await node.abort()
                guards.append(guard_of(REALM, "hearing", "target"))
                node = Node(url, realm=REALM, name="hearing", guard=guards[-1], agents={"target": Target(seen, 3)})
                await node.start()
        try:
            await until(lambda: seen[0] >= 2 * half)
        finally:
            await node.stop()
    again = sum(guard.counters.again for guard in guards)
    refused = sum(guard.counters.refused for guard in guards)
    return 2 * half, refused, f"{again:,} durable ones delivered again, 1 crash of the receiver"
