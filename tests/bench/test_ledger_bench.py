"""The ledger's bench: it runs, finds all that was altered, and knows a missed bar."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import ledger

PACED = "append at 50,000 records/s: from one to the next, median"
RATES = ("append, durable", PACED, "Ledger.put, durable", "verify", "a proof, p99")
"""What a busy machine may miss."""


def test_the_quick_bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = tmp_path / "told.json"
    assert ledger.main(["--quick", "--json", str(told)]) == 0
    figures = {figure["what"]: figure for figure in json.loads(told.read_text())["figures"]}
    assert {figure["group"] for figure in figures.values()} == set(ledger.GROUPS)
    assert [what for what, figure in figures.items() if figure["missed"] and what not in RATES] == []
    assert all(figures[what]["value"] > 0 for what in RATES)
    assert "single bytes, found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "bar", "most", "missed"),
    [(1.0, 1.0, False, False), (0.999, 1.0, False, True), (4.0, 5.0, True, False), (6.0, 5.0, True, True)],
)
def test_a_missed_bar_is_known(value: float, bar: float, most: bool, missed: bool) -> None:
    assert ledger.Row(group="g", what="w", value=value, unit="u", bar=bar, most=most).missed is missed
    assert not ledger.Row(group="g", what="w", value=value, unit="u").missed
