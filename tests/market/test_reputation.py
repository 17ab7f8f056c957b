"""EigenTrust: equal to networkx's PageRank and to the eigenvector, and what may not count does not."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.awards import Bid as Offered
from agentbus.errors import ConfigurationError
from agentbus.market import Reputation, ReputationConfig, expected_gain
from bench.markets import trust

from .patience import patient


def reputation(*pretrusted: str, **knobs: Any) -> Reputation:
    return Reputation(ReputationConfig(pretrusted=frozenset(pretrusted or ("p",)), **knobs))


@pytest.mark.parametrize("agents", [5, 30, 100])
def test_it_is_networkx_s_personalised_pagerank(agents: int) -> None:
    for seed in range(5):
        assert trust.difference(seed, agents) <= 1e-12


dealings = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from([-1.0, 0.3, 1.0])), max_size=25)


@patient
@given(dealings, st.sampled_from([0.05, 0.15, 0.5, 0.9]))
def test_it_is_the_eigenvector(told: list[tuple[int, int, float]], alpha: float) -> None:
    """Solved directly: t (I - (1 - alpha) C) = alpha p."""
    ours = reputation("n0", "n1", alpha=alpha)
    names = [f"n{number}" for number in range(7)]
    ours.meet(names)
    for rater, rated, satisfaction in told:
        ours.record(names[rater], names[rated], satisfaction, 0.0)
    start = numpy.array([0.5, 0.5, 0, 0, 0, 0, 0])
    opinions = numpy.array(
        [[ours.opinions(rater, 0.0).get(rated, 0.0) for rated in names] for rater in names], dtype=float
    )
    for row in opinions:
        if not row.any():
            row[:] = start
    solved = numpy.linalg.solve((numpy.eye(7) - (1 - alpha) * opinions).T, alpha * start)
    found = ours.trust(0.0)
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-12)
    for name, expected in zip(names, solved, strict=True):
        assert found[name] == pytest.approx(expected, abs=1e-12)
        assert found[name] >= 0.0


def test_at_first_only_the_pretrusted_are_trusted() -> None:
    ours = reputation("p", "q")
    ours.meet(["a"])
    assert ours.trust(0.0) == {"p": 0.5, "q": 0.5, "a": 0.0}


def test_a_collective_that_praises_itself_gains_nothing() -> None:
    ours = reputation()
    ours.record("p", "good", 1.0, 0.0)
    before = ours.trust(0.0)
    for _ in range(100):
        ours.record("x", "y", 1.0, 0.0)
        ours.record("y", "x", 1.0, 0.0)
    after = ours.trust(0.0)
    assert after["x"] == after["y"] == 0.0
    assert after["good"] == before["good"] > 0.3


def test_shouting_gains_nothing_and_nobody_s_word_on_itself_counts() -> None:
    ours = reputation()
    ours.record("p", "a", 1.0, 0.0)
    ours.record("p", "b", 1.0, 0.0)
    assert not ours.record("a", "a", 1.0, 0.0)
    once = ours.trust(0.0)
    for _ in range(50):
        ours.record("a", "b", 1.0, 0.0)
    ours_now = ours.trust(0.0)
    assert once["a"] == once["b"]
    assert dict(ours.opinions("a", 0.0)) == {"b": 1.0}
    assert ours_now["a"] < once["a"] + 0.1


def test_failures_outweigh_and_are_forgotten_with_time() -> None:
    ours = reputation(half_life_s=10.0)
    for _ in range(3):
        ours.record("p", "a", -1.0, 0.0)
    ours.record("p", "a", 1.0, 0.0)
    assert dict(ours.opinions("p", 0.0)) == {}
    ours.record("p", "a", 1.0, 20.0)  # -2 has become -0.5
    assert dict(ours.opinions("p", 20.0)) == {"a": 1.0}


def test_newer_dealings_count_more() -> None:
    ours = reputation(half_life_s=10.0)
    ours.record("p", "old", 1.0, 0.0)
    ours.record("p", "new", 1.0, 10.0)
    assert ours.opinions("p", 10.0) == pytest.approx({"old": 1 / 3, "new": 2 / 3})
    assert ours.opinions("p", 500.0) == {}  # 2 ** -49: forgotten
    assert ours.trust(500.0)["new"] == 0.0


def test_forgetting_an_agent() -> None:
    ours = reputation()
    ours.record("p", "a", 1.0, 0.0)
    ours.record("a", "b", 1.0, 0.0)
    ours.forget("a")
    assert ours.trust(0.0) == {"p": 1.0, "b": 0.0}
    ours.forget("p")
    assert "p" in ours.trust(0.0)


@pytest.mark.parametrize("satisfaction", [nan, inf, -inf, 1.1, -1.1])
def test_what_is_no_satisfaction(satisfaction: float) -> None:
    with pytest.raises(ConfigurationError, match="satisfaction"):
        reputation().record("p", "a", satisfaction, 0.0)


@pytest.mark.parametrize(
    "knobs",
    [{"pretrusted": frozenset()}, {"alpha": 0.0}, {"alpha": 1.0}, {"half_life_s": nan}, {"tolerance": 0.0}],
)
def test_knobs_that_can_not_work(knobs: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ReputationConfig(**{"pretrusted": frozenset({"p"}), **knobs})


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentbus.market.reputation.MAX_AGENTS", 3)
    monkeypatch.setattr("agentbus.market.reputation.MAX_OPINIONS", 2)
    ours = reputation()
    ours.meet(["a", "b"])
    with pytest.raises(ConfigurationError, match="agents are known"):
        ours.record("p", "c", 1.0, 0.0)
    ours.record("p", "a", 1.0, 0.0)
    ours.record("p", "b", 1.0, 0.0)
    with pytest.raises(ConfigurationError, match="opinions are kept"):
        ours.record("a", "b", 1.0, 0.0)
    ours.forget("b")
    ours.record("a", "p", 1.0, 0.0)


@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.5, 0.999])
def test_trust_that_swings_to_and_fro_comes_to_rest(alpha: float) -> None:
    """Two that have an opinion of each other only: in balance t_p = 1 / (2 - alpha)."""
    ours = reputation(alpha=alpha)
    ours.record("p", "a", 1.0, 0.0)
    ours.record("a", "p", 1.0, 0.0)
    assert ours.trust(0.0)["p"] == pytest.approx(1.0 / (2.0 - alpha), abs=1e-11)
    assert ReputationConfig(pretrusted=frozenset("p")).iterations == 48


@pytest.mark.parametrize("model", ["A", "B"])
def test_jobs_that_fail_fall_by_four_fifths(model: str) -> None:
    ours, random = trust.failures(model, 0, 10), trust.failures(model, 0, 10, trusting=False)
    assert random[-1] > 0.25
    assert ours[-1] <= 0.2 * random[-1]


def test_price_and_reputation_decide_together() -> None:
    trust = {"ours": 0.6, "good": 0.3, "fair": 0.1, "cheat": 0.0}
    score = expected_gain(10.0, trust)
    assert score(Offered(bidder="good", bid=4.0)) == pytest.approx(6.0)
    assert score(Offered(bidder="ours", bid=4.0)) == pytest.approx(6.0), "more trust than the middle is not more chance"
    assert score(Offered(bidder="fair", bid=4.0)) == pytest.approx(2.0)
    assert score(Offered(bidder="who", bid=1.0)) == pytest.approx(0.9)
    assert score(Offered(bidder="cheat", bid=1.0)) == 0.0, "who has lost all trust is no newcomer"
    trust["good"] = 0.0
    assert score(Offered(bidder="good", bid=4.0)) == 0.0, "it is read when it is asked"


def test_where_nobody_is_trusted_the_price_decides() -> None:
    score = expected_gain(10.0, {})
    assert score(Offered(bidder="a", bid=1.0)) > score(Offered(bidder="b", bid=2.0)) > 0.0


@pytest.mark.parametrize(("value", "newcomer"), [(0.0, 0.1), (inf, 0.1), (nan, 0.1), (1.0, -0.1), (1.0, 1.1)])
def test_a_gain_of_no_sense(value: float, newcomer: float) -> None:
    with pytest.raises(ConfigurationError, match="expected_gain"):
        expected_gain(value, {}, newcomer=newcomer)
