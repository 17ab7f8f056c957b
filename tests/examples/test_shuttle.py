"""The demo as a whole: its processes, its result, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import random
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from agentbus import Node
from examples.shuttle.v1.shuttle_pb2 import Ledger, LedgerRequest
from examples.shuttle.watch import Viewer
from tests.examples.programs import Done, finish, processes_with, run, start, until
from tests.nats_server import NatsServer

DEMO = "examples.shuttle"
pytestmark = pytest.mark.timeout(60)  # seconds, where six processes start on two cores that others use, too
WITHIN_S = 45.0


def result(done: Done) -> dict[str, Any]:
    assert done.status == 0, str(done)
    verdict: dict[str, Any] = json.loads(done.out)
    assert verdict["ok"] is True
    assert verdict["problems"] == []
    assert sum(member["scored"] for member in verdict["members"]) == verdict["records"]
    return verdict


def nothing_is_left(home: Path) -> None:
    until(lambda: not processes_with(str(home)), f"processes of {home} have ended")


def test_the_whole_stream_with_a_detector_killed(tmp_path: Path) -> None:
    verdict = result(run(DEMO, "--json", "--kill", home=tmp_path, within_s=WITHIN_S))
    assert verdict["records"] == 49097
    assert verdict["auc"] >= 0.96
    members = verdict["members"]
    assert [member["name"] for member in members] == ["feeder", *(f"detector-{n}" for n in range(1, 5)), "alarm-desk"]
    assert len({member["process"] for member in members}) == 6
    assert [member["name"] for member in members if member["killed"]] == ["detector-1"]
    assert members[0]["records"] == 49097
    assert list((tmp_path / "tmp").iterdir()) == [], "its folder is gone"
    nothing_is_left(tmp_path)


def test_with_identities_everything_is_signed_and_still_scored_once(tmp_path: Path) -> None:
    verdict = result(run(DEMO, "--json", "--secure", "--kill", "--limit", "12000", home=tmp_path, within_s=WITHIN_S))
    assert verdict["records"] == 12000
    assert [member["name"] for member in verdict["members"] if member["killed"]] == ["detector-1"]
    assert list((tmp_path / "tmp").iterdir()) == [], "keys and all are gone"
    nothing_is_left(tmp_path)


def test_plain_lines_and_a_table_where_there_is_no_terminal(tmp_path: Path) -> None:
    done = run(DEMO, "--limit", "3000", home=tmp_path, within_s=WITHIN_S)
    assert done.status == 0, str(done)
    assert "\x1b" not in done.out
    assert "3,000 of 3,000 records" in done.out
    assert re.search(r"detector-4 │ +\d+ │ +[\d,]+ │ +[\d,]+ │", done.out)
    assert re.search(r"ROC AUC +0\.9\d{3}\n", done.out)
    assert "every record was scored exactly once" in done.out


def test_a_file_of_ones_own_on_ones_own_broker(tmp_path: Path, broker: NatsServer) -> None:
    rng = random.Random(4)
    rows = [(rng.gauss(0, 1), rng.gauss(5, 2), 0) for _ in range(1500)]
    for odd in range(600, 1500, 50):
        rows[odd] = (40.0, -40.0, 1)
    path = tmp_path / "mine.csv"
    path.write_text("x,y,odd\n" + "".join(f"{x},{y},{odd}\n" for x, y, odd in rows))
    done = run(
        DEMO,
        "--data",
        str(path),
        "--label",
        "odd",
        "--detectors",
        "2",
        "--json",
        home=tmp_path,
        url=broker.url,
        within_s=WITHIN_S,
    )
    verdict = result(done)
    assert verdict["source"] == str(path)
    assert verdict["records"] == 1500
    assert verdict["auc"] > 0.99
    until(lambda: not list((broker.folder / "js").rglob("meta.inf")), "its streams have been removed")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--detectors", "0"], "--detectors 0: use 1 to 64"),
        (["--kill", "--detectors", "1"], "--kill needs two detectors"),
        (["--limit", "0"], "--limit 0: use 1 or more"),
        (["--threshold", "2"], "--threshold 2.0: scores are from 0 to 1"),
        (["--label", "x"], "--label goes with --data"),
        (["--data", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_what_makes_no_sense_is_told_at_once(words: list[str], says: str, tmp_path: Path) -> None:
    done = run(DEMO, *words, home=tmp_path, within_s=WITHIN_S)
    assert done.status == 2
    assert says in done.err
    assert "Traceback" not in done.err


def test_no_broker_is_a_failed_run(tmp_path: Path) -> None:
    done = run(DEMO, "--url", "nats://127.0.0.1:1", home=tmp_path, within_s=WITHIN_S)
    assert done.status == 1
    assert "NotConnected" in done.err
    assert "Traceback" not in done.err


@pytest.fixture
def long_file(tmp_path: Path) -> str:
    """More records than are scored before a test has done what it is about."""
    rng = random.Random(4)
    path = tmp_path / "long.csv"
    path.write_text("x,y\n" + "".join(f"{rng.random():.4f},{rng.random():.4f}\n" for _ in range(150_000)))
    return str(path)


def begun(long_file: str, home: Path) -> Any:
    process = start(DEMO, "--data", long_file, "--detectors", "2", home=home)
    assert process.stdout is not None
    while not re.match(r"[1-9][\d,]* of 150,000 records", line := process.stdout.readline()):
        assert line, f"ended before it began: {finish(process, within_s=5.0)}"
    return process


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_ends_all_processes(long_file: str, tmp_path: Path, number: signal.Signals, status: int) -> None:
    process = begun(long_file, tmp_path)
    process.send_signal(number)
    done = finish(process, within_s=WITHIN_S)
    assert done.status == status, str(done)
    assert "Traceback" not in done.err
    assert list((tmp_path / "tmp").iterdir()) == []
    nothing_is_left(tmp_path)


def test_when_the_parent_is_killed_the_others_end_by_themselves(long_file: str, tmp_path: Path) -> None:
    process = begun(long_file, tmp_path)
    assert len(processes_with(str(tmp_path / "tmp"))) >= 4
    process.kill()
    finish(process, within_s=5.0)
    nothing_is_left(tmp_path)


def test_a_desk_that_dies_is_a_failed_run_that_says_so(long_file: str, tmp_path: Path) -> None:
    process = begun(long_file, tmp_path)
    desk = [pid for pid, command in processes_with(str(tmp_path / "tmp")).items() if " alarm-desk " in command]
    os.kill(desk[0], signal.SIGKILL)
    done = finish(process, within_s=WITHIN_S)
    assert done.status == 1, str(done)
    assert "alarm-desk ended with status -9" in done.err
    nothing_is_left(tmp_path)


async def test_its_agents_run_by_hand(tmp_path: Path, broker: NatsServer) -> None:
    words = [
        ("desk:AlarmDesk", ()),
        ("detector:Detector", ("--name", "detector-1")),
        ("feeder:Feeder", ("--set", "limit=1000")),
    ]
    viewer = Viewer()
    async with Node(broker.url, realm="hand", agents=[viewer]) as node:
        processes = [
            start(
                "agentbus", "run", f"examples.shuttle.{agent}", "--realm", "hand", *more, home=tmp_path, url=broker.url
            )
            for agent, more in words
        ]
        try:
            while (await viewer.reports.get()).records < 1000:
                pass
            page = await node.request(LedgerRequest(count=1000), Ledger, to="alarm-desk")
        finally:
            for process in processes:
                process.terminate()
            ends = [finish(process, within_s=10.0) for process in processes]
    assert set(page.detectors) == {0}
    assert len(page.scores) == 1000
    assert [end.status for end in ends] == [0, 0, 0], "\n".join(map(str, ends))
