"""The flood bench: its arithmetic, and that it runs and writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import flood


@pytest.mark.parametrize(("count", "place"), [(1, 1), (100, 99), (101, 100), (1000, 990)])
def test_the_percentile_is_the_least_value_that_enough_do_not_exceed(count: int, place: int) -> None:
    assert flood.percentile([float(value) for value in range(count, 0, -1)]) == place


def test_a_cell_is_the_median_of_its_rounds() -> None:
    rounds = [flood.Round(0.01, 0.01 * times, 0, 1.0) for times in (1.0, 3.0, 1.5)]
    assert flood.Cell(1.0, True, rounds, {}).ratio == pytest.approx(1.5)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("signed", [False, True], ids=["plain", "signed"])
def test_it_runs_and_writes(tmp_path: Path, signed: bool) -> None:
    target = tmp_path / "flood.json"
    arguments = ["--rates", "2000", "--rounds", "1", "--seconds", "0.5", "--only-limited", "--json", str(target)]
    assert flood.main(arguments + ["--signed"] * signed) == 0
    (cell,) = json.loads(target.read_text())["cells"]
    assert cell["host"]["limited"] > 0
    assert cell["rounds"][0]["unanswered"] == 0
