"""Revoking: the operator's act cuts a connected node off, in a realm of one server and in a cluster."""

from __future__ import annotations

import asyncio
import time

import pytest

from agentbus import Node
from agentbus.errors import NotConnected, Refused, Unauthorized
from agentbus.security import Credentials, Identity
from agentbus.security.realm.pushing import push
from agentbus.security.renewing import RenewalConfig, renewed
from tests.transports.nats_world import until

from .world import World, Worlds, raises

WITHIN_S = 5.0


async def _revoke(world: World, credentials: Credentials) -> list[str]:
    now_s = int(time.time())
    return await push(world.realm, world.realm.revoke(credentials.pair.public, now_s), now_s)


async def test_a_connected_node_is_cut_off_and_told(world: World) -> None:
    bad = world.identity("bad")
    async with Node(identity=bad) as node, world.node("good") as good:
        began = time.monotonic()
        assert await _revoke(world, bad.credentials) == ["plant-1"]
        await until(lambda: not node.transport.connected, "cut off", within_s=WITHIN_S)
        assert time.monotonic() - began < WITHIN_S
        await until(lambda: raises(node, Unauthorized), "typed")
        with pytest.raises(Unauthorized, match="refuses this identity"):
            node.transport.send("plant.ev.x", b"")
        assert good.transport.connected
        with pytest.raises(Unauthorized):
            async with Node(identity=Identity(bad.credentials)):
                pass
    world.stop()
    world.start()
    with pytest.raises(Unauthorized):  # also after the server was started again
        async with Node(identity=Identity(bad.credentials)):
            pass


async def test_in_a_cluster_on_whichever_server(worlds: Worlds) -> None:
    world = worlds(servers=3)
    nodes: list[Node] = []
    urls = world.realm.public.urls
    try:
        for number, url in enumerate(urls):
            node = Node(url, identity=world.identity(f"bad{number}"))
            nodes.append(node)
            await node.start()
        took: list[float] = []
        for node in nodes:
            identity = node._identity
            assert isinstance(identity, Identity)
            began = time.monotonic()
            assert await _revoke(world, identity.credentials) == ["plant-1", "plant-2", "plant-3"]
            await until(lambda node=node: not node.transport.connected, "cut off", within_s=WITHIN_S)  # type: ignore[misc]
            took.append(time.monotonic() - began)
        assert max(took) < WITHIN_S
    finally:
        for node in nodes:
            await node.stop()


async def test_an_enroller_gives_nothing_to_who_is_revoked(world: World) -> None:
    async with world.enroller():
        bad = world.identity("bad")
        async with Node(identity=bad) as node:
            now_s = int(time.time())
            world.realm.revoke(bad.credentials.pair.public, now_s)  # not pushed: the servers do not know of it
            with pytest.raises(Refused, match="has been revoked"):
                await renewed(node, bad.credentials, time.time())


async def test_a_renewal_after_a_revocation_is_told_as_what_it_is(world: World) -> None:
    async with world.enroller():
        bad = Identity(world.credentials("bad", valid_s=3), renewal=RenewalConfig(at=0.4, jitter=0.1, retry_s=0.2))
        async with Node(identity=bad) as node:
            await _revoke(world, bad.credentials)
            await until(lambda: not node.transport.connected, "cut off", within_s=WITHIN_S)
            await asyncio.sleep(2.0)
            assert bad.renewals == 0
            assert not node.transport.connected


async def test_pushing_to_nobody(worlds: Worlds) -> None:
    world = worlds()
    world.stop()
    with pytest.raises(NotConnected):
        await push(world.realm, world.realm.account_jwt(int(time.time())), int(time.time()), timeout_s=0.5)


async def test_a_server_takes_no_account_of_another_operator(world: World, worlds: Worlds) -> None:
    other = worlds()
    foreign = other.realm.account_jwt(int(time.time()))
    with pytest.raises((Unauthorized, NotConnected)):
        await push(world.realm, foreign, int(time.time()), timeout_s=1.0)
