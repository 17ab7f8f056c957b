"""The demo as a whole: its command line, a short run with a fault, its report, and that it leaves nothing behind."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from agentbus.faults import FAILED
from agentbus.healing import HealingConfig, Known, Trouble
from agentbus.healing.knowledge import Knowledge
from agentbus.healing.model import Life
from examples.selfhealing.options import parse
from examples.selfhealing.plan import FAULTS, Plan
from examples.selfhealing.rules import Rules
from tests.examples.programs import finish, processes_with, run, start, until

DEMO = "examples.selfhealing"
SMALL = ("--agents", "4", "--shards", "6", "--limit", "2000")
WITHIN_S = 55.0


def nothing_is_left(home: Path) -> None:
    until(lambda: not processes_with(str(home)), f"processes of {home} have ended")
    assert list((home / "tmp").iterdir()) == [], "its folder is gone"


@pytest.mark.timeout(60)  # seconds, where eight processes start on two cores that others use, too
def test_an_agent_is_killed_and_the_answer_is_that_of_a_plain_loop(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    done = run(DEMO, "--fault", "kill", *SMALL, "--json", "--report", str(report), home=tmp_path, within_s=WITHIN_S)
    verdict = json.loads(done.out)
    assert done.status == 0, str(done)
    assert verdict["ok"] is True
    assert verdict["equal"] == verdict["records"] >= 2000
    assert (verdict["lost"], verdict["twice"], verdict["differing"], verdict["problems"]) == (0, 0, 0, [])
    (fault,) = verdict["faults"]
    assert fault["kind"] == "kill"
    assert fault["shards"], "it was at work"
    assert 0.0 < fault["detect_s"] <= fault["recover_s"]
    assert fault["healed"] is True
    assert "healed, and the answer is equal" in report.read_text()
    nothing_is_left(tmp_path)


@pytest.mark.timeout(60)
def test_with_identities_it_heals_as_well(tmp_path: Path) -> None:
    done = run(DEMO, "--secure", "--fault", "kill", *SMALL, "--json", home=tmp_path, within_s=WITHIN_S)
    verdict = json.loads(done.out)
    assert done.status == 0, str(done)
    assert verdict["about"].endswith("with identities")
    assert verdict["equal"] == verdict["records"] >= 2000
    assert (verdict["lost"], verdict["twice"], verdict["differing"], verdict["problems"]) == (0, 0, 0, [])
    assert [(fault["kind"], fault["healed"]) for fault in verdict["faults"]] == [("kill", True)]
    assert verdict["records_per_s"] > 0
    nothing_is_left(tmp_path)


@pytest.mark.timeout(60)
def test_interrupted_it_ends_everything(tmp_path: Path) -> None:
    process = start(DEMO, *SMALL, home=tmp_path)
    workers = f"{DEMO}.worker"
    until(lambda: len(processes_with(workers, parent=process.pid)) >= 4, "its agents have been started", within_s=20.0)
    process.send_signal(signal.SIGINT)
    assert finish(process, within_s=20.0).status == 130
    nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--fault", "kill,fire"), "no fault 'fire': use some of kill, stop, lie, slow, broker, partition, or none"),
        (("--fault", ","), "name some of kill, stop"),
        (("--agents", "3"), "--agents 3: use 4 to 64"),
        (("--shards", "0"), "--shards 0: use 1 to 1024"),
        (("--limit", "0"), "--limit 0: use 1 or more"),
        (("--pace", "0"), "--pace 0: use 1 to 100000 records a second"),
        (("--label", "x"), "--label goes with --data"),
        (("--report", "/no/such/folder/report.html"), "there is no folder /no/such/folder"),
    ],
)
def test_options_that_make_no_sense(words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_options_that_make_sense() -> None:
    assert parse([]).fault == FAULTS
    assert parse(["--fault", "none"]).fault == ()
    assert parse(["--fault", "stop, kill,stop"]).fault == ("stop", "kill", "stop")


def test_a_file_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    done = run(DEMO, "--data", str(tmp_path / "none.csv"), home=tmp_path)
    assert done.status == 2
    assert "none.csv" in done.err


def test_who_seems_dead_again_and_again_begins_a_new_life() -> None:
    config = HealingConfig.local(faulty=1)
    knowledge, life = Knowledge(config), Life("", "agent-1", 7)
    fault = Trouble(kind=FAILED, life=life, reason="it did not answer")
    planned: list[list[str]] = []
    for at in range(config.escalate_after):
        planned.append(
            [action.name for _, action in Rules().plan(fault, Known(knowledge, fault, float(at), "agent-2"))]
        )
        knowledge.remember(FAILED, life, float(at))
    assert planned == [["rehost"], ["rehost"], ["rehost", "restart"]]


@pytest.mark.parametrize("agents", [4, 5, 12, 64])
def test_those_behind_the_relay_are_never_the_greater_part(agents: int) -> None:
    plan = Plan(records=np.zeros((1, 1)), source="nowhere", agents=agents)
    assert 0 < len(plan.behind) < agents / 2
    assert set(plan.behind) < set(plan.names)
