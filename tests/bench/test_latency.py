"""Latencies: percentiles to three digits, merged across processes."""

from __future__ import annotations

import pytest

from bench.load.latency import GATHERED, Latencies, Seconds


def test_percentiles_are_right_to_three_digits() -> None:
    latencies = Latencies()
    for millisecond in range(1, 10 * GATHERED + 1):
        latencies.add(millisecond / 1e6)
    assert latencies.count == 10 * GATHERED
    assert latencies.at(50) == pytest.approx(5 * GATHERED / 1e6, rel=2e-3)
    assert latencies.at(99) == pytest.approx(9.9 * GATHERED / 1e6, rel=2e-3)
    assert latencies.at(100) == pytest.approx(10 * GATHERED / 1e6, rel=2e-3)


def test_what_was_encoded_elsewhere_is_added() -> None:
    one, other = Latencies(), Latencies()
    one.add(0.001)
    other.add(0.1)
    one.merge(other.encoded())
    assert one.count == 2
    assert one.at(100) == pytest.approx(0.1, rel=2e-3)


def test_what_lies_outside_the_histogram_is_kept_at_its_edges() -> None:
    latencies = Latencies()
    for value in (-1.0, 0.0, 1e9):
        latencies.add(value)
    assert latencies.count == 3
    assert latencies.at(100) == pytest.approx(3600.0, rel=2e-3)


def test_the_curve_rises() -> None:
    latencies = Latencies()
    for number in range(1000):
        latencies.add((number % 100 + 1) / 1000)
    curve = latencies.curve()
    assert curve == sorted(curve)
    assert curve[0][0] == 0.0
    assert curve[-1] == (100.0, pytest.approx(100.0, rel=2e-3))


def test_seconds_are_counted_where_they_belong() -> None:
    seconds = Seconds()
    seconds.add(0.2, 3)
    seconds.add(0.9, 2)
    seconds.add(2.0, 1)
    assert seconds.told() == {"0": 5, "2": 1}
