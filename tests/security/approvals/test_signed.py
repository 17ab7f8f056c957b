"""Approvals in a realm of identities: people are asked only for what is signed, and are heard as who they are."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from agentbus import Node
from agentbus.errors import Busy
from agentbus.limits import Limits, Rate
from agentbus.security.approvals import Approvals
from agentbus.testing import Simulation
from examples.climate.v1.climate_pb2 import Reading, TargetReply
from tests.security.realm import guard
from tests.security.realms.conftest import world, worlds
from tests.security.realms.world import World
from tests.transports.nats_world import until
from tests.wire import wire

from .world import ANNA, Till, waiting

__all__ = ["world", "worlds"]  # fixtures

PAY = "city.to.till.examples-climate-v1-Reading"


async def test_people_are_not_asked_for_what_nobody_has_signed(url: str) -> None:
    agents = {"till": Till(), "approvals": Approvals([ANNA.public])}
    by = guard("shop", "till", "approvals")
    async with Node(url, realm="city", name="shop", agents=agents, guard=by) as shop, wire(url) as bare:
        refused = await bare.ask(PAY, Reading(celsius=5).SerializeToString())
        assert refused.headers["Agentbus-Error"] == "Unauthorized"
        assert shop.agent_statistics("till").queued == 0
        assert shop.agent_statistics("till").behaviors["pay"].refused == 1


def test_people_are_not_flooded_by_one_sender() -> None:
    async def scenario(sim: Simulation) -> None:
        limits = Limits(per_sender=Rate(per_s=0.01, burst=2))
        shop = await sim.node("shop", agents=[Till(), Approvals([ANNA.public])], limits=limits)
        client = await sim.node("client")
        calls = [asyncio.create_task(client.request(Reading(), TargetReply, to="till", timeout_s=5)) for _ in range(4)]
        await sim.sleep(1)
        assert len(await waiting(client)) == 2
        assert shop.agent_statistics("till").queued == 2
        await sim.sleep(9)
        failed = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(error, Busy) for error in failed) == 2

    Simulation(seed=1).run(scenario)


async def approve(*words: str) -> str:
    command = [sys.executable, "-m", "agentbus", "approve", *words, "--json"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=15)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_person_approves_with_the_identity_of_the_realm(world: World, tmp_path: Path) -> None:
    anna = tmp_path / "anna.id"
    world.credentials("anna", "approver", ("payments",)).save(anna)
    till = Till()
    agents = {"till": till, "approvals": Approvals(issuers=world.realm.public.issuers)}
    async with world.enroller(), world.node("shop", agents, names=("till", "approvals")), world.node("guest") as guest:
        paying = asyncio.create_task(guest.request(Reading(celsius=5), TargetReply, to="till", timeout_s=15))
        await until(lambda: guest.statistics().open_calls == 1, "the call", within_s=2.0)
        call = json.loads(await approve("ls", "--identity", str(anna)))
        assert (call["approval"], call["sender"], till.paid) == ("payments", "guest", [])
        await approve("yes", call["id"], "--identity", str(anna))
        assert (await paying).celsius == 5
