"""How fast gossip averages: push-pull's variance a cycle, push-sum's rounds."""

from __future__ import annotations

from math import exp, log
from random import Random
from statistics import fmean, pvariance

from agentbus.aggregation import AggregationConfig, Rounds, Summary
from agentbus.aggregation.model import COUNT, TOTAL, Contribute, Key

from .figure import Asked, Figure, Line

NODES = 1_000
PRECISION = 1e-3
VALUE: Key = ("x|", TOTAL, 0)
SHARE: Key = ("x|", COUNT, 0)
THEORY = 0.3033


def fleet(mode: str, order: str, nodes: int, seed: int) -> Rounds:
    """Nodes that take part in one epoch; each contributes a number from 0 to 1, from the next round on."""
    config = AggregationConfig(mode=mode, epochs=100.0)  # type: ignore[arg-type]
    rounds = Rounds(config, seed=seed, order=order)  # type: ignore[arg-type]
    rounds.join(*(f"n{number}" for number in range(nodes)))
    while len({machine.epoch for machine in rounds.machines.values()}) > 1:
        rounds.run()
    chance = Random(seed)
    for machine in rounds.machines.values():
        machine.handle(Contribute("x", Summary([chance.random()])), 0.0)
    return rounds


def cycle_factor(nodes: int, cycles: int, seed: int) -> float:
    """What a cycle of push-pull leaves of the variance: the geometric mean of so many."""
    rounds = fleet("push-pull", "sequence", nodes, seed)

    def variance() -> float:
        return pvariance([machine.held[VALUE] for machine in rounds.machines.values()])

    rounds.run()
    before = variance()
    rounds.run(cycles)
    return exp(log(variance() / before) / cycles)


def rounds_to(precision: float, nodes: int, seed: int, limit: int = 200) -> int:
    """Rounds of push-sum until no node's mean is off by more than that share."""
    rounds = fleet("push-sum", "together", nodes, seed)
    own = rounds.own()
    true = own[VALUE] / own[SHARE]
    for number in range(1, limit):
        rounds.run()
        means = [machine.held[VALUE] / machine.held[SHARE] for machine in rounds.machines.values()]
        if max(abs(mean - true) for mean in means) <= precision * true:
            return number
    return limit


def lost_mass(nodes: int, seed: int) -> float:
    """The largest share of any mass that is missing, or too much, after rounds with a fifth of all packets lost."""
    rounds = Rounds(AggregationConfig(epochs=100.0), seed=seed, loss=0.2, duplicate=0.05)
    rounds.join(*(f"n{number}" for number in range(nodes)))
    for number, machine in enumerate(rounds.machines.values()):
        machine.handle(Contribute("x", Summary([float(number)])), 0.0)
    rounds.run(40)
    rounds.leave("n1", "n2", "n3")
    rounds.run(30)
    rounds.loss = rounds.duplicate = 0.0
    while any(machine.waiting for machine in rounds.machines.values()):
        rounds.run()
    held, own = rounds.held(), rounds.own()
    return max(abs(held[key] / value - 1.0) for key, value in own.items() if value)


def run(asked: Asked) -> list[Line]:
    """Both protocols."""
    trials = asked.count(10, 1)
    nodes = asked.count(NODES, 200)
    asked.told(f"push-pull among {nodes}")
    factors = [cycle_factor(nodes, 10, asked.seed + trial) for trial in range(trials)]
    asked.told(f"push-sum among {nodes}")
    taken = [rounds_to(PRECISION, nodes, asked.seed + trial) for trial in range(trials)]
    asked.told("mass, with loss and leavers")
    wrong = lost_mass(asked.count(128, 20), asked.seed)
    slack = asked.count(1, 5) * 0.01
    return [
        Line(
            title=f"push-pull: variance left by a cycle, {nodes} nodes",
            value=fmean(factors),
            least=THEORY - slack,
            most=THEORY + slack,
            reference="Jelasity: 1/(2 sqrt(e)) = 0.3033",
        ),
        Line(
            title=f"push-sum: rounds until all are within {PRECISION:g}, {nodes} nodes, mean",
            value=fmean(taken),
            unit="rounds",
            most=28.0,
            reference="26 rounds",
        ),
        Line(title="push-sum: the most rounds", value=max(taken), unit="rounds", reference=f"{trials} runs"),
        Line(
            title="mass missing after 20% loss and three leavers",
            value=wrong,
            most=1e-9,
            reference="push-sum without a ledger loses 20% a round",
        ),
    ]


FIGURE = Figure(
    name="averages",
    title="Gossiped averages",
    method=f"{NODES} machines in rounds, each holds a number from 0 to 1; push-pull one after the other, shuffled anew "
    "each cycle (GETPAIR_SEQ), push-sum all at once.",
    run=run,
)
