"""``agentbus heal``: the log of what was done and why; what would be done; wrong words."""

from __future__ import annotations

import pytest

from agentbus import Node
from agentbus.cli.program import main
from agentbus.faults import LYING, SLOW, Fault
from agentbus.healing import Healer, HealingConfig
from agentbus.membership import Membership, local
from tests.cli.commands import agentbus, line, running
from tests.nats_server import NatsServer
from tests.waiting import until


def node(server: NatsServer, realm: str, name: str) -> Node:
    healer = Healer(config=HealingConfig(faulty=1, max_share=0.5))
    return Node(server.url, realm=realm, name=name, agents=[Membership(local()), healer])


def healer_of(node: Node) -> Healer:
    agent = node.cells["healer"].agent
    assert isinstance(agent, Healer)
    return agent


async def test_the_log_says_what_was_done_and_why(server: NatsServer, realm: str) -> None:
    async with node(server, realm, "one") as one, node(server, realm, "two") as two, node(server, realm, "three"):
        await until(lambda: len(one.peers.alive()) == len(two.peers.alive()) == 6)
        fault = Fault(kind=LYING, agent="w", node="three", reason="segment 7 is wrong", witnesses=["one", "two"])
        await one.publish(fault, topic="one")
        await two.publish(fault, topic="two")

        await until(lambda: all(healer_of(one).beliefs() and not healer_of(one)._journal for one in (one, two)))
        told = await agentbus("heal", "log", "--url", server.url, "--realm", realm, "--json")
        table = await agentbus("heal", "log", "--url", server.url, "--realm", realm)
        async with running("heal", "log", "--follow", "--json", "--url", server.url, "--realm", realm) as follower:
            first = await line(follower.stdout)
    quarantines = [step for step in told.objects if step["action"] == "quarantine" and step["by"] in ("one", "two")]
    assert {(step["agent"], step["node"], step["outcome"]) for step in quarantines} == {
        ("w", "three", "refused from now on")
    }
    assert quarantines[0]["witnesses"] == ["one", "two"]
    assert quarantines[0]["reason"] == "segment 7 is wrong"
    assert quarantines[0]["rule"] == "Policy.lying"
    head, *rows = table.out.splitlines()
    assert head.split() == ["TIME", "AGENT", "NODE", "FAULT", "ACTION", "OUTCOME", "REASON", "WITNESSES", "BY", "AFTER"]
    refused = [row for row in rows if "quarantine" in row]
    assert len(refused) == 1
    assert " +" in refused[0]
    assert '"fault": "lying/w@three/' in first


async def test_a_dry_run_says_what_would_be_done_and_changes_nothing(server: NatsServer, realm: str) -> None:
    async with node(server, realm, "one") as one, node(server, realm, "two"), node(server, realm, "three"):
        await until(lambda: len(one.peers.alive()) == 6)
        words = ("heal", "dry-run", "--agent", "w", "--node", "two", "--url", server.url, "--realm", realm)
        lying = await agentbus(*words, "--fault", LYING, "--json")
        every = await agentbus(*words)
        assert healer_of(one).beliefs() == []
    assert [step["action"] for step in lying.objects] == ["quarantine", "rehost", "restart"]
    assert lying.objects[0]["outcome"] == "would be done by every node"
    assert lying.objects[2]["outcome"] in ("would be done by one", "would be done by three")
    assert {row.split()[0] for row in every.out.splitlines()[1:]} >= {LYING, SLOW, "failed", "false-accuser"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("dry-run",), "whose fault"),
        (("dry-run", "--agent", "w", "--follow"), "--follow goes with log"),
        (("log", "--fault", LYING), "go with dry-run"),
    ],
)
def test_words_that_do_not_go_together_are_told(
    words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["heal", *words]) == 2
    assert why in capsys.readouterr().err


async def test_where_no_healer_is_that_is_told(server: NatsServer, realm: str) -> None:
    ended = await agentbus("heal", "dry-run", "--agent", "w", "--url", server.url, "--realm", realm)
    assert (ended.status, ended.out) == (1, "")
    assert "NoResponders" in ended.err
