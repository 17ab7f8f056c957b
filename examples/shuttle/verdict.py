"""What a run came to: who did how much, how good the scores are, and whether every record has exactly one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from .forest import Floats

NOBODY = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One agent of the run.

    Attributes:
        records: what it says it handled; None when it was killed and can't be asked.
        scored: records that it was the first to score.
    """

    name: str
    process: int
    records: int | None
    scored: int
    killed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of a run.

    Attributes:
        auc: area under the ROC curve of all scores against the labels; None without labels of both kinds.
        repeats: scores that came a second time, equal to the first.
        problems: what did not add up; empty when all is well.
    """

    source: str
    records: int
    alarms: int
    repeats: int
    auc: float | None
    records_per_s: float
    elapsed_s: float
    members: Sequence[Member] = field(default_factory=tuple)
    problems: Sequence[str] = field(default_factory=tuple)

    @property
    def ok(self) -> bool:
        """Whether every record was scored exactly once."""
        return not self.problems

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {**asdict(self), "ok": self.ok}


def roc_auc(scores: Floats, labels: NDArray[np.bool_]) -> float | None:
    """The chance that an anomaly scores above a normal record, ties counting half: exact, by ranks.

    Reference: Mann and Whitney 1947. None when there are no anomalies, or nothing else.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return None
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks = (last - (count - 1) / 2)[place]
    above = ranks[labels].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def check(
    total: int, scores: Floats, scored_by: NDArray[np.int64], counts: dict[str, int], conflicts: int
) -> Sequence[str]:
    """What does not add up, record by record and in total.

    Args:
        total: records that were to be scored.
        scores: the desk's, by record.
        scored_by: whose score it is, by record; -1 for nobody's.
        counts: how many scores of each detector the desk has kept.
        conflicts: second scores that differed from the first.
    """
    problems: list[str] = []
    if len(scores) != total or len(scored_by) != total:
        problems.append(f"the desk knows {len(scores)} records of {total}")
    missing = np.flatnonzero(scored_by == NOBODY)
    if len(missing):
        problems.append(f"{len(missing)} records have no score, the first is {missing[0]}")
    odd = [record for record, score in enumerate(scores.tolist()) if not (math.isfinite(score) and 0 <= score <= 1)]
    if odd and not len(missing):
        problems.append(f"{len(odd)} scores are outside 0 to 1, the first is record {odd[0]}'s")
    if sum(counts.values()) != total:
        problems.append(f"the detectors' totals add up to {sum(counts.values())}, not {total}")
    for who, (name, count) in enumerate(counts.items()):
        found = int((scored_by == who).sum())
        if found != count:
            problems.append(f"{name} is said to have scored {count} records, but {found} bear its name")
    if conflicts:
        problems.append(f"{conflicts} records were given two different scores")
    return problems
