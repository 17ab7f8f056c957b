"""ADR-32: what any NATS client is told of an agent, as JSON, and from a live node."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from agentbus import Agent, Context, Node, every, on, rpc
from agentbus.discovery import AgentInfo, asked, describe, response, subjects
from agentbus.errors import HandlerFailed
from agentbus.statistics import AgentStatistics, Counters
from examples.climate.v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest

from .waiting import until
from .wire import wire

ASK = "default.to.hall.examples-climate-v1-TargetRequest"


class Thermostat(Agent):
    """Keeps a room at its target."""

    version = "1.2.3"

    def __init__(self, works: bool = True) -> None:
        self.works = works

    @on(Reading, topic="hall.*")
    async def regulate(self, reading: Reading, ctx: Context) -> None: ...

    @on(Alarm, topic="", queue="one")
    async def alarm(self, alarm: Alarm, ctx: Context) -> None: ...

    @rpc(TargetRequest, TargetReply)
    async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        if not self.works:
            raise ValueError("broken")
        return TargetReply(celsius=21)

    @every(30.0)
    async def report(self, ctx: Context) -> None: ...


INFO = AgentInfo(
    name="hall",
    id="n-hall-1f",
    node="n",
    realm="city",
    epoch=31,
    version="1.2.3",
    description="Keeps a room at its target.",
    started="2026-01-01T00:00:00Z",
    behaviors=Thermostat.behaviors,
)
STATISTICS = AgentStatistics(
    name="hall",
    state="running",
    restarts=2,
    queued=3,
    behaviors={
        "tell_target": Counters(
            received=12, handled=6, failed=1, refused=2, malformed=1, busy_s=0.5, last_error="E: x"
        ),
        "regulate": Counters(received=4, handled=4),
    },
)


def said(verb: str) -> dict[str, Any]:
    return json.loads(response(verb, INFO, STATISTICS))


@pytest.mark.parametrize("verb", ["PING", "INFO", "STATS"])
def test_every_answer_says_who_it_is(verb: str) -> None:
    body = said(verb)
    assert body["type"] == f"io.nats.micro.v1.{verb.lower()}_response"
    assert (body["name"], body["id"], body["version"]) == ("hall", "n-hall-1f", "1.2.3")
    assert re.fullmatch(r"[A-Za-z0-9_-]+", body["name"])
    assert all(isinstance(value, str) for value in body["metadata"].values())
    assert body["metadata"]["realm"] == "city"
    assert body["metadata"]["state"] == "running"


def test_ping_says_nothing_else() -> None:
    assert set(said("PING")) == {"name", "id", "version", "metadata", "type"}


def test_info_lists_the_endpoints_with_their_real_subjects_and_types() -> None:
    body = said("INFO")
    assert body["description"] == "Keeps a room at its target."
    (endpoint,) = body["endpoints"]
    assert endpoint == {
        "name": "tell_target",
        "subject": "city.to.hall.examples-climate-v1-TargetRequest",
        "queue_group": "hall",
        "metadata": {
            "request": "examples.climate.v1.TargetRequest",
            "reply": "examples.climate.v1.TargetReply",
            "any_subject": "city.any.examples-climate-v1-TargetRequest",
        },
    }
    assert json.loads(body["metadata"]["behaviors"]) == {
        "regulate": "on examples.climate.v1.Reading, topic hall.*",
        "alarm": "on examples.climate.v1.Alarm, topic none, queue one",
        "tell_target": "rpc examples.climate.v1.TargetRequest -> examples.climate.v1.TargetReply",
        "report": "every 30 s",
    }


def test_stats_has_what_the_record_asks_for() -> None:
    body = said("STATS")
    assert body["started"] == "2026-01-01T00:00:00Z"
    (endpoint,) = body["endpoints"]
    assert {key: endpoint[key] for key in endpoint if key != "data"} == {
        "name": "tell_target",
        "subject": "city.to.hall.examples-climate-v1-TargetRequest",
        "queue_group": "hall",
        "num_requests": 10,
        "num_errors": 4,
        "last_error": "E: x",
        "processing_time": 500_000_000,
        "average_processing_time": 50_000_000,
    }
    assert body["data"]["restarts"] == 2
    assert body["data"]["behaviors"]["regulate"]["data"]["handled"] == 4
    assert body["data"]["behaviors"]["regulate"]["average_processing_time"] == 0


def test_a_durable_behavior_is_described_as_such() -> None:
    class Billing(Agent):
        @on(Alarm, durable="billing")
        async def bill(self, alarm: Alarm, ctx: Context) -> None: ...

    assert describe(Billing.behaviors.on[0]) == "examples.climate.v1.Alarm, durable billing"


def test_six_subjects_are_listened_to() -> None:
    assert len(subjects()) == 6
    assert {asked(subject.replace(">", "hall")) for subject in subjects()} == {
        (verb, name, "") for verb in ("PING", "INFO", "STATS") for name in ("", "hall")
    }


@pytest.mark.parametrize("subject", ["$SRV", "$SRV.SCHEMA", "$SRV.PING.a.b.c", "X.PING", "$SRV.ping", ""])
def test_what_is_not_of_the_protocol_is_not_asked(subject: str) -> None:
    assert asked(subject) is None


async def test_a_live_agent_answers_the_three_questions(url: str) -> None:
    async with Node(url, name="n1", agents={"hall": Thermostat(), "attic": Thermostat()}) as node, wire(url) as bare:
        await node.request(TargetRequest(), TargetReply, to="hall")
        info = json.loads((await bare.ask("$SRV.INFO.hall", b"")).body)
        assert info["id"] == node.info("hall").id
        assert info["endpoints"][0]["subject"] == ASK
        stats = json.loads((await bare.ask(f"$SRV.STATS.hall.{info['id']}", b"")).body)
        assert stats["endpoints"][0]["num_requests"] == 1
        assert stats["endpoints"][0]["processing_time"] > 0
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", stats["started"])
        pings = bare.hear("_INBOX.pings")
        await bare.flush()
        bare.transport.send("$SRV.PING", b"", "_INBOX.pings")
        await until(lambda: len(pings) == 2)
        assert {json.loads(ping.body)["name"] for ping in pings} == {"hall", "attic"}


async def test_questions_to_others_are_not_answered(url: str) -> None:
    async with Node(url, agents={"hall": Thermostat()}), wire(url) as bare:
        answers = bare.hear("_INBOX.x")
        await bare.flush()
        for subject in ("$SRV.PING.attic", "$SRV.PING.hall.other-id", "$SRV.PING.a.b.c"):
            bare.transport.send(subject, b"", "_INBOX.x")
        bare.transport.send("$SRV.PING", b"")
        bare.transport.send("$SRV.PING.hall", b"", "_INBOX.x")
        await until(lambda: answers)
        await bare.flush()
        assert len(answers) == 1


async def test_errors_show_in_the_statistics(url: str) -> None:
    async with Node(url, agents={"hall": Thermostat(works=False)}) as node, wire(url) as bare:
        with pytest.raises(HandlerFailed, match="ValueError: broken"):
            await node.request(TargetRequest(), TargetReply, to="hall")
        await until(lambda: node.agent_statistics("hall").state == "running")
        stats = json.loads((await bare.ask("$SRV.STATS.hall", b"")).body)
        assert (stats["endpoints"][0]["num_errors"], stats["endpoints"][0]["last_error"]) == (1, "ValueError: broken")
        assert stats["data"]["restarts"] == 1


def test_policies_are_told_as_they_are_now() -> None:
    assert "policies" not in said("INFO")["metadata"]
    info = json.loads(response("INFO", replace(INFO, policies={"deliver": "hybrid 0.3"}), STATISTICS))
    assert json.loads(info["metadata"]["policies"]) == {"deliver": "hybrid 0.3"}
