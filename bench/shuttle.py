"""The Shuttle's telemetry as a bench: how well half-space trees rank its anomalies, how fast, and whether agents that
gossip agree on what an alarm is.

Of the gossip: each of `AGENTS` scores its share of the records. What it tells others is a sketch of its scores, never a
record; push-pull gossip merges the sketches, with packets lost; each takes its own estimate of the fleet's quantile for
its threshold, and raises its own alarms. They are compared with the alarms of one who sees all scores and sorts them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentbus.aggregation import Absolute, AggregationConfig, Rounds, Summary
from agentbus.detection.detectors import HalfSpaceTrees
from examples.shuttle.data import load

AGENTS = 12
LOSS = 0.05
ALARMS = 0.07
"""The share of the records that is to raise an alarm."""
BIN = 1.0 / 4096.0
"""Width of the sketch's bins: scores are from 0 to 1."""
SHARE = "scores"


@dataclass(frozen=True, slots=True)
class Stream:
    """Records, and which are anomalies."""

    records: Sequence[tuple[float, ...]]
    labels: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Scored:
    """What one pass over a stream gave."""

    scores: Sequence[float]
    elapsed_s: float


def telemetry(limit: int | None = None) -> Stream:
    """NASA's, as it comes with river."""
    loaded = load(None, None, limit)
    assert loaded.labels is not None
    return Stream([tuple(map(float, record)) for record in loaded.records], [bool(label) for label in loaded.labels])


def ours(stream: Stream, trees: int, seed: int) -> Scored:
    """Scored by what we ship."""
    detector = HalfSpaceTrees(trees=trees, seed=seed)
    begun = time.process_time()
    scores = [detector.score(0.0, record) for record in stream.records]
    return Scored(scores, time.process_time() - begun)


def rivers(stream: Stream, trees: int, seed: int) -> Scored:
    """The baseline: river's own, in a plain loop."""
    from river.anomaly import HalfSpaceTrees as Rivers
    from river.preprocessing import MinMaxScaler

    model: Any = Rivers(n_trees=trees, seed=seed)
    scaler: Any = MinMaxScaler()
    named = [dict(enumerate(record)) for record in stream.records]
    scores: list[float] = []
    begun = time.process_time()
    for record in named:
        scaler.learn_one(record)
        scaled = scaler.transform_one(record)
        scores.append(float(model.score_one(scaled)))
        model.learn_one(scaled)
    return Scored(scores, time.process_time() - begun)


def z_score(stream: Stream) -> Scored:
    """The baseline that needs no trees: the greatest z-score of the channels, over all records so far."""
    width = len(stream.records[0])
    mean, squares = [0.0] * width, [0.0] * width
    scores: list[float] = []
    begun = time.process_time()
    for count, record in enumerate(stream.records, 1):
        greatest = 0.0
        for place, value in enumerate(record):
            away = value - mean[place]
            mean[place] += away / count
            squares[place] += away * (value - mean[place])
            if squares[place] > 0.0:
                greatest = max(greatest, away * away * count / squares[place])
        scores.append(greatest)
    return Scored(scores, time.process_time() - begun)


def roc_auc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """The probability that an anomaly scores higher than another record; ties count a half (Mann and Whitney 1947)."""
    order = sorted(range(len(scores)), key=scores.__getitem__)
    rank_sum, at = 0.0, 0
    while at < len(order):
        end = at
        while end < len(order) and scores[order[end]] == scores[order[at]]:
            end += 1
        rank_sum += sum(labels[place] for place in order[at:end]) * (at + 1 + end) / 2.0
        at = end
    anomalies = sum(labels)
    return (rank_sum - anomalies * (anomalies + 1) / 2.0) / (anomalies * (len(labels) - anomalies))


def central_alarms(scores: Sequence[float], share: float = ALARMS) -> set[int]:
    """The alarms of one who sees all: above the exact quantile."""
    threshold = sorted(scores)[int((1.0 - share) * len(scores))]
    return {place for place, score in enumerate(scores) if score > threshold}


def local_alarms(scores: Sequence[float], owners: Sequence[int], share: float = ALARMS) -> set[int]:
    """The baseline without gossip: each takes the quantile of its own scores."""
    alarms: set[int] = set()
    for agent in set(owners):
        mine = [place for place, owner in enumerate(owners) if owner == agent]
        alarms |= {mine[place] for place in central_alarms([scores[place] for place in mine], share)}
    return alarms


def gossiped_alarms(scores: Sequence[float], owners: Sequence[int], seed: int, share: float = ALARMS) -> set[int]:
    """The alarms of agents who gossip sketches of their scores."""
    agents = sorted(set(owners))
    rounds = Rounds(AggregationConfig(precision=1e-4), seed=seed, loss=LOSS)
    rounds.join(*(f"agent-{agent}" for agent in agents))
    for agent in agents:
        mine = [score for score, owner in zip(scores, owners, strict=True) if owner == agent]
        rounds.contribute(f"agent-{agent}", SHARE, Summary(mine, bins=Absolute(BIN)))
    rounds.run(3 * rounds.config.settle_rounds(len(agents)))
    thresholds: dict[int, float] = {}
    for agent in agents:
        estimate = rounds.estimate(f"agent-{agent}", SHARE)
        assert estimate is not None, f"agent-{agent} knows nothing of the fleet"
        thresholds[agent] = estimate.quantile(1.0 - share)
    return {place for place, score in enumerate(scores) if score > thresholds[owners[place]]}


def jaccard(one: set[int], two: set[int]) -> float:
    """How much two sets have in common."""
    return len(one & two) / max(1, len(one | two))
