"""The blackboard bench: it runs, says the same again, and what it measures is what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentbus.testing import Simulation
from bench import blackboard


@pytest.mark.parametrize("name", ["one", "all", "loss", "heal", "newcomer"])
def test_a_figure_is_decided_by_its_seed(name: str) -> None:
    one, again = (blackboard.measured(name, 4, 1) for _ in range(2))
    assert one == again
    assert 0 < one.median < 20


def test_the_boards_are_full_and_the_same_when_it_is_over() -> None:
    async def scenario(sim: Simulation) -> None:
        team = await blackboard.gathered(sim, 3)
        await blackboard.fill(team)
        assert {board.status().notes for board in team.boards} == {blackboard.NOTES}
        assert len({board.board.root for board in team.boards}) == 1
        assert team.scales.bytes > 2 * blackboard.NOTES * 100

    Simulation(1).run(scenario)


def test_it_runs_and_writes(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    assert blackboard.main(["--seeds", "1", "--sizes", "4", "--only", "one", "rest", "--json", str(target)]) == 0
    one, rest = json.loads(target.read_text())
    assert (one["figure"], rest["unit"]) == ("one", "bytes a node and period")
    assert 40 < rest["median"] < 200
