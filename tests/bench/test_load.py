"""The load test, run for real: totals, losses, omission that is not coordinated, and who was the limit."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import nats
import pytest

from bench.load import __main__ as command
from bench.load import report
from bench.load.conductor import Result, conduct
from bench.load.settings import PATTERNS, Pattern, Settings
from bench.load.verdict import GeneratorStrain, TargetStrain
from bench.processes import child

SHORT = Settings(realm="load-test", agents=3, rate=400.0, payload=200, duration_s=0.8)
STALL_S = 0.6


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("processes", [0, 1, 2], ids=["memory", "one process", "two processes"])
async def test_every_message_is_accounted_for(pattern: Pattern, processes: int, bench_server: str) -> None:
    url = bench_server if processes else "memory://"
    result = await conduct(replace(SHORT, url=url, pattern=pattern, processes=max(1, processes)))
    assert result.due == 320
    assert result.sent == result.distinct == result.delivered == 320
    assert result.lost == 0
    assert not result.failures
    assert result.discrepancies() == []
    assert result.since_due.count == result.since_sent.count == 320
    assert abs(result.bytes - 200) <= 4
    assert sum(result.seconds.values()) == 320


async def test_a_stall_of_the_agents_shows_for_every_message_that_it_delayed(bench_server: str) -> None:
    asked = replace(
        SHORT, url=bench_server, pattern="request", duration_s=2.0, in_flight=4, stall_at_s=0.5, stall_s=STALL_S
    )
    result = await conduct(asked)
    # With four under way at most, only four messages were sent before the stall was over, of a quarter that it delayed.
    assert result.since_due.at(90) > STALL_S / 4
    assert result.since_due.at(100) >= STALL_S * 0.95
    assert result.since_sent.at(90) < result.since_due.at(90) / 2
    assert result.sent == result.answered + result.lost + sum(result.failures.values())


async def test_a_generator_that_is_too_slow_is_named_as_the_limit(bench_server: str) -> None:
    result = await conduct(replace(SHORT, url=bench_server, pattern="request", generator_work_s=0.01))
    assert result.sent < result.due
    assert result.limit.who == "generator"
    assert "the generator, not the server, was the limit" in result.limit.text.lower()


async def test_requests_to_nobody_are_counted_by_their_error(bench_server: str) -> None:
    options = {**replace(SHORT, url=bench_server, pattern="request").options(), "realm": "nobody"}
    async with child("bench.load.roles:generate", {"settings": options, "place": 0}) as generator:
        await generator.expect("ready")
        generator.tell(start_s=time.monotonic())
        while (told := await generator.hear())["word"] == "progress":
            pass
    assert told["failures"].keys() == {"NoResponders"}
    assert told["sent"] == sum(told["failures"].values())
    assert told["answered"] == 0


async def test_streams_are_deleted_afterwards(bench_server: str) -> None:
    await conduct(replace(SHORT, url=bench_server, pattern="durable", rate=100.0))
    client = await nats.connect(bench_server)
    assert await client.jetstream().streams_info() == []
    await client.close()


async def test_as_fast_as_possible_has_no_schedule(bench_server: str) -> None:
    result = await conduct(replace(SHORT, url=bench_server, pattern="request", rate=0.0, duration_s=0.5))
    assert result.sent == result.due == result.answered > 64
    assert result.limit.who != "nothing"


def test_totals_that_do_not_add_up_are_told() -> None:
    result = Result(replace(SHORT, pattern="request"), sent=10, answered=7, received=6, distinct=6, open=1)
    result.failures["Busy"] = 1
    assert result.discrepancies() == [
        "sent 10, but 9 answered, failed or open",
        "7 were answered, but only 6 heard",
    ]
    heard_twice = Result(SHORT, sent=10, received=11, distinct=10)
    assert heard_twice.discrepancies() == ["1 live messages were heard twice"]


def test_lost_events_are_what_was_sent_and_neither_heard_nor_failed() -> None:
    result = Result(SHORT, sent=10, received=6, distinct=6)
    result.failures["NotConnected"] = 1
    assert result.lost == 3


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, page = tmp_path / "load.json", tmp_path / "load.html"
    arguments = ["--url", "memory://", "--pattern", "request", "--rate", "300", "--duration", "0.5", "--agents", "2"]
    assert command.main([*arguments, "--json", str(found), "--plot", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "since it was due" in printed
    told = json.loads(found.read_text())
    assert told["totals"]["sent"] == told["totals"]["answered"] == 150
    assert told["latency since due, ms"]["p50"] <= told["latency since due, ms"]["max"]
    assert told["limit"]["text"] in printed.replace("\n", " ")
    assert page.read_text().count("<polyline") == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--url memory:// --processes 2", "memory:// is one process"),
        ("--url memory:// --agents 0", "agents is 0"),
        ("--url memory:// --duration 0", "duration is 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    arguments: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments.split()) == 2
    assert complaint in capsys.readouterr().out


def test_the_report_of_an_empty_result_does_not_fail() -> None:
    result = Result(SHORT)
    result.generators.append(GeneratorStrain(processor=0.0, loop_lag_s=0.0, send_lag_s=0.0, waited_s=0.0, took_s=1.0))
    result.targets.append(TargetStrain(0.0, 0.0))
    assert report.document(result, {})["latency since due, ms"]["max"] == 0.0
