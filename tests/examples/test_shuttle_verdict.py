"""The judge: an exact ROC AUC, and a check that misses nothing."""

from __future__ import annotations

import numpy as np
import pytest

from examples.shuttle.verdict import check, roc_auc


def test_the_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 20, size=300) / 20  # many ties
    labels = rng.random(300) < 0.2
    pairs = [(1.0 if a > b else 0.5 if a == b else 0.0) for a in scores[labels] for b in scores[~labels]]
    assert roc_auc(scores, labels) == pytest.approx(np.mean(pairs), abs=1e-12)


def test_the_auc_of_one_kind_only_is_none() -> None:
    assert roc_auc(np.array([0.1, 0.2]), np.array([False, False])) is None
    assert roc_auc(np.array([0.1, 0.2]), np.array([True, True])) is None


def judged(**changes: object) -> list[str]:
    given: dict[str, object] = {
        "total": 4,
        "scores": np.array([0.0, 0.5, 1.0, 0.2]),
        "scored_by": np.array([0, 1, 1, 0]),
        "counts": {"a": 2, "b": 2},
        "conflicts": 0,
    }
    return list(check(**{**given, **changes}))  # type: ignore[arg-type]


def test_all_is_well() -> None:
    assert judged() == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"scored_by": np.array([0, -1, 1, 0]), "counts": {"a": 2, "b": 1}}, "1 records have no score, the first is 1"),
        ({"total": 5}, "the desk knows 4 records of 5"),
        ({"counts": {"a": 3, "b": 1}}, "a is said to have scored 3 records, but 2 bear its name"),
        ({"counts": {"a": 2, "b": 3}}, "totals add up to 5, not 4"),
        ({"conflicts": 2}, "2 records were given two different scores"),
        ({"scores": np.array([0.0, 0.5, float("nan"), 0.2])}, "1 scores are outside 0 to 1, the first is record 2's"),
        ({"scores": np.array([0.0, 0.5, 1.5, 0.2])}, "1 scores are outside 0 to 1, the first is record 2's"),
    ],
)
def test_what_does_not_add_up_is_found(changes: dict[str, object], says: str) -> None:
    assert any(says in problem for problem in judged(**changes)), judged(**changes)
