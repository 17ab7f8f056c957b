"""What every detector promises: scores between 0 and 1 whatever comes, and a state that can be carried elsewhere."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.detection.detectors import (
    DETECTORS,
    BadRecord,
    Detector,
    EachValue,
    HalfSpaceTrees,
    SnapshotInvalid,
    UnknownDetector,
    make,
)
from agentbus.errors import AgentBusError

CARRIED = {
    **{name: factory for name, factory in DETECTORS.items() if name not in {"river-gaussian", "half-space-trees"}},
    "half-space-trees": lambda: HalfSpaceTrees(trees=4, height=4, window=20),
    "each-value": lambda: EachValue(DETECTORS["best"]),
}
"""Those whose snapshot is their state. Of small trees, whose windows turn often."""
carried = pytest.mark.parametrize("make_one", CARRIED.values(), ids=CARRIED.keys())
Make = Callable[[], Detector]

ODD = st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, -7.25])
VALUES = st.one_of(ODD, st.floats(-100.0, 100.0), st.floats())
TIMES = st.one_of(st.floats(0.0, 1e6), st.sampled_from([0.0, 86_400.0, -1.0, 1e18, math.nan, math.inf]))
RECORDS = st.lists(st.tuples(TIMES, VALUES), max_size=60)


def wave(records: int, seed: int = 0) -> list[tuple[float, float]]:
    """Several days of a noisy daily wave, every half hour, with spikes."""
    rng = random.Random(seed)
    return [
        (
            1800.0 * n,
            10.0 * math.sin(n / 48.0 * 2.0 * math.pi) + rng.gauss(0.0, 1.0) + (50.0 if n % 301 == 300 else 0.0),
        )
        for n in range(records)
    ]


@carried
@given(before=RECORDS, after=RECORDS, warm=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_restored_detector_goes_on_bit_for_bit(
    make_one: Make, before: list[tuple[float, float]], after: list[tuple[float, float]], warm: bool
) -> None:
    original = make_one()
    for at, x in [*(wave(300) if warm else ()), *before]:
        assert 0.0 <= original.score(at, x) <= 1.0
    snapshot = original.snapshot()
    assert snapshot == original.snapshot()
    copy = make_one()
    copy.score(0.0, 3.0)  # a state of its own, that must go
    copy.restore(snapshot)
    assert copy.snapshot() == snapshot
    assert [original.score(at, x) for at, x in after] == [copy.score(at, x) for at, x in after]
    assert original.snapshot() == copy.snapshot()


@carried
def test_equal_prefixes_make_equal_bytes(make_one: Make) -> None:
    one, two = make_one(), make_one()
    scores = [one.score(at, x) for at, x in wave(500)]
    assert scores == [two.score(at, x) for at, x in wave(500)]
    assert any(scores)
    assert one.snapshot() == two.snapshot()
    two.score(1e6, 1.5)
    assert one.snapshot() != two.snapshot()


@carried
def test_a_snapshot_that_was_cut_or_damaged_is_refused_and_changes_nothing(make_one: Make) -> None:
    donor, detector = make_one(), make_one()
    for at, x in wave(120):
        donor.score(at, x)
    for at, x in wave(80, seed=1):
        detector.score(at, x)
    snapshot, before = donor.snapshot(), detector.snapshot()
    cuts = {0, 3, 4, 5, 20, len(snapshot) // 2, len(snapshot) - 1}
    damaged = bytearray(snapshot)
    damaged[-3] ^= 0x10
    for wrong in [*(snapshot[:cut] for cut in cuts), snapshot + b"\0", bytes(damaged), b"not a snapshot at all"]:
        with pytest.raises(SnapshotInvalid, match=r"restore|start"):
            detector.restore(wrong)
        assert detector.snapshot() == before


@carried
def test_a_snapshot_of_another_version_is_refused(make_one: Make) -> None:
    snapshot = bytearray(make_one().snapshot())
    version_at = 5 + snapshot[4]
    snapshot[version_at] += 1
    with pytest.raises(SnapshotInvalid, match=r"version 2; this is version 1.*from the start"):
        make_one().restore(bytes(snapshot))


def test_a_snapshot_of_another_detector_is_refused() -> None:
    with pytest.raises(SnapshotInvalid, match="'range', not of 'ewma'"):
        make("ewma").restore(make("range").snapshot())


def test_a_snapshot_of_other_settings_is_refused() -> None:
    with pytest.raises(SnapshotInvalid, match=r"\(25, 8, 250, 0\), not \(25, 8, 250, 1\)"):
        HalfSpaceTrees(seed=1).restore(HalfSpaceTrees(seed=0).snapshot())


@carried
@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf, 0.0, -5.0, 1e308], ids=str)
def test_a_constant_stream_is_not_abnormal(make_one: Make, x: float) -> None:
    detector = make_one()
    assert not any(detector.score(60.0 * n, x) for n in range(15))


@pytest.mark.parametrize("name", ["default", "best", "range", "ewma"])
def test_the_first_change_of_a_constant_stream_is_as_abnormal_as_can_be(name: str) -> None:
    detector = make(name)
    assert not any(detector.score(60.0 * n, 4.0) for n in range(50))
    assert detector.score(3000.0, 4.5) == 1.0


@pytest.mark.parametrize("name", ["default", "best", "range", "mean-range", "ewma", "entropy"])
def test_no_reading_is_not_learned(name: str) -> None:
    one, two = make(name), make(name)
    for at, x in wave(400):
        one.score(at, x)
        two.score(at, x)
        assert two.score(at, math.nan) == 0.0
    assert one.snapshot() == two.snapshot()


@pytest.mark.parametrize("name", ["default", "best", "range", "ewma"])
def test_infinity_is_abnormal_and_survived(name: str) -> None:
    detector = make(name)
    for at, x in wave(300):
        detector.score(at, x)
    assert detector.score(600_000.0, math.inf) > 0.9
    for at, x in wave(300):
        assert math.isfinite(detector.score(at, x))


def test_times_may_go_backwards() -> None:
    detector = make("best")
    records = wave(600)
    random.Random(3).shuffle(records)
    assert all(0.0 <= detector.score(at, x) <= 1.0 for at, x in records)


def test_a_detector_of_one_number_takes_a_record_of_one() -> None:
    one, two, three = make("ewma"), make("ewma"), make("ewma")
    for at, x in wave(200):
        assert one.score(at, x) == two.score(at, (x,)) == three.score(at, {"x": x})
    with pytest.raises(BadRecord, match="half-space-trees"):
        one.score(0.0, (1.0, 2.0))


@pytest.mark.parametrize("make_one", [lambda: make("default", 2), HalfSpaceTrees], ids=["each", "trees"])
def test_records_keep_their_shape(make_one: Make) -> None:
    detector = make_one()
    detector.score(0.0, (1.0, 2.0))
    for wrong in ((1.0,), (1.0, 2.0, 3.0), (), 4.0, {"a": 1.0, "b": 2.0}):
        with pytest.raises(BadRecord):
            detector.score(1.0, wrong)
    named = make_one()
    named.score(0.0, {"a": 1.0, "b": 2.0})
    for wrong in ({"a": 1.0, "c": 2.0}, {"a": 1.0, "b": 1.0, "c": 2.0}):
        with pytest.raises(BadRecord):
            named.score(1.0, wrong)
    assert named.score(1.0, {"b": 2.0}) == 0.0  # a name that is missing


def test_each_value_tells_the_worst() -> None:
    together, alone = make("range", 3), make("range")
    for n, (at, x) in enumerate(wave(400)):
        assert together.score(at, {"a": 1.0, "b": float(n % 5), "c": x}) == alone.score(at, x)


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(UnknownDetector, match="default, best") as caught:
        make("bset")
    assert isinstance(caught.value, AgentBusError)


@pytest.mark.parametrize("name", DETECTORS)
def test_the_names_make_detectors(name: str) -> None:
    assert isinstance(make(name), Detector)
