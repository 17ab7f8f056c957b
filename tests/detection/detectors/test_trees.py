"""Half-space trees are river's, bit for bit; and any model of river's can be taken up by replay."""

from __future__ import annotations

import math
import random
import sys
from typing import Any

import pytest

from agentbus.detection.detectors import BadRecord, ExtraMissing, HalfSpaceTrees, RiverModel, SnapshotInvalid, make
from agentbus.detection.detectors.trees import grow


def stream(records: int, features: int, seed: int = 0) -> list[tuple[float, ...]]:
    rng = random.Random(seed)
    return [
        tuple(rng.gauss(place, 1.0) * (20.0 if rng.random() < 0.02 else 1.0) for place in range(features))
        for _ in range(records)
    ]


@pytest.mark.parametrize(("trees", "height", "window", "features"), [(5, 6, 40, 3), (3, 3, 7, 1), (25, 8, 250, 9)])
def test_the_scores_are_rivers(trees: int, height: int, window: int, features: int) -> None:
    from river.anomaly import HalfSpaceTrees as Rivers
    from river.preprocessing import MinMaxScaler

    ours = HalfSpaceTrees(trees=trees, height=height, window=window, seed=11)
    theirs, scaler = Rivers(n_trees=trees, height=height, window_size=window, seed=11), MinMaxScaler()
    scored = 0
    for record in stream(3 * window + 50, features):
        named = dict(enumerate(record))
        scaler.learn_one(named)
        scaled = scaler.transform_one(named)
        expected = theirs.score_one(scaled)
        theirs.learn_one(scaled)
        assert ours.score(0.0, record) == expected
        scored += expected > 0.0
    assert scored > window


def test_a_missing_value_falls_where_rivers_does() -> None:
    from river.anomaly import HalfSpaceTrees as Rivers
    from river.preprocessing import MinMaxScaler

    ours = HalfSpaceTrees(trees=5, height=4, window=30, seed=2)
    theirs, scaler = Rivers(n_trees=5, height=4, window_size=30, seed=2), MinMaxScaler()
    rng = random.Random(9)
    for count, record in enumerate(stream(200, 4)):
        named = {name: x for name, x in zip("abcd", record, strict=True) if count == 0 or rng.random() < 0.8}
        scaler.learn_one(named)
        scaled = scaler.transform_one(named)
        expected = theirs.score_one(scaled)
        theirs.learn_one(scaled)
        # River learns a tree's masses node by node after scoring all trees; so do we, tree by tree.
        assert ours.score(0.0, named) == expected
        assert "a" in named or count


def test_seeds_make_different_trees() -> None:
    assert grow(3, 2, 4, 0) == grow(3, 2, 4, 0)
    assert grow(3, 2, 4, 0) != grow(3, 2, 4, 1)


def test_a_state_of_the_usual_size() -> None:
    detector = HalfSpaceTrees()
    for record in stream(600, 9):
        detector.score(0.0, record)
    assert len(detector.snapshot()) < 30_000


def test_nothing_finite_is_survived() -> None:
    detector = HalfSpaceTrees(trees=3, height=3, window=5)
    for x in (math.nan, math.inf, 1.0, -math.inf, 1e308, -1e308, math.nan) * 4:
        assert 0.0 <= detector.score(0.0, (x, 0.0)) <= 1.0


@pytest.mark.parametrize("wrong", [{"trees": 0}, {"height": 0}, {"window": 70_000}])
def test_wrong_settings_are_told(wrong: dict[str, int]) -> None:
    with pytest.raises(BadRecord, match="trees >= 1"):
        HalfSpaceTrees(**wrong)


def gaussian() -> RiverModel:
    from river.anomaly import GaussianScorer

    return RiverModel("test", lambda: GaussianScorer(grace_period=10), one_number=True)


def test_a_model_of_rivers_is_taken_up_by_replay() -> None:
    rng = random.Random(1)
    values = [rng.gauss(0.0, 1.0) for _ in range(100)]
    original, copy = gaussian(), gaussian()
    expected = [original.score(0.0, x) for x in values[:60]]
    snapshot = original.snapshot()
    copy.restore(snapshot)
    assert copy.owed == 60
    with pytest.raises(SnapshotInvalid, match="owed 60 records"):
        copy.snapshot()
    assert [copy.score(0.0, x) for x in values[:60]] == expected
    assert copy.owed == 0
    assert copy.snapshot() == snapshot
    assert [original.score(0.0, x) for x in values[60:]] == [copy.score(0.0, x) for x in values[60:]]
    assert any(expected)


def test_another_stream_is_no_replay() -> None:
    original, copy = gaussian(), gaussian()
    for x in (1.0, 2.0, 3.0):
        original.score(0.0, x)
    copy.restore(original.snapshot())
    copy.score(0.0, 1.0)
    copy.score(0.0, 2.5)
    with pytest.raises(SnapshotInvalid, match="replay the same stream"):
        copy.score(0.0, 3.0)


@pytest.mark.parametrize("x", [math.nan, math.inf])
def test_a_model_of_rivers_does_not_learn_what_is_not_finite(x: float) -> None:
    detector = gaussian()
    assert detector.score(0.0, x) == 0.0
    assert all(0.0 <= detector.score(0.0, float(n)) <= 1.0 for n in range(30))


def test_a_model_of_several_values() -> None:
    from river.anomaly import HalfSpaceTrees as Rivers

    detector = RiverModel("trees", lambda: Rivers(n_trees=3, height=3, window_size=20, seed=1))
    scores = [detector.score(0.0, record) for record in stream(60, 3)]
    assert any(scores)
    assert all(0.0 <= score <= 1.0 for score in scores)


def test_without_river_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    absent: Any = None
    monkeypatch.setitem(sys.modules, "river", absent)
    with pytest.raises(ExtraMissing, match=r"agentbus-network\[detection\]"):
        make("river-gaussian")
    make("half-space-trees").score(0.0, (1.0, 2.0))  # needs no river
