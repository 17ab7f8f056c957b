"""What each detector sees, in cases worked out by hand."""

from __future__ import annotations

import math
import random

import pytest

from agentbus.detection.detectors import (
    DayOutOfRange,
    MeanOutOfRange,
    OutOfRange,
    RelativeEntropy,
    Together,
    ZScore,
    make,
)

WARM = [float(n % 2) for n in range(24)]


def test_out_of_range_scores_a_half_at_five_percent() -> None:
    detector = OutOfRange()
    assert not any(detector.score(0.0, x) for x in WARM)
    assert detector.score(0.0, 1.05) == pytest.approx(0.5)
    assert detector.score(0.0, 1.05) == 0.0  # seen
    assert detector.score(0.0, -0.35) == pytest.approx(0.35 / (0.35 + 0.05 * 1.05))


def test_the_z_score_scores_a_half_at_fourteen_deviations() -> None:
    detector = ZScore(weight=1e-6)  # all records so far count the same: mean 1/2, deviation 1/2
    for x in WARM:
        detector.score(0.0, x)
    assert detector.score(0.0, 0.5 + 14.0 * 0.5) == pytest.approx(0.5)


def test_the_z_score_forgets() -> None:
    detector = ZScore()
    for n in range(2000):
        detector.score(0.0, float(n % 2) + (100.0 if n < 1000 else 0.0))
    assert detector.score(0.0, 100.0) > 0.9


def test_a_small_change_that_lasts_leaves_the_range_of_the_mean_only() -> None:
    rng = random.Random(5)
    values = [rng.uniform(0.0, 1.0) for _ in range(2000)] + [rng.uniform(0.7, 1.0) for _ in range(60)]
    single, mean = OutOfRange(), MeanOutOfRange()
    alone = [single.score(0.0, x) for x in values][2000:]
    smooth = [mean.score(0.0, x) for x in values][2000:]
    assert max(alone) < 0.1
    assert max(smooth) > 0.4


def test_an_ordinary_value_at_the_wrong_time_of_the_day_is_seen() -> None:
    """Ten days of half-hours, high by day, low by night; on the eleventh it stays low."""
    day, single = DayOutOfRange(), OutOfRange()
    rng = random.Random(1)
    seen: list[float] = []
    for n in range(48 * 11):
        by_day = 16 <= n % 48 < 40
        x = (10.0 if by_day and n < 480 else 0.0) + rng.uniform(-0.5, 0.5)
        seen.append(day.score(1800.0 * n, x))
        assert single.score(1800.0 * n, x) < 0.5 or n < 48
    assert not any(seen[:48])
    assert max(seen[240:480]) < 0.4
    assert max(seen[480 + 16 :]) > 0.8


def test_the_usual_value_is_of_a_time_of_the_day_not_of_a_record() -> None:
    """A hundred records in each five minutes, or one: what is usual is the same."""
    dense, sparse = DayOutOfRange(), DayOutOfRange()
    for n in range(288 * 3):
        x = float(n % 288)
        sparse.score(300.0 * n, x)
        for k in range(100):
            dense.score(300.0 * n + k, x)
    assert dense.state()[-288:] == pytest.approx(sparse.state()[-288:])


def test_relative_entropy_sees_a_distribution_it_has_not_seen() -> None:
    rng = random.Random(2)
    detector = RelativeEntropy()
    scores = [detector.score(0.0, rng.choice((0.0, 0.0, 1.0, 2.0, 3.0, 4.0))) for _ in range(1500)]
    assert sum(score > 0.99 for score in scores[600:]) < 30
    changed = [detector.score(0.0, 4.0) for _ in range(52)]
    assert max(changed) > 0.995
    assert not any(score > 0.99 for score in [detector.score(0.0, 4.0) for _ in range(200)])  # known now


def test_relative_entropy_keeps_few_hypotheses() -> None:
    rng = random.Random(3)
    detector = RelativeEntropy()
    for n in range(4000):
        detector.score(0.0, rng.random() * (n % 97) ** 2)
    assert len(detector.snapshot()) < 64 * 5 * 8 + 1000


def test_together_tells_an_abnormality_once_and_a_worse_one_at_once() -> None:
    detector = Together("test", (OutOfRange(),), quiet=3)
    for x in WARM:
        detector.score(0.0, x)
    first = detector.score(0.0, 2.0)
    assert first > 0.9
    assert detector.score(0.0, 2.01) == 0.0  # not worse
    assert detector.score(0.0, 50.0) > first
    told = [detector.score(0.0, 50.0 + n) for n in (1, 2, 3, 4)]
    assert told[:3] == [0.0, 0.0, 0.0]
    assert told[3] > 0.0


def test_together_takes_its_parts_for_independent_witnesses() -> None:
    one, two, both = OutOfRange(), ZScore(), Together("test", (OutOfRange(), ZScore()), quiet=0)
    rng = random.Random(4)
    for _ in range(500):
        x = rng.gauss(0.0, 1.0)
        expected = 1.0 - (1.0 - one.score(0.0, x)) * (1.0 - two.score(0.0, x))
        assert both.score(0.0, x) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["default", "best"])
def test_scores_are_the_same_on_any_scale(name: str) -> None:
    rng = random.Random(6)
    small, large = make(name), make(name)
    for n in range(1500):
        x = math.sin(n / 48.0 * math.pi) + rng.gauss(0.0, 0.2) + (8.0 if n == 1000 else 0.0)
        assert small.score(1800.0 * n, x) == pytest.approx(large.score(1800.0 * n, 1024.0 * x), abs=1e-9)


def test_the_best_tells_little_where_there_is_nothing() -> None:
    rng = random.Random(7)
    detector = make("best")
    scores = [detector.score(300.0 * n, 5.0 * math.sin(n / 144.0 * math.pi) + rng.gauss(0.0, 1.0)) for n in range(8000)]
    assert sum(score > 0.25 for score in scores[1000:]) <= 6
