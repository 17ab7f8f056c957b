"""The market's bench: it runs, says what it asked, and knows a missed bar."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentbus.market import Pricing
from bench import market
from bench.markets import ledger, sharing, trading, truth


def test_the_quick_bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = tmp_path / "told.json"
    pure = [name for name in market.GROUPS if name != "ledger"]
    assert market.main(["--quick", "--check", "--json", str(told), "--only", *pure]) == 0
    figures = json.loads(told.read_text())["figures"]
    assert {figure["group"] for figure in figures} == set(pure)
    assert "assignment" in capsys.readouterr().out


def test_some_of_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert market.main(["--quick", "--only", "assignment"]) == 0
    assert "trading" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "bar", "most", "missed"),
    [(1.0, 0.9, False, False), (0.8, 0.9, False, True), (0.0, 0.0, True, False), (1.0, 0.0, True, True)],
)
def test_a_missed_bar_is_known(value: float, bar: float, most: bool, missed: bool) -> None:
    assert market.Row(group="g", what="w", value=value, unit="u", bar=bar, most=most).missed is missed
    assert not market.Row(group="g", what="w", value=float("nan"), unit="u").missed
    assert market.Row(group="g", what="w", value=float("nan"), unit="u", bar=bar, most=most).missed


@pytest.mark.timeout(60)
async def test_the_ledgers_bench_kills_a_writer_and_a_payer_and_finds_everything() -> None:
    arm = ledger.Arm(transfers=300, kills=2, writers=1, agents=2, processes=1)
    found = await ledger.measure(arm)
    assert found.killed == {"writer": 1, "client": 1}
    assert (found.lost, found.unknown, found.wrong, found.problems) == (0, 0, 0, ())
    assert found.rate > 0


def test_the_oracles() -> None:
    assert sharing.hungarian([[1, 5], [4, 2]]) == 9
    assert truth.best_lie(1, 20, Pricing.SECOND) <= 0
    assert any(truth.best_lie(seed, 20, Pricing.FIRST) > 0 for seed in range(5))
    session = trading.Session(5, 1, 1, clearing=False)
    most = session.surplus()
    session.run()
    assert 0 < session.gained <= most
