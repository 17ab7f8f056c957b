"""A node with an identity: what it is, and that the rooms work in a realm."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import Int64Value

from agentbus import Node, every
from agentbus.context import Context
from agentbus.errors import ConfigurationError, NotConnected
from agentbus.membership import Membership, local
from agentbus.security import Credentials, Identity, KeyPair, RealmFile
from agentbus.security.renewing import RenewalConfig
from agentbus.storage import Bucket, CheckpointedAgent
from agentbus.transports.memory import MemoryBroker, MemoryTransport
from agentbus.transports.nats import NatsTransport
from tests.transports.nats_world import until

from .world import World


def test_a_node_is_its_identity(world: World) -> None:
    identity = world.identity("hall")
    for wrong in ({"realm": "elsewhere"}, {"name": "another"}):
        with pytest.raises(ConfigurationError, match="this identity is that of node 'hall' of realm 'plant'"):
            Node(identity=identity, **wrong)  # type: ignore[arg-type]


async def test_an_identity_connects_by_itself(world: World) -> None:
    with pytest.raises(ConfigurationError, match="not both"):
        Node(identity=world.identity("hall"), transport=MemoryTransport(MemoryBroker()))
    node = Node(identity=world.identity("hall"), realm="plant", name="hall")
    assert (node.name, node.subjects.realm, node.transport.url) == ("hall", "plant", f"tls://127.0.0.1:{world.port}")


async def test_its_wire_may_be_a_transport_of_ones_own(world: World, tmp_path: Path) -> None:
    class Wire(NatsTransport):
        """Tells more."""

    path = tmp_path / "hall.id"
    world.credentials("hall").save(path)
    async with world.enroller(), Node(identity=Identity.load(path, wire=Wire)) as node:
        assert isinstance(node.transport, Wire)
        await node.publish(Int64Value(value=1), durable=True)


async def test_credentials_of_another_node_are_not_taken(world: World) -> None:
    identity = world.identity("hall")
    with pytest.raises(ConfigurationError, match="not for node 'hall'"):
        await identity.take(world.credentials("another"))


def test_an_enrolment_of_another_key_is_not_loaded(world: World, tmp_path: Path) -> None:
    replace(world.credentials("hall"), pair=KeyPair.create()).save(tmp_path / "id")
    with pytest.raises(ConfigurationError, match="its enrolment is another's"):
        Credentials.load(tmp_path / "id")


def test_a_realm_is_kept_and_read(world: World) -> None:
    public = world.realm.public
    assert RealmFile.of_json(public.as_json()) == public
    assert set(public.issuers.values()) == {"agent", "approver", "enroller", "joiner", "observer", "operator"}
    with pytest.raises(ConfigurationError, match="not a realm"):
        RealmFile.of_json({"realm": "plant"})


async def test_a_realm_without_an_authority_is_a_configuration_error(world: World) -> None:
    held = world.credentials("hall")
    broken = Identity(replace(held, realm=replace(held.realm, ca="nonsense")))
    with pytest.raises(ConfigurationError, match="certificate authority"):
        Node(identity=broken)


async def test_the_systems_authorities_do_not_vouch_for_a_realm(world: World) -> None:
    held = world.credentials("hall")
    with pytest.raises(NotConnected, match="not trusted"):
        await Node(identity=Identity(replace(held, realm=replace(held.realm, ca="")))).start(timeout_s=2.0)


@pytest.mark.parametrize(
    "wrong", [{"at": 1.0}, {"jitter": 0.9}, {"retry_s": 0.0}, {"timeout_s": -1.0}, {"valid_s": -1}]
)
def test_renewals_that_can_not_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        RenewalConfig(**wrong)  # type: ignore[arg-type]


class Counter(CheckpointedAgent):
    """Counts, and keeps its count."""

    def __init__(self) -> None:
        self.count = 0

    @every(0.02)
    async def tick(self, ctx: Context) -> None:
        self.count += 1

    def snapshot(self) -> bytes:
        return str(self.count).encode()

    def restore(self, state: bytes) -> None:
        self.count = int(state)


async def test_an_agent_keeps_its_state_from_node_to_node(world: World) -> None:
    async with world.enroller():
        first, second = Counter(), Counter()
        async with world.node("n1", {"counter": first}, names=("counter",)):
            await until(lambda: first.count >= 5, "has counted")
        async with world.node("n2", {"counter": second}, names=("counter",)):
            assert second.count >= 5


async def test_membership_knows_who_is_there(world: World) -> None:
    views = [Membership(local()) for _ in range(3)]
    nodes = [world.node(f"n{index}", {"membership": view}) for index, view in enumerate(views)]
    for node in nodes:
        await node.start()
    try:
        for node in nodes:
            await until(lambda node=node: len(node.peers.alive()) == 3, "all three are known")  # type: ignore[misc]
            assert node.transport.statistics().errors == {}  # type: ignore[attr-defined]
    finally:
        await asyncio.gather(*(node.stop() for node in nodes))


async def test_a_bucket_is_watched_and_written_by_name(world: World) -> None:
    async with world.enroller(), world.node("hall", names=("door",)) as hall, world.node("gate") as gate:
        mine = await Bucket.open(hall.transport, "checkpoints", realm="plant")
        theirs = await Bucket.open(gate.transport, "checkpoints", realm="plant")
        seen: list[str] = []
        watching = asyncio.create_task(_watch(theirs, seen))
        await mine.put("door.a", b"1")
        await until(lambda: "door.a" in seen, "seen by the watch")
        watching.cancel()
        await asyncio.wait((watching,))


async def _watch(bucket: Bucket, seen: list[str]) -> None:
    async with bucket.watch() as watch:
        async for entry in watch:
            seen.append(entry.key)
