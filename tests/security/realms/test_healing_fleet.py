"""Membership, detection, healing and sharding in a realm: what honest agents do is denied and refused nowhere."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest

from agentbus import Agent, Node
from agentbus.detection import Detection, quorum_of
from agentbus.faults import LYING
from agentbus.healing import Healer, HealingConfig
from agentbus.membership import Membership
from agentbus.membership import local as fast
from agentbus.peers import PeerId, Standing
from agentbus.security import Identity
from agentbus.sharding import Journal, ShardJob, collect
from agentbus.sharding import local as shards
from agentbus.transports.nats import NatsTransport
from tests.sharding.world import Chain, batches, plain_loop
from tests.transports.nats_world import until

from .world import Worlds

JOB = ShardJob(name="chain", shards=4)
LIAR = "bob"
HOSTED = ("membership", "detection", "healer")


class Liar(Chain):
    """Tells another result than the one that it has found, but only of what is its own."""

    def step(self, state: bytearray, batch: bytes) -> bytes:
        result = super().step(state, batch)
        return b"wrong" if self.held else result


@dataclass
class Member:
    """One life of a node of the fleet."""

    node: Node
    worker: Chain
    healer: Healer
    identity: Identity

    @property
    def peers(self) -> set[str]:
        return {peer.node for peer in self.node.peers.alive()}

    @property
    def refused(self) -> int:
        return self.identity.guard.counters.refused

    @property
    def denied(self) -> int:
        transport = self.node.transport
        assert isinstance(transport, NatsTransport)
        return transport.statistics().errors.get("permission", 0)


def member(identity: Identity, work: type[Chain] = Chain) -> Member:
    name = identity.node
    healer = Healer(config=HealingConfig.local(faulty=1))
    worker = work(JOB, config=replace(shards(), liars=1), standing=healer)
    detection = Detection(quorum_of(1), reproducers={LYING: worker}, speaks_for=name)
    worker.accuse = detection.accuse
    agents: dict[str, Agent] = {
        "membership": Membership(fast()),
        "detection": detection,
        "healer": healer,
        name: worker,
    }
    return Member(Node(identity=identity, agents=agents), worker, healer, identity)


@pytest.mark.timeout(60)
async def test_a_fleet_works_convicts_a_liar_and_takes_a_second_life_back(worlds: Worlds) -> None:
    world = worlds(jobs=(JOB.name,))
    inputs = batches(80)
    async with world.enroller(), world.node("feeder", jobs=(JOB.name,)) as feeder, AsyncExitStack() as stack:
        held = {
            name: world.credentials(name, names=(*HOSTED, name), jobs=(JOB.name,))
            for name in ("ann", "bob", "cyd", "dan")
        }
        fleet = {name: member(Identity(held[name]), Liar if name == LIAR else Chain) for name in held}
        for each in fleet.values():
            await stack.enter_async_context(each.node)
        await until(lambda: all(each.peers == {*held} for each in fleet.values()), "all know all", within_s=15.0)
        await until(lambda: fleet[LIAR].worker.held, "the liar has something to lie about", within_s=15.0)
        journal = Journal(feeder.transport, "plant", JOB)
        for index, (shard, body) in enumerate(inputs):
            await journal.put(shard, body, message_id=f"{index}")

        liar = PeerId(LIAR, fleet[LIAR].node.epoch)
        honest = [each for name, each in fleet.items() if name != LIAR]

        def quarantined() -> bool:
            return all(each.healer.standing(liar) is Standing.QUARANTINED for each in honest)

        await until(quarantined, "the liar is in quarantine", within_s=20.0)
        right = plain_loop(inputs, JOB)
        found: list[bytes] = []
        async with asyncio.timeout(20.0):
            while found != right:
                found = (await collect(feeder.transport, JOB, realm="plant", liars=1)).results()

        await fleet[LIAR].node.stop()
        second = member(Identity(held[LIAR]))
        await stack.enter_async_context(second.node)
        await until(lambda: all(each.peers == {*held} for each in (*honest, second)), "it is back", within_s=15.0)
        assert Counter(each.identity.node for each in honest if each.refused) == Counter()
        for each in (*honest, second):
            await each.node.stop()
        denied = {each.identity.node: each.denied for each in (*fleet.values(), second)}
        assert denied == dict.fromkeys(denied, 0)
        assert "Violation" not in world.log
