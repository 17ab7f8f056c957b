"""``python -m bench.detection``: how well and how fast the detectors find anomalies, each beside its baselines.

* ``nab``: the Numenta Anomaly Benchmark's scoring (`bench.nab`) of the files in ``--nab DIR`` (or ``AGENTBUS_NAB``),
  which has NAB's layout: ``data/``, ``labels/combined_windows.json``, ``config/profiles.json``, and published scores
  below ``results/DETECTOR/``. These are scored first: whoever knows what they come to sees that the scorer is right.
* ``shuttle``: NASA's Shuttle telemetry (`bench.shuttle`), central and gossiped.

Speeds are of the calls of ``score`` in a plain loop, by the time that the processor gave to it. Exit status with
``--check``: 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import mean

from rich.console import Console
from rich.table import Table

from agentbus.detection.detectors import make

from . import machine, nab, shuttle

PUBLISHED = {"windowedGaussian": 22.0, "relativeEntropy": 50.0}
"""What a right scorer gives for the part of the corpus that the bars were set on: published detectors ..."""
PART = 35
"""... and how many files that part has."""
BARS = {"default": (42.0, 200_000.0), "best": (58.0, 5_000.0)}
"""Detector, least score, least points a second."""
OTHERS = ("range", "mean-range", "day-range", "ewma", "entropy")
REFERENCES = "on the part of 35 files: out of range by 5% 41.5, KNN-CAD 53.0, Numenta HTM 66.6"
HALVINGS = 20
TREES = 50
QUICK_RECORDS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. `bar`: the least that is asked; None: told only."""

    group: str
    what: str
    value: float
    unit: str
    bar: float | None = None
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether the bar is missed."""
        return self.bar is not None and self.value < self.bar


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.detection", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=["nab", "shuttle"], help="some of the figures")
    parser.add_argument("--nab", type=Path, metavar="DIR", help="by default what AGENTBUS_NAB says")
    parser.add_argument("--quick", action="store_true", help="few records: whether it works, no numbers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a bar is missed")
    return parser.parse_args(argv)


def nab_rows(folder: Path) -> Iterator[Row]:
    """The benchmark's figures."""
    corpus, costs = nab.load(folder), nab.profile(folder)
    known = len(corpus) == PART
    for detector, expected in PUBLISHED.items():
        if (folder / "results" / detector).is_dir():
            result = nab.score(corpus, [nab.published(folder, detector, series) for series in corpus], costs)
            note = f"published scores; {expected} is right" if known else "published scores"
            yield _row(f"{detector} (baseline)", result, note)
            if known and abs(result.score - expected) > 0.05:
                yield Row(group="nab", what=f"the scorer is right for {detector}", value=0.0, unit="", bar=1.0)
    for name in (*BARS, *OTHERS):
        least, fastest = BARS.get(name, (None, None))
        scores, points_per_s = run(name, corpus)
        result = nab.score(corpus, scores, costs)
        yield _row(name, result, f"threshold {result.threshold:.3g}", least if known else None)
        yield Row(group="nab", what=f"{name}, speed", value=points_per_s, unit="points/s", bar=fastest)
        if name in BARS:
            yield from _halves(name, corpus, scores, costs)


def run(name: str, corpus: Sequence[nab.Series]) -> tuple[list[list[float]], float]:
    """The scores of a detector for each file, each begun anew, and its points a second."""
    scores: list[list[float]] = []
    elapsed_s = 0.0
    for series in corpus:
        score = make(name).score
        begun = time.process_time()
        scores.append([score(at, x) for at, x in zip(series.times_s, series.values, strict=True)])
        elapsed_s += time.process_time() - begun
    return scores, sum(map(len, scores)) / max(elapsed_s, 1e-9)


def _row(what: str, result: nab.Result, note: str, bar: float | None = None) -> Row:
    counts = f"{result.found} of {result.windows} windows, {result.false_alarms} false alarms"
    return Row(group="nab", what=what, value=result.score, unit="NAB score", bar=bar, note=f"{counts}; {note}")


def _halves(
    name: str, corpus: Sequence[nab.Series], scores: Sequence[Sequence[float]], costs: nab.Profile
) -> Iterator[Row]:
    """The threshold chosen on a random half of the files, the score on the other half."""
    rng = Random(0)
    places = list(range(len(corpus)))
    seen: list[float] = []
    for _ in range(HALVINGS):
        rng.shuffle(places)
        halves = places[: len(places) // 2], places[len(places) // 2 :]
        for chosen, judged in (halves, halves[::-1]):
            threshold = nab.score([corpus[n] for n in chosen], [scores[n] for n in chosen], costs).threshold
            others, theirs = [corpus[n] for n in judged], [scores[n] for n in judged]
            seen.append(nab.score_at(others, theirs, costs, threshold).score)
    note = f"mean of {len(seen)} random halves, {min(seen):.1f} to {max(seen):.1f}"
    yield Row(group="nab", what=f"{name}, threshold from other files", value=mean(seen), unit="NAB score", note=note)


def shuttle_rows(quick: bool) -> Iterator[Row]:
    """The Shuttle's figures."""
    stream = shuttle.telemetry(QUICK_RECORDS if quick else None)
    seeds = 1 if quick else 4
    arms: list[tuple[str, Callable[[int], shuttle.Scored], float | None, int]] = [
        (f"half-space trees, {TREES} trees, central", lambda seed: shuttle.ours(stream, TREES, seed), 0.97, seeds),
        ("half-space trees, 25 trees, central", lambda seed: shuttle.ours(stream, 25, seed), None, seeds),
        ("river's own, 25 trees (baseline)", lambda seed: shuttle.rivers(stream, 25, seed), None, 1),
        ("greatest z-score of the channels (baseline)", lambda _: shuttle.z_score(stream), None, 1),
    ]
    central: Sequence[float] = ()
    for what, arm, bar, rounds in arms:
        runs = [arm(seed) for seed in range(rounds)]
        central = central or runs[0].scores
        aucs = [shuttle.roc_auc(each.scores, stream.labels) for each in runs]
        note = f"mean of seeds 0 to {rounds - 1}: {' '.join(f'{auc:.4f}' for auc in aucs)}" if rounds > 1 else "seed 0"
        asked = None if quick else bar
        yield Row(group="shuttle", what=what, value=mean(aucs), unit="ROC AUC", bar=asked, note=note)
        speed = max(len(each.scores) / each.elapsed_s for each in runs)
        yield Row(group="shuttle", what=f"{what}, speed", value=speed, unit="records/s")
    yield from _alarm_rows(central, quick)


def _alarm_rows(scores: Sequence[float], quick: bool) -> Iterator[Row]:
    exact = shuttle.central_alarms(scores)
    owners = [place * shuttle.AGENTS // len(scores) for place in range(len(scores))]
    alike = [shuttle.jaccard(exact, shuttle.gossiped_alarms(scores, owners, seed)) for seed in range(1 if quick else 3)]
    note = f"{shuttle.AGENTS} agents, {shuttle.LOSS:.0%} of the packets lost, {len(exact)} alarms; the least of seeds"
    what = "alarms by gossiped thresholds against central ones"
    yield Row(group="shuttle", what=what, value=min(alike), unit="Jaccard", bar=0.98, note=note)
    local = shuttle.jaccard(exact, shuttle.local_alarms(scores, owners))
    yield Row(group="shuttle", what="each by its own quantile (baseline)", value=local, unit="Jaccard")


def show(console: Console, rows: Sequence[Row]) -> None:
    """Prints the table."""
    table = Table(title="Detection", title_justify="left")
    for heading in ("figure", "arm", "value", "unit", "bar", "verdict", "note"):
        table.add_column(heading, overflow="fold", justify="right" if heading in {"value", "bar"} else "left")
    for row in rows:
        verdict = "" if row.bar is None else "[bold red]missed[/]" if row.missed else "[green]met[/]"
        bar = "" if row.bar is None else f">= {_number(row.bar)}"
        table.add_row(row.group, row.what, _number(row.value), row.unit, bar, verdict, row.note)
    console.print(table)
    console.print(REFERENCES, markup=False)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000.0 else f"{value:.2f}" if value > 1.0 else f"{value:.4f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints, writes. Returns 1 when a bar is missed and ``--check`` was given; 2 for a wrong folder."""
    asked = arguments(argv)
    wanted = asked.only or ["nab", "shuttle"]
    console = Console(width=None if sys.stdout.isatty() else 200)
    about = machine.description()
    rows: list[Row] = []
    if "nab" in wanted:
        folder = asked.nab or Path(os.environ.get("AGENTBUS_NAB", ""))
        if (folder / "labels").is_dir():
            rows.extend(nab_rows(folder))
        elif asked.nab or asked.only or "AGENTBUS_NAB" in os.environ:
            console.print(f"no NAB corpus in {str(folder)!r}: --nab DIR, with data/, labels/ and config/", markup=False)
            return 2
        else:
            console.print("nab: not run; --nab DIR says where the corpus is")
    if "shuttle" in wanted:
        rows.extend(shuttle_rows(asked.quick))
    show(console, rows)
    if machine.busy(about):
        console.print(f"Others used the machine (load {about['load average before']}): speeds are preliminary.")
    if asked.json:
        figures = [{**asdict(row), "missed": row.missed} for row in rows]
        asked.json.write_text(json.dumps({"about": about, "figures": figures}, indent=1) + "\n")
    return int(asked.check and any(row.missed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
