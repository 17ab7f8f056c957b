"""The negotiation bench: what it computes is what it says, on cases worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import negotiation
from bench.negotiation import Helper, Mixed, Trader, delegated, policy_of, welfare
from examples.bench.v1.bench_pb2 import Question


def test_the_cheapest_that_can_does_it_and_nobody_does_what_is_worth_less() -> None:
    policy = policy_of(Helper)
    agents = [(policy, 3.0), (policy, None), (policy, 2.0)]
    assert delegated(Question(), None, agents) == (2, 2.0)
    assert delegated(Question(), 1.0, agents) is None


def test_at_both_ends_of_the_weight_stand_the_pure_policies() -> None:
    for seed in range(3):
        assert welfare(seed, Mixed, 0.0) == welfare(seed, Helper)
        assert welfare(seed, Mixed, 1.0) == welfare(seed, Trader)


def test_who_is_offered_all_at_once_takes_one_and_the_rest_goes_on() -> None:
    """Agent 0 is the best for both jobs; 0.9 + 0.2 is not the optimum, 0.8 + 0.7."""
    values = [[0.9, 0.8], [0.7, 0.2]]
    assert negotiation.at_once(values) == pytest.approx(1.1)
    assert negotiation.one_after_the_other(values) == pytest.approx(1.1)
    assert negotiation.at_once([[0.9, 0.1], [0.7, 0.2]]) == pytest.approx(1.1)


@pytest.mark.parametrize("offered", [negotiation.at_once, negotiation.one_after_the_other])
def test_one_agent_is_always_at_the_optimum(offered: Callable[[list[list[float]]], float]) -> None:
    assert negotiation.ratio(1, 0, offered) == pytest.approx(1.0)
    assert 0.5 < negotiation.ratio(8, 1, offered) <= 1.0 + 1e-12


def test_the_picture_holds_the_curve() -> None:
    svg = negotiation.picture([(0.0, 2.0, 0.1), (0.5, 1.5, 0.1), (1.0, 1.0, 0.1)])
    assert svg.count("<polyline") == 1
    assert "1, competitive" in svg


@pytest.mark.timeout(60)
def test_it_runs_and_writes(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    assert negotiation.main(["--quick", "--seeds", "2", "--only", "welfare", "--json", str(target)]) == 0
    assert len(json.loads(target.read_text())["welfare"]) == negotiation.STEPS + 1
    assert target.with_suffix(".svg").exists()
