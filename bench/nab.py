"""The Numenta Anomaly Benchmark's scoring: detections early in a labelled window earn most, false alarms cost.

A detector gives each record of a file a score. One threshold, the best, is chosen over the whole corpus. At it, a
window earns what its first detection is worth, or costs a miss; a detection outside windows costs what it is from -0 to
-1 the further it is past the window before it, times the profile's weight. The sum is normalised: 0 is a detector that
detects nothing, 100 one that finds every window at its first record without a false alarm. The first 15% of a file, 750
records at most, are not scored.

Reference: A. Lavin, S. Ahmad, "Evaluating Real-time Anomaly Detection Algorithms - the Numenta Anomaly Benchmark",
ICMLA 2015, section II; the details as in NAB v1.1.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PROBATION = 0.15
"""The share of a file that is not scored ..."""
LONGEST = 5000
"""... of this many records at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What detections and misses are worth."""

    true_positive: float = 1.0
    false_negative: float = 1.0
    false_positive: float = 0.11


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One file: its name in the corpus, its records, and the windows that hold its anomalies (first and last row)."""

    name: str
    times_s: tuple[float, ...]
    values: tuple[float, ...]
    windows: tuple[tuple[int, int], ...]

    @property
    def probation(self) -> int:
        """Rows at the beginning that are not scored."""
        return int(min(math.floor(PROBATION * len(self.values)), PROBATION * LONGEST))


@dataclass(frozen=True, slots=True)
class Point:
    """What a detection at a row that is scored is worth: in a window (its number over the corpus) or in none."""

    worth: float
    window: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The normalised score of a corpus, at its best threshold."""

    score: float
    threshold: float
    found: int
    windows: int
    false_alarms: int


def load(folder: Path) -> list[Series]:
    """Every labelled file below ``data/``, as ``labels/combined_windows.json`` says."""
    labels: Mapping[str, Sequence[Sequence[str]]] = json.loads((folder / "labels/combined_windows.json").read_text())
    paths = sorted((folder / "data").glob("*/*.csv"))
    return [_series(path, labels[name]) for path in paths if (name := f"{path.parent.name}/{path.name}") in labels]


def profile(folder: Path, name: str = "standard") -> Profile:
    """A profile of ``config/profiles.json``."""
    costs = json.loads((folder / "config/profiles.json").read_text())[name]["CostMatrix"]
    return Profile(true_positive=costs["tpWeight"], false_negative=costs["fnWeight"], false_positive=costs["fpWeight"])


def published(folder: Path, detector: str, series: Series) -> list[float]:
    """The scores that a detector's authors published for a file."""
    with (folder / "results" / detector / series.name).open(newline="") as lines:
        return [float(row["anomaly_score"]) for row in csv.DictReader(lines)]


def score(corpus: Sequence[Series], scores: Sequence[Sequence[float]], costs: Profile) -> Result:
    """The corpus's score at the best threshold."""
    rows = _rows(corpus, scores, costs)
    windows = {point.window for _, point in rows if point.window is not None}
    total = -costs.false_negative * len(windows)
    worst = total
    best = Result(score=0.0, threshold=math.inf, found=0, windows=len(windows), false_alarms=0)
    most, false_alarms = total, 0
    earned: dict[int, float] = {}
    for place, (value, point) in enumerate(rows):
        if point.window is None:
            total += point.worth
            false_alarms += 1
        elif point.worth > (before := earned.get(point.window, -costs.false_negative)):
            total += point.worth - before
            earned[point.window] = point.worth
        if total > most and (place + 1 == len(rows) or rows[place + 1][0] != value):
            most = total
            best = _result(total, worst, value, len(earned), len(windows), false_alarms, costs)
    return best


def score_at(corpus: Sequence[Series], scores: Sequence[Sequence[float]], costs: Profile, threshold: float) -> Result:
    """The corpus's score at a threshold chosen elsewhere."""
    rows = _rows(corpus, scores, costs)
    windows = {point.window for _, point in rows if point.window is not None}
    earned: dict[int, float] = {}
    false = [point.worth for value, point in rows if point.window is None and value >= threshold]
    for value, point in rows:
        if point.window is not None and value >= threshold:
            earned[point.window] = max(point.worth, earned.get(point.window, -costs.false_negative))
    worst = -costs.false_negative * len(windows)
    total = sum(false) + sum(earned.values()) - costs.false_negative * (len(windows) - len(earned))
    return _result(total, worst, threshold, len(earned), len(windows), len(false), costs)


def _result(
    total: float, worst: float, threshold: float, found: int, windows: int, false_alarms: int, costs: Profile
) -> Result:
    perfect = costs.true_positive * windows
    normal = 100.0 * (total - worst) / (perfect - worst) if windows else 0.0
    return Result(score=normal, threshold=threshold, found=found, windows=windows, false_alarms=false_alarms)


def _rows(corpus: Sequence[Series], scores: Sequence[Sequence[float]], costs: Profile) -> list[tuple[float, Point]]:
    """Every row that is scored with its points, the highest score first."""
    rows: list[tuple[float, Point]] = []
    first = 0
    for series, given in zip(corpus, scores, strict=True):
        if len(given) != len(series.values):
            raise ValueError(f"{series.name}: {len(given)} scores for {len(series.values)} records")
        scored = points(series, costs, first)[series.probation :]
        rows.extend(zip(given[series.probation :], scored, strict=True))
        first += len(series.windows)
    rows.sort(key=lambda row: -row[0])
    return rows


def points(series: Series, costs: Profile, first: int = 0) -> list[Point]:
    """What a detection at each row is worth; windows are numbered from `first`."""
    made: list[Point] = []
    most = sigmoid(-1.0)
    before: tuple[int, int] | None = None
    waiting = list(enumerate(series.windows, first))
    for row in range(len(series.values)):
        while waiting and row > waiting[0][1][1]:
            before = waiting.pop(0)[1]
        if waiting and row >= waiting[0][1][0]:
            number, (start, end) = waiting[0]
            where = -(end - row + 1) / (end - start + 1)
            made.append(Point(sigmoid(where) * costs.true_positive / most, number))
        elif before is None:
            made.append(Point(-costs.false_positive, None))
        else:
            past = (row - before[1]) / max(1, before[1] - before[0])
            made.append(Point(sigmoid(past) * costs.false_positive, None))
    return made


def sigmoid(where: float) -> float:
    """Near 1 at a window's begin (-1), 0 at its end (0), near -1 long after it."""
    return -1.0 if where > 3.0 else 2.0 / (1.0 + math.exp(5.0 * where)) - 1.0


def time_s(text: str) -> float:
    """Seconds since 1970 of a time as NAB writes it; it is taken for UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _series(path: Path, windows: Sequence[Sequence[str]]) -> Series:
    with path.open(newline="") as lines:
        rows = [(time_s(row["timestamp"]), float(row["value"])) for row in csv.DictReader(lines)]
    times = [at for at, _ in rows]
    places = tuple((times.index(time_s(first)), times.index(time_s(last))) for first, last in windows)
    values = tuple(value for _, value in rows)
    name = f"{path.parent.name}/{path.name}"
    return Series(name=name, times_s=tuple(times), values=values, windows=places)
