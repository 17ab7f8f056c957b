"""`RealmCluster`: a realm's servers, killed and started again, and who may speak to them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import Int64Value

from agentbus import Node
from agentbus.errors import AgentBusError, ServerFailed
from agentbus.security import Credentials, Identity, KeyPair
from agentbus.security.enroller.service import Enroller
from agentbus.security.realm.folder import ENROLLER, RealmFolder, create
from agentbus.security.realm.issuing import Wanted
from agentbus.security.realm.permissions import Layout
from agentbus.testing import RealmCluster
from agentbus.testing.cluster import free_ports
from agentbus.transports.nats import NatsTransport


def realm_of(folder: Path, servers: int) -> RealmFolder:
    ports = free_ports(2 * servers if servers > 1 else 1)
    return create(folder / "realm", Layout(realm="plant"), now_s=int(time.time()), servers=servers, ports=ports)


def enroller(realm: RealmFolder) -> Node:
    identity = Identity(Credentials.load(realm.enroller / ENROLLER))
    return Node(identity=identity, agents={"enroller": Enroller(realm.enroller)})


def node(realm: RealmFolder, name: str) -> Node:
    pair = KeyPair.create()
    wanted = Wanted(key=pair.key, node=name, role="agent")
    return Node(identity=Identity(realm.enroll(pair, wanted, int(time.time()), 600)))


@pytest.mark.timeout(90)
async def test_a_realm_of_three_loses_the_leader_and_goes_on(tmp_path: Path) -> None:
    realm = realm_of(tmp_path, 3)
    log = "agentbus_plant_log"
    async with RealmCluster(realm) as cluster, enroller(realm), node(realm, "source") as source:
        assert [cluster.url_of(index) for index in range(3)] == list(realm.public.urls)
        await source.publish(Int64Value(value=1), durable=True, timeout_s=10.0)
        leader = await cluster.leader(log)
        cluster.kill(leader)
        assert leader not in cluster.running
        await source.publish(Int64Value(value=2), durable=True, timeout_s=20.0)
        assert await cluster.leader(log, timeout_s=20.0) != leader
        await cluster.restart(leader)
        assert cluster.running == (0, 1, 2)
    assert cluster.running == ()


async def test_a_realm_of_one_keeps_its_streams_and_lets_no_stranger_in(tmp_path: Path) -> None:
    realm = realm_of(tmp_path, 1)
    async with RealmCluster(realm) as cluster:
        stranger = NatsTransport(cluster.url.replace("tls://", "nats://"), name="stranger")
        with pytest.raises(AgentBusError):
            await stranger.connect(timeout_s=0.5)
        await stranger.close()
        async with enroller(realm):
            pass
        assert await cluster.leader("agentbus_plant_dead") == 0
        with pytest.raises(ServerFailed, match="plant_nowhere"):
            await cluster.leader("agentbus_plant_nowhere", timeout_s=0.5)
    async with RealmCluster(realm) as cluster:  # the same realm again: what is stored in it is left alone
        assert await cluster.leader("agentbus_plant_dead") == 0
        cluster.kill(0)
        with pytest.raises(ServerFailed, match="no server runs"):
            await cluster.leader("agentbus_plant_dead", timeout_s=0.1)
