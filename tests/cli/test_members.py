"""``agentbus members``: who is alive, as a node believes; its table, its JSON, its errors."""

from __future__ import annotations

import time
from datetime import datetime

from agentbus import Node
from agentbus.membership import Membership, local
from tests.cli.commands import agentbus
from tests.cli.world import Thermostat
from tests.nats_server import NatsServer
from tests.waiting import until


async def test_nodes_are_shown_with_their_agents(server: NatsServer, realm: str) -> None:
    one = Node(server.url, realm=realm, name="one", agents=[Membership(local()), Thermostat(21.0)])
    two = Node(server.url, realm=realm, name="two", agents=[Membership(local())])
    async with one:
        async with two:
            await until(lambda: len(one.peers.alive()) == len(two.peers.alive()) == 3)
            ended = await agentbus("members", "--url", server.url, "--realm", realm, "--json", "--seen-by", "two")
            table = await agentbus("members", "--url", server.url, "--realm", realm)
        await until(lambda: len(one.peers.alive()) == 2)
        after = await agentbus("members", "--url", server.url, "--realm", realm, "--json")
    assert ended.status == 0
    first, second = ended.objects
    assert (first["node"], first["state"], first["epoch"]) == ("one", "alive", one.epoch)
    assert (second["node"], second["state"], second["epoch"]) == ("two", "alive", two.epoch)
    assert first["agents"] == ["membership", "thermostat"]
    assert second["agents"] == ["membership"]
    assert abs(datetime.fromisoformat(first["since"]).timestamp() - time.time()) < 60.0
    head, *rows = table.out.splitlines()
    assert head.split() == ["NODE", "STATE", "SINCE", "INCARNATION", "AGENTS", "ACCUSED", "BY"]
    assert [(row.split()[0], row.split()[1]) for row in rows] == [("one", "alive"), ("two", "alive")]
    assert [(member["node"], member["state"]) for member in after.objects] == [("one", "alive"), ("two", "left")]


async def test_where_nobody_runs_membership_that_is_said(server: NatsServer, realm: str) -> None:
    ended = await agentbus("members", "--url", server.url, "--realm", realm)
    assert (ended.status, ended.out) == (1, "")
    assert "NoResponders" in ended.err


async def test_a_node_that_is_not_there_is_named(server: NatsServer, realm: str) -> None:
    async with Node(server.url, realm=realm, name="one", agents=[Membership(local())]):
        ended = await agentbus("members", "--url", server.url, "--realm", realm, "--seen-by", "three")
    assert ended.status == 1
    assert "'three'" in ended.err
    assert "ask one of one" in ended.err
