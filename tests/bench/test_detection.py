"""The Numenta benchmark's scorer in cases worked out by hand, and the whole bench on a small corpus."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bench import detection, nab, shuttle
from bench.nab import Profile, Series

COSTS = Profile()
SIGMOID_1 = 2.0 / (1.0 + math.exp(-5.0)) - 1.0
"""What a detection at a window's first record is worth, before it is scaled to 1."""


def series(*windows: tuple[int, int], rows: int = 100) -> Series:
    return Series(
        name="made/up.csv", times_s=tuple(map(float, range(rows))), values=(0.0,) * rows, windows=tuple(windows)
    )


def scores(*marks: tuple[int, float], rows: int = 100) -> list[float]:
    made = [0.0] * rows
    for row, value in marks:
        made[row] = value
    return made


def test_what_detections_are_worth() -> None:
    worth = nab.points(series((40, 49)), COSTS)
    assert worth[40].worth == pytest.approx(1.0)  # the first record of the window
    assert worth[49].worth == pytest.approx((2.0 / (1.0 + math.exp(-0.5)) - 1.0) / SIGMOID_1)  # the last: -1/10
    assert worth[40].window == worth[49].window == 0
    assert worth[39] == nab.Point(-0.11, None)  # before any window: all of a false alarm
    assert worth[50].worth == pytest.approx(0.11 * (2.0 / (1.0 + math.exp(5.0 / 9.0)) - 1.0))  # 1 past, of a width of 9
    assert worth[90].worth == -0.11  # more than three widths past


@pytest.mark.parametrize(
    ("marks", "expected", "found", "false_alarms"),
    [
        ([], 0.0, 0, 0),
        ([(40, 1.0)], 100.0, 1, 0),
        ([(40, 1.0), (41, 1.0), (49, 1.0)], 100.0, 1, 0),  # only the first counts
        ([(40, 1.0), (30, 1.0)], 100.0 * (2.0 - 0.11) / 2.0, 1, 1),
        ([(40, 0.9), (30, 0.8)], 100.0, 1, 0),  # the threshold leaves the false alarm out
        ([(40, 0.8), (30, 0.9)], 100.0 * (2.0 - 0.11) / 2.0, 1, 1),
        ([(30, 1.0)], 0.0, 0, 0),  # better nothing than that
        ([(5, 1.0), (14, 1.0), (40, 1.0)], 100.0, 1, 0),  # the first 15% are not scored
        ([(15, 1.0), (40, 1.0)], 100.0 * (2.0 - 0.11) / 2.0, 1, 1),
    ],
)
def test_a_file_with_one_window(marks: list[tuple[int, float]], expected: float, found: int, false_alarms: int) -> None:
    result = nab.score([series((40, 49))], [scores(*marks)], COSTS)
    assert result.score == pytest.approx(expected)
    assert (result.found, result.false_alarms, result.windows) == (found, false_alarms, 1)


def test_one_threshold_for_the_corpus() -> None:
    corpus = [series((40, 49)), series((60, 69)), series()]
    given = [scores((40, 0.5)), scores((60, 0.3)), scores((20, 0.4), (30, 0.4))]
    result = nab.score(corpus, given, COSTS)
    assert result.threshold == 0.3  # two windows for two false alarms
    assert result.score == pytest.approx(100.0 * (4.0 - 2 * 0.11) / 4.0)
    assert nab.score_at(corpus, given, COSTS, 0.5).score == pytest.approx(50.0)
    assert nab.score_at(corpus, given, COSTS, 0.3) == result


def test_a_threshold_takes_all_of_one_score() -> None:
    """Equal scores can't be told apart: the window's comes with the false alarms'."""
    given = [scores((40, 1.0), *((row, 1.0) for row in range(20, 39)))]
    result = nab.score([series((40, 49))], given, COSTS)
    assert result.score == 0.0 or result.false_alarms == 19


def test_probation_is_750_records_at_most() -> None:
    assert series(rows=4032).probation == 604
    assert series(rows=22_695).probation == 750


def test_scores_for_another_file_are_refused() -> None:
    with pytest.raises(ValueError, match=r"made/up\.csv: 3 scores for 100 records"):
        nab.score([series()], [[0.0] * 3], COSTS)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two files in NAB's layout: two weeks of half-hours, a spike in one."""
    for folder in ("data/made", "labels", "config", "results/late/made"):
        (tmp_path / folder).mkdir(parents=True)
    start = datetime(2015, 1, 1)
    for name, spike in (("spike.csv", 500), ("quiet.csv", None)):
        lines = ["timestamp,value"]
        for n in range(672):
            value = math.sin(n / 24.0 * math.pi) + n % 7 / 10.0 + (20.0 if n == spike else 0.0)
            lines.append(f"{start + timedelta(minutes=30 * n)},{value}")
        (tmp_path / "data/made" / name).write_text("\n".join(lines) + "\n")
        late = ["anomaly_score", *("1.0" if n == 520 and spike else "0.0" for n in range(672))]
        (tmp_path / "results/late/made" / name).write_text("\n".join(late) + "\n")
    window = [[f"{start + timedelta(minutes=30 * n)}.000000" for n in (490, 530)]]
    (tmp_path / "labels/combined_windows.json").write_text(json.dumps({"made/spike.csv": window, "made/quiet.csv": []}))
    costs = {"tpWeight": 1.0, "fnWeight": 1.0, "fpWeight": 0.11, "tnWeight": 1.0}
    (tmp_path / "config/profiles.json").write_text(json.dumps({"standard": {"CostMatrix": costs}}))
    return tmp_path


def test_a_corpus_is_read(corpus: Path) -> None:
    quiet, spike = nab.load(corpus)
    assert (quiet.windows, spike.windows) == ((), ((490, 530),))
    assert spike.times_s[1] - spike.times_s[0] == 1800.0
    late = nab.score([quiet, spike], [nab.published(corpus, "late", each) for each in (quiet, spike)], COSTS)
    assert 0.0 < late.score < 90.0


def test_the_bench_of_a_corpus(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = tmp_path / "told.json"
    assert detection.main(["--only", "nab", "--nab", str(corpus), "--json", str(told)]) == 0
    figures = {row["what"]: row for row in json.loads(told.read_text())["figures"]}
    for name in ("default", "best"):
        assert figures[name]["value"] > 80.0
        assert figures[f"{name}, speed"]["value"] > 1_000.0
    assert "NAB score" in capsys.readouterr().out


def test_a_missed_bar_is_a_failure(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(detection, "BARS", {"default": (42.0, math.inf)})
    words = ["--only", "nab", "--nab", str(corpus)]
    assert detection.main([*words, "--check"]) == 1
    assert detection.main(words) == 0
    assert "missed" in capsys.readouterr().out


def test_a_folder_without_a_corpus_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert detection.main(["--only", "nab", "--nab", str(tmp_path)]) == 2
    assert "--nab DIR" in capsys.readouterr().out


def test_roc_auc_by_hand() -> None:
    assert shuttle.roc_auc([0.1, 0.4, 0.35, 0.8], [False, False, True, True]) == 0.75
    assert shuttle.roc_auc([0.5, 0.5, 0.5], [False, True, False]) == 0.5


def test_gossiped_thresholds_raise_the_central_alarms() -> None:
    stream = shuttle.telemetry(1200)
    scored = shuttle.ours(stream, trees=5, seed=1)
    owners = [place * 4 // 1200 for place in range(1200)]
    central = shuttle.central_alarms(scored.scores)
    assert 0 < len(central) <= 84
    assert shuttle.jaccard(central, shuttle.gossiped_alarms(scored.scores, owners, seed=2)) > 0.9
    assert shuttle.jaccard(central, shuttle.local_alarms(scored.scores, owners)) < 0.9
