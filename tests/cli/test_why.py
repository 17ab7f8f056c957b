"""``agentbus why``: what was decided about a job, wherever it was, and the newest jobs."""

from __future__ import annotations

import json
import shlex

import pytest

from agentbus import Node
from agentbus.cli.arguments import again
from agentbus.cli.decisions import read_decisions
from agentbus.cli.program import parse
from agentbus.decisions import KEPT, TOLD, Decisions, written
from agentbus.errors import NoBids
from examples.climate.v1.climate_pb2 import Reading
from tests.cli.commands import agentbus
from tests.cli.world import Courier
from tests.nats_server import NatsServer


async def test_who_bid_and_who_did_it(server: NatsServer, realm: str) -> None:
    where = ("--url", server.url, "--realm", realm)
    async with (
        Node(server.url, realm=realm, name="n1", agents={"anna": Courier()}),
        Node(server.url, realm=realm, name="n2", agents={"bert": Courier()}),
        Node(server.url, realm=realm, name="desk") as desk,
    ):
        deal = await desk.negotiate(Reading(), Reading, value=3.0, bid_window_s=2.0)
        with pytest.raises(NoBids):
            await desk.delegate(Reading(), Reading, value=0.5)
        ended = await agentbus("why", deal.job, *where, "--json")
        table = await agentbus("why", deal.job, *where)
        newest = await agentbus("why", *where)
        unknown = await agentbus("why", "desk:1:1", *where)
    assert ended.status == 0
    seen = [(entry["node"], entry["agent"], entry["what"]) for entry in ended.objects]
    won = deal.winners[0].agent
    assert {entry for entry in seen if entry[2] == "bid"} == {("n1", "anna", "bid"), ("n2", "bert", "bid")}
    assert {entry[1:] for entry in seen if entry[2] != "bid"} == {
        ("desk", "awarded"),
        (won, "took it"),
        ("desk", "done"),
    }
    bid = next(entry for entry in ended.objects if entry["what"] == "bid")
    assert bid["facts"] == {"behavior": "deliver", "value": 3.0, "cost": 1.0, "weight": 0.0, "bid": 1.0}
    head, *rows = table.out.splitlines()
    assert head.split() == ["TIME", "AGENT", "NODE", "DECISION", "BY"]
    assert len(rows) == len(ended.objects)
    assert any("anna.deliver" in row and "cost 1, weight 0, bid 1" in row for row in rows)
    assert [row.split()[2] for row in newest.out.splitlines()[1:]] == ["done", "not"]
    assert deal.job in newest.out
    assert "NoBids" in newest.out
    assert (unknown.status, "knows of job 'desk:1:1'" in unknown.err) == (1, True)


async def test_when_the_buyers_have_ended_it_names_a_job_to_ask_for(server: NatsServer, realm: str) -> None:
    async with Node(server.url, realm=realm, name="n1", agents={"anna": Courier()}):
        async with Node(server.url, realm=realm, name="desk") as desk:
            deal = await desk.negotiate(Reading(), Reading, bid_window_s=2.0)
        newest = await agentbus("why", "--url", server.url, "--realm", realm)
        text, _, command = newest.err.partition(" by its id: agentbus ")
        pasted = await agentbus(*shlex.split(command))
    assert (newest.status, "their buyers have ended" in text) == (1, True)
    assert (pasted.status, deal.job in command, "took it" in pasted.out) == (0, True, True)


def test_a_password_is_not_told_again() -> None:
    _, arguments = parse(["why", "--url", "nats://me:hidden@127.0.0.1:4222", "--realm", "a b"])
    assert again(arguments, "why", "x; rm") == "agentbus why 'x; rm' --realm 'a b'"


class _Log:
    def is_enabled_for(self, level: int) -> bool:
        return False


def test_what_is_kept_is_bounded_and_what_is_told_is_json() -> None:
    decisions = Decisions(lambda: 1_000_000)
    for number in range(KEPT + 10):
        facts = {"cost": float("nan"), "weight": object(), "reason": ValueError("x" * 1000)}
        decisions.note(_Log(), ("desk", 1, number), "anna", "refused", tuple(facts), tuple(facts.values()))  # type: ignore[arg-type]
    assert list(decisions.of("desk:1:9")) == []
    assert len(list(decisions.of(""))) == TOLD
    (entry,) = decisions.of("desk:1:10")
    told = json.loads(written("n1", entry))
    assert (told["job"], told["facts"]["cost"]) == ("desk:1:10", "nan")
    assert len(told["facts"]["reason"]) == 500


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[1]",
        b"{}",
        b'{"job":"a:1:1","node":"n","agent":"a","what":"bid","facts":{}}',
        b'{"job":"a:1:1","node":"n","agent":"a","what":"bid","facts":{},"at_us":1e300}',
        b'{"job":"a:1:1","node":"n","agent":"a","what":"bid","facts":{},"at_us":true}',
        b'{"job":"a:1:1","node":"n","agent":"a","what":"bid","facts":{},"at_us":-5}',
        b'{"job":"a:1:1","node":"n","agent":"a","what":"bid","facts":[],"at_us":5}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_decision_is_left_out(body: bytes) -> None:
    good = b'{"job":"a:1:1","node":"n","agent":"a","what":"bid","facts":{},"at_us":5}'
    assert [entry["at_us"] for entry in read_decisions([body, good])] == [5]
