"""Fleets in rounds: they converge as fast as the papers say, to what is true, also with loss and churn."""

from __future__ import annotations

from random import Random
from statistics import fmean, pvariance

import pytest

from agentbus.aggregation import Absolute, AggregationConfig, Rounds, Summary
from agentbus.aggregation.machine import Aggregation
from agentbus.aggregation.model import WEIGHT, Contribute, Peers
from agentbus.errors import ConfigurationError

LONG = AggregationConfig(epochs=50.0)


def fleet(size: int, rounds: Rounds, seed: int = 5) -> list[float]:
    rng = Random(seed)
    names = [f"n{number}" for number in range(size)]
    values = [rng.gauss(5.0, 2.0) for _ in names]
    rounds.join(*names)
    for name, value in zip(names, values, strict=True):
        rounds.contribute(name, "x", value)
    return values


@pytest.mark.parametrize("mode", ["push-pull", "push-sum"])
@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_every_node_knows_count_sum_mean_variance_and_extrema(mode: str, loss: float) -> None:
    config = AggregationConfig(mode=mode, epochs=50.0)  # type: ignore[arg-type]
    rounds = Rounds(config, seed=3, loss=loss, duplicate=loss)
    values = fleet(60, rounds)
    rounds.run(120)
    for name in rounds.machines:
        estimate = rounds.estimate(name, "x")
        assert estimate is not None
        assert estimate.nodes == pytest.approx(60, rel=1e-3)
        assert estimate.total == pytest.approx(sum(values), rel=1e-3)
        assert estimate.mean == pytest.approx(fmean(values), rel=1e-4)
        assert estimate.variance == pytest.approx(pvariance(values), rel=1e-3)
        assert (estimate.minimum, estimate.maximum) == (min(values), max(values))


def test_the_variance_shrinks_as_jelasity_says() -> None:
    rounds = Rounds(LONG, seed=1)
    fleet(1_000, rounds)
    rounds.run(8)  # until all take part in one epoch
    for number, machine in enumerate(rounds.machines.values()):
        machine.handle(Contribute("y", Summary([float(number % 2)])), 0.0)

    def variance() -> float:
        return pvariance([machine.held["y|", "s", 0] for machine in rounds.machines.values()])

    rounds.run(1)
    before = variance()
    rounds.run(10)
    assert (variance() / before) ** 0.1 == pytest.approx(0.3033, abs=0.02)


def test_quantiles_of_all_nodes_scores_are_known_to_each() -> None:
    rng = Random(4)
    rounds = Rounds(LONG, seed=2, loss=0.05)
    rounds.join(*(f"n{number}" for number in range(12)))
    everything: list[float] = []
    for place, name in enumerate(rounds.machines):
        scores = [rng.betavariate(2.0 + place / 4.0, 8.0) for _ in range(500)]  # each sees something else
        everything += scores
        rounds.contribute(name, "score", Summary(scores, bins=Absolute(1 / 1024)))
    rounds.run(40)
    everything.sort()
    for name in rounds.machines:
        estimate = rounds.estimate(name, "score")
        assert estimate is not None
        assert estimate.count == pytest.approx(6_000, rel=1e-3)
        for share in (0.5, 0.9, 0.95, 0.99):
            true = everything[int(share * len(everything))]
            assert estimate.quantile(share) == pytest.approx(true, abs=2 / 1024)


def test_who_leaves_takes_its_mass_along_within_the_epoch() -> None:
    rounds = Rounds(LONG, seed=6)
    values = fleet(30, rounds)
    rounds.run(30)
    epoch = {machine.epoch for machine in rounds.machines.values()}
    starter = next(iter(epoch)).starter
    gone = [name for name in list(rounds.machines)[:10] if name != starter]
    rounds.leave(*gone)
    left = [value for number, value in enumerate(values) if f"n{number}" not in gone]
    rounds.run(40)
    assert {machine.epoch for machine in rounds.machines.values()} == epoch
    for name in rounds.machines:
        estimate = rounds.estimate(name, "x")
        assert estimate is not None
        assert estimate.nodes == pytest.approx(len(left), rel=1e-3)
        assert estimate.mean == pytest.approx(fmean(left), rel=1e-3)


def test_when_the_starter_of_an_epoch_leaves_another_begins() -> None:
    rounds = Rounds(LONG, seed=7)
    fleet(20, rounds)
    rounds.run(30)
    (epoch,) = {machine.epoch for machine in rounds.machines.values()}
    rounds.leave(epoch.starter)
    assert all((found := rounds.estimate(name, "x")) and found.epoch == epoch for name in rounds.machines)
    rounds.run(40)
    for name in rounds.machines:
        estimate = rounds.estimate(name, "x")
        assert estimate is not None
        assert estimate.epoch.number > epoch.number
        assert estimate.nodes == pytest.approx(19, rel=1e-3)


def test_an_epoch_forgets_extrema_that_are_gone() -> None:
    rounds = Rounds(AggregationConfig(precision=1e-2), seed=8)
    fleet(20, rounds)
    rounds.contribute("n3", "x", 1_000.0)
    rounds.run(15)
    found = rounds.estimate("n7", "x")
    assert found is not None
    assert found.maximum == 1_000.0
    rounds.contribute("n3", "x", 5.0)
    rounds.run(80)
    found = rounds.estimate("n7", "x")
    assert found is not None
    assert found.maximum < 1_000.0


def test_a_changed_value_counts_within_the_epoch() -> None:
    rounds = Rounds(LONG, seed=9)
    values = fleet(20, rounds)
    rounds.run(30)
    rounds.contribute("n3", "x", values[3] + 100.0)
    rounds.run(30)
    found = rounds.estimate("n11", "x")
    assert found is not None
    assert found.mean == pytest.approx(fmean(values) + 5.0, rel=1e-3)


def test_nothing_is_told_before_it_has_settled() -> None:
    rounds = Rounds(seed=1)
    fleet(10, rounds)
    rounds.run(3)
    assert all(rounds.estimate(name, "x") is None for name in rounds.machines)


def test_strangers_and_earlier_lives_are_not_heard() -> None:
    rounds = Rounds(seed=1)
    fleet(3, rounds)
    (push, *_) = rounds.machines["n0"].step()
    alone = Aggregation("alone", 1, LONG, Random(1), 0.0)
    assert alone.handle(push.packet, 0.0) == []
    alone.handle(Peers({"n0": push.packet.life + 1}), 0.0)
    assert alone.handle(push.packet, 0.0) == []
    assert alone.held[WEIGHT] == 1.0


def test_the_same_seed_gives_the_same_fleet() -> None:
    def run(seed: int) -> list[float]:
        rounds = Rounds(LONG, seed=seed, loss=0.3, duplicate=0.2)
        fleet(15, rounds)
        rounds.run(20)
        return [machine.held[WEIGHT] + machine.held["x|", "s", 0] for machine in rounds.machines.values()]

    assert run(1) == run(1) != run(2)


def test_too_many_numbers_are_refused_with_the_remedy() -> None:
    machine = Aggregation("a", 1, AggregationConfig(max_keys=10), Random(1), 0.0)
    summary = Summary([number / 10 for number in range(10)], bins=Absolute(0.1))
    with pytest.raises(ConfigurationError, match="wider bins"):
        machine.handle(Contribute("x", summary), 0.0)
    assert machine.held == {WEIGHT: 1.0, ("", "root", 0): 1.0}


def test_wrong_knobs_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="mode"):
        AggregationConfig(mode="pull")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="precision"):
        AggregationConfig(precision=0.0)
