"""The trees, and the claim that what detectors count in parts adds up to what one alone would count."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from examples.shuttle.data import load
from examples.shuttle.forest import HEIGHT, LEAVES, MOST, NODES, SIZE_LIMIT, TREES, WINDOW, Forest, Ranges, masses
from examples.shuttle.reference import Book, profile_of
from examples.shuttle.v1.shuttle_pb2 import Batch, Profile
from examples.shuttle.verdict import roc_auc
from tests.examples.shuttle_world import scores_of_one


def records(count: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(count, channels))


def test_equal_seeds_make_equal_trees() -> None:
    data = records(100)
    one, same, other = (Forest(3, seed).walk(data)[-1] for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_a_path_goes_from_parent_to_child() -> None:
    paths = Forest(3).walk(records(50))
    assert len(paths) == HEIGHT + 1
    assert (paths[0] == 0).all()
    for above, below in pairwise(paths):
        assert (((below - 1) // 2) == above).all()
    assert paths[-1].min() >= LEAVES - 1
    assert paths[-1].max() < NODES


def test_the_masses_are_what_counting_each_node_gives() -> None:
    forest = Forest(3)
    paths = forest.walk(records(WINDOW))
    table = masses(forest.count(paths))
    counted = np.zeros((TREES, NODES), dtype=np.int64)
    for node in paths:
        for row in node:
            counted[np.arange(TREES), row] += 1
    assert (table == counted).all()


def test_the_score_is_the_papers() -> None:
    forest = Forest(3)
    table = masses(forest.count(forest.walk(records(WINDOW))))
    paths = forest.walk(np.array([[0.1, 0.2, 0.3], [9.0, -9.0, 9.0]]))
    for record, score in enumerate(forest.score(paths, table)):
        total = 0
        for tree in range(TREES):
            for depth, node in enumerate(paths):
                mass = int(table[tree, node[record, tree]])
                total += mass * 2**depth
                if mass < SIZE_LIMIT * WINDOW:
                    break
        assert score == pytest.approx(1 - total / MOST, abs=1e-12)


def test_profiles_of_parts_add_up_to_the_whole() -> None:
    forest = Forest(3)
    data = records(WINDOW)
    whole = forest.count(forest.walk(data))
    book = Book()
    parts = np.array_split(data, 4)
    for number in (2, 0, 3, 1):
        batch = Batch(window=0, part=number, parts=4)
        paths = forest.walk(parts[number])
        complete = book.add(profile_of(batch, forest, paths, Ranges.of(parts[number])))
        assert complete == (number == 1), "the last of them completes the window"
    assert book.learned is not None
    assert (book.learned.leaves == whole).all()
    assert (book.learned.ranges.low == data.min(axis=0)).all()
    assert (book.learned.ranges.high == data.max(axis=0)).all()


def test_a_book_counts_a_profile_once_and_ignores_other_windows() -> None:
    book = Book()
    part = Profile(window=0, part=0, parts=2, leaves=bytes(2 * TREES * LEAVES), low=[0.0], high=[1.0])
    assert not book.add(part)
    assert not book.add(part)
    assert not book.add(Profile(window=1, part=1, parts=2))
    assert book.parts == {0}
    assert book.window == -1


def test_ranges_grow_and_a_channel_that_never_changed_is_0() -> None:
    ranges = Ranges.of(np.array([[1.0, 5.0]])) | Ranges.of(np.array([[3.0, 5.0]]))
    assert ranges.scale(np.array([[2.0, 5.0]])).tolist() == [[0.5, 0.0]]


def test_one_that_sees_all_beats_four_that_see_a_quarter_each() -> None:
    telemetry = load(None)
    labels = telemetry.labels
    assert labels is not None
    assert telemetry.records.shape == (49097, 9)
    assert labels.sum() == 3511
    all_seen = roc_auc(scores_of_one(telemetry.records), labels)
    quarters = np.zeros(len(labels))
    for part in range(4):
        quarters[part::4] = scores_of_one(telemetry.records[part::4])
    quarter_seen = roc_auc(quarters, labels)
    assert all_seen is not None
    assert quarter_seen is not None
    assert all_seen > 0.97
    assert quarter_seen < 0.955
