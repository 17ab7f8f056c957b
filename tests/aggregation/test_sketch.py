"""Summaries: exact where they say so, within a bin where they say that, and the same in whatever order they merge."""

from __future__ import annotations

from random import Random
from statistics import fmean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.aggregation import Absolute, Bins, Relative, Summary
from agentbus.aggregation.bins import bins_of
from agentbus.errors import ConfigurationError

NUMBERS = st.lists(st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6), min_size=1, max_size=60)


@given(NUMBERS, st.floats(0.0, 1.0), st.sampled_from([Relative(0.01), Relative(0.1), Absolute(0.5)]))
def test_a_quantile_is_off_by_a_bin_at_most(numbers: list[float], share: float, bins: Bins) -> None:
    found = Summary(numbers, bins=bins).quantile(share)
    ordered = sorted(numbers)
    places = {max(0, min(len(numbers) - 1, round(share * len(numbers)) + step)) for step in (-1, 0)}
    errors: list[float] = []
    for place in places:
        low, high = bins.bounds(bins.index(ordered[place]))
        errors.append(max(low - found, found - high, 0.0) / max(1.0, abs(found)))
    assert min(errors) < 1e-9


@given(NUMBERS, NUMBERS, st.sampled_from([Relative(0.02), Absolute(0.25)]))
def test_merged_summaries_are_the_summary_of_both(one: list[float], other: list[float], bins: Bins) -> None:
    merged = Summary(one, bins=bins)
    merged.merge(Summary(other, bins=bins))
    both = Summary(one + other, bins=bins)
    assert merged.masses == both.masses
    assert (merged.count, merged.minimum, merged.maximum) == (both.count, both.minimum, both.maximum)
    assert merged.total == pytest.approx(both.total, rel=1e-9, abs=1e-6)


@given(st.sampled_from([Relative(0.01), Absolute(0.125)]), st.floats(-1e7, 1e7))
def test_a_value_lies_within_its_bin_and_bins_are_in_order(bins: Bins, value: float) -> None:
    low, high = bins.bounds(bins.index(value))
    slack = 1e-9 * max(1.0, abs(value))
    assert low - slack <= value <= high + slack
    assert bins.index(value) <= bins.index(value + 1.0)


def test_mean_and_variance_are_those_of_the_numbers() -> None:
    rng = Random(1)
    numbers = [rng.gauss(10.0, 2.0) for _ in range(1_000)]
    summary = Summary(numbers)
    assert summary.mean == pytest.approx(fmean(numbers))
    assert summary.variance == pytest.approx(pvariance(numbers))


def test_scores_near_the_top_are_told_apart() -> None:
    rng = Random(2)
    scores = [rng.betavariate(8.0, 2.0) for _ in range(20_000)]
    summary = Summary(scores, bins=Absolute(1 / 1024))
    ordered = sorted(scores)
    for share in (0.9, 0.95, 0.99):
        assert abs(summary.quantile(share) - ordered[int(share * len(scores))]) <= 1 / 1024


def test_a_tag_says_which_bins() -> None:
    for bins in (Relative(0.01), Absolute(1 / 3)):
        assert bins_of(bins.tag) == bins
    for nonsense in ("", "x1", "r", "rnan", "a-1", "rabc"):
        assert bins_of(nonsense) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Summary([value])


def test_wrong_use_says_what_to_write() -> None:
    with pytest.raises(ConfigurationError, match="Relative"):
        Summary([1.0]).quantile(0.5)
    with pytest.raises(ConfigurationError, match="the same"):
        Summary(bins=Relative(0.1)).merge(Summary(bins=Absolute(1.0)))
    with pytest.raises(ConfigurationError, match="from 0 to 1"):
        Summary([1.0], bins=Relative(0.1)).quantile(1.1)
    with pytest.raises(ConfigurationError):
        Relative(0.0)
    with pytest.raises(ConfigurationError):
        Absolute(float("nan"))
