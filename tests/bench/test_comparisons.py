"""The comparisons, run for real with few messages; and what they print and write."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bench import __main__ as command
from bench import machine, plot, table
from bench.figures import FIGURES
from bench.frame import Ground, NotInstalled, Outcome, Side, measure

BY_NAME = {figure.name: figure for figure in FIGURES}
OWN = [figure for name, figure in BY_NAME.items() if name not in ("faststream", "inprocess", "drain")]


@pytest.mark.parametrize("figure", OWN, ids=lambda figure: figure.name)
async def test_a_figure_measures_all_it_compares_and_loses_nothing(figure, bench_server: str) -> None:
    outcome = await measure(figure, Ground(bench_server, True, machine.python_with), 1)
    assert [row.why for row in outcome.rows] == [""] * len(outcome.rows)
    for row in outcome.rows:
        assert row.judged is not None
        assert row.judged.median > 0


async def test_draining_is_measured_under_load(bench_server: str) -> None:
    (drain,) = BY_NAME["drain"].sides
    measured = await drain.run(Ground(bench_server, True, machine.python_with))
    assert 0 < measured["took_s"] < 5
    assert measured["requests answered"] > 0


@pytest.mark.parametrize("name", ["agentbus", "agentbus, one"])
async def test_requests_within_one_process_are_measured(name: str) -> None:
    (side,) = (side for side in BY_NAME["inprocess"].sides if side.name == name)
    measured = await side.run(Ground("", True, machine.python_with))
    assert measured["rate"] > 0


def test_a_missing_peer_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "peers_versions", lambda: {"pykka": None, "faststream": "0.7"})
    assert machine.python_with("faststream") == machine.peers_python()
    with pytest.raises(NotInstalled, match=r"pykka is not installed: .*pip install"):
        machine.python_with("pykka")


def test_an_interpreter_that_is_not_there_is_a_missing_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_PEERS_PYTHON", "/nowhere/python")
    machine.peers_versions.cache_clear()
    try:
        with pytest.raises(NotInstalled, match="/nowhere/python does not run"):
            machine.python_with("pykka")
    finally:
        machine.peers_versions.cache_clear()


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out" / "found.json"
    assert command.main(["--only", "imports", "--rounds", "3", "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "import with the NATS transport" in printed
    assert f"protobuf {machine.description()['versions']['protobuf']}" in printed
    found = json.loads(file.read_text())
    (told,) = found["figures"][0]["comparisons"]
    assert told["ratio"]["rounds"] == 3
    assert told["ratio"]["least"] <= told["ratio"]["median"] <= told["ratio"]["greatest"]
    assert len(found["figures"][0]["runs"]["agentbus"]) == 3
    assert found["about"]["python"].endswith(".".join(map(str, sys.version_info[:3])))
    assert "<svg" in file.with_suffix(".html").read_text()


async def test_what_could_not_be_measured_is_in_table_and_page() -> None:
    async def missing(ground: Ground) -> dict[str, float]:
        raise NotInstalled("no peer: pip install it")

    figure = replace(BY_NAME["jobs"], sides=(Side("agentbus", missing),))
    outcomes: list[Outcome] = [await measure(figure, Ground("", True, lambda name: ""), 1)]
    console = Console(record=True, width=200)
    about = machine.description()
    table.show(console, outcomes, about, True)
    text = console.export_text()
    assert "not installed" in text
    assert "no peer: pip install it" in text
    assert "preliminary" in text
    assert "not installed" in plot.page(outcomes, about, True)
