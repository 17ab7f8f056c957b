"""CBBA: no conflicts, half of the optimum at least, on any network; and Table 1 of the paper, rule by rule."""

from __future__ import annotations

from math import inf, nan
from random import Random
from statistics import mean

import pytest

from agentbus.errors import ConfigurationError
from agentbus.market import Beliefs, BundleAgent, Claim, Tick
from agentbus.market.rounds import Rounds
from bench.markets import sharing


def solo(name: str = "i", tasks: str = "t", capacity: int = 1, worth: float = 5.0, **terms: int) -> BundleAgent:
    return BundleAgent(
        name, tasks, lambda path: worth * len(path), neighbours=["k"], now=0.0, capacity=capacity, **terms
    )


def test_bundles_of_one_are_near_the_optimum() -> None:
    runs = [sharing.single(10, seed) for seed in range(60)]
    assert mean(run.share for run in runs) >= 0.92  # the bench has more seeds, and asks for 0.93
    assert all(run.settled and not run.conflicts for run in runs)
    assert max(run.rounds for run in runs) <= 20


@pytest.mark.parametrize(("loss", "delay"), [(0.0, 0), (0.3, 0), (0.3, 3), (0.6, 6)])
def test_larger_bundles_reach_half_of_the_optimum_on_any_network(loss: float, delay: int) -> None:
    for seed in range(20):
        run = sharing.bundled(seed, agents=3, tasks=5, capacity=3, loss=loss, delay=delay)
        assert run.share >= 0.5
        assert run.settled
        assert not run.conflicts


def test_loss_and_order_do_not_change_who_wins() -> None:
    for seed in range(10):
        calm, rough = sharing.single(10, seed), sharing.single(10, seed, loss=0.3, delay=3)
        assert (rough.reached, rough.conflicts, rough.settled) == (calm.reached, 0, True)


def test_gains_that_do_not_diminish_still_end_without_conflicts() -> None:
    """Two tasks together are worth a lot, each alone little: the bids in a bundle never rise all the same."""
    for seed in range(10):
        rng = Random(seed)
        base = [[rng.random() for _ in range(5)] for _ in range(4)]
        agents = [
            BundleAgent(
                f"a{me}",
                "01234",
                lambda path, mine=base[me]: sum(mine[int(task)] for task in path) * len(path),
                neighbours=[f"a{(me + 1) % 4}", f"a{(me - 1) % 4}"],
                now=0.0,
                capacity=3,
            )
            for me in range(4)
        ]
        rounds = Rounds(agents, rng=rng)
        assert rounds.run(200, 10)
        taken = [task for bundle in rounds.bundles().values() for task in bundle]
        assert sorted(taken) == list("01234")
        for agent in agents:
            bids = [agent.claims[task].bid for task in agent.bundle]
            assert bids == sorted(bids, reverse=True)


def test_the_order_of_a_path_is_the_best_place_for_each_task() -> None:
    """On a line the way there and no further back is the shortest: tasks are done from left to right."""

    def value(path: tuple[str, ...]) -> float:
        at, length = 0.0, 0.0
        for task in path:
            length += abs(float(task) - at)
            at = float(task)
        return 10.0 * len(path) - length

    agent = BundleAgent("a", ["3", "1", "2"], value, neighbours=[], now=0.0, capacity=3)
    agent.handle(Tick(), 0.0)
    assert agent.path == ("1", "2", "3")
    assert agent.bundle[0] == "1"


ME, K, M, N, NONE = Claim("i", 5.0), Claim("k", 5.0), Claim("m", 5.0), Claim("n", 5.0), Claim("", 0.0)
HIGH, LOW = {"k": Claim("k", 9.0), "m": Claim("m", 9.0)}, {"k": Claim("k", 1.0), "m": Claim("m", 1.0)}


@pytest.mark.parametrize(
    ("mine", "theirs", "newer", "expected"),
    [
        # the sender k believes in itself
        (ME, HIGH["k"], "", HIGH["k"]),
        (ME, LOW["k"], "", ME),
        (ME, K, "", ME),  # equal bids: the lesser name
        (K, LOW["k"], "", LOW["k"]),
        (M, LOW["k"], "m", LOW["k"]),
        (M, LOW["k"], "", M),
        (M, HIGH["k"], "", HIGH["k"]),
        (NONE, LOW["k"], "", LOW["k"]),
        # in the receiver i
        (ME, ME, "", ME),
        (K, ME, "", NONE),
        (M, ME, "m", NONE),
        (M, ME, "", M),
        (NONE, ME, "", NONE),
        # in a third, m
        (ME, HIGH["m"], "m", HIGH["m"]),
        (ME, HIGH["m"], "", ME),
        (ME, LOW["m"], "m", ME),
        (K, LOW["m"], "m", LOW["m"]),
        (K, LOW["m"], "", NONE),
        (M, LOW["m"], "m", LOW["m"]),
        (M, LOW["m"], "", M),
        (N, LOW["m"], "mn", LOW["m"]),
        (N, HIGH["m"], "m", HIGH["m"]),
        (N, LOW["m"], "m", N),
        (N, LOW["m"], "n", NONE),
        (N, LOW["m"], "", N),
        (NONE, LOW["m"], "m", LOW["m"]),
        (NONE, LOW["m"], "", NONE),
        # in nobody
        (ME, NONE, "", ME),
        (K, NONE, "", NONE),
        (M, NONE, "m", NONE),
        (M, NONE, "", M),
        (NONE, NONE, "", NONE),
    ],
)
def test_table_1(mine: Claim, theirs: Claim, newer: str, expected: Claim) -> None:
    agent = solo(worth=0.0)
    known = {"x": 1, "m": 1, "n": 1}
    agent.handle(Beliefs(sender="x", claims={"t": Claim("x", 1.0)}, heard=known), 0.0)
    # what i believes at first comes from x, who is then unheard of
    agent._claims["t"] = mine  # pyright: ignore[reportPrivateUsage]
    heard = {"k": 1, **{name: 2 if name in newer else 1 for name in "mn"}}
    agent.handle(Beliefs(sender="k", claims={"t": theirs} if theirs.winner else {}, heard=heard), 0.0)
    assert agent.claims["t"] == expected


def test_old_news_wrong_numbers_and_echoes_are_not_read() -> None:
    agent = solo(worth=0.0)
    agent.handle(Beliefs(sender="k", claims={"t": Claim("k", 3.0)}, heard={"k": 5}), 0.0)
    agent.handle(Beliefs(sender="k", claims={"t": Claim("k", 9.0)}, heard={"k": 4}), 0.0)
    agent.handle(Beliefs(sender="i", claims={"t": Claim("i", 9.0)}, heard={"i": 9}), 0.0)
    for bid in (nan, inf):
        agent.handle(
            Beliefs(sender="k", claims={"t": Claim("k", bid), "unknown": Claim("k", 1.0)}, heard={"k": 6}), 0.0
        )
    assert dict(agent.claims) == {"t": Claim("k", 3.0)}


@pytest.mark.parametrize("worth", [nan, inf, -1.0, 0.0])
def test_what_gains_nothing_is_not_bid_for(worth: float) -> None:
    agent = solo(worth=worth)
    agent.handle(Tick(), 0.0)
    assert agent.bundle == ()


def test_rounds_are_bounded() -> None:
    agent = solo(rounds=3)
    times: list[float] = []
    while (due := agent.next_deadline()) is not None:
        assert agent.handle(Tick(), due - 1e-6) == []
        (told,) = agent.handle(Tick(), due)
        assert told.to == "k"
        times.append(due)
    assert times == pytest.approx([0.0, 0.1, 0.2])
    assert agent.done
    assert agent.handle(Tick(), 99.0) == []


@pytest.mark.parametrize("terms", [{"name": ""}, {"capacity": 0}])
def test_teams_that_can_not_work(terms: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        solo(**terms)  # pyright: ignore[reportArgumentType]
