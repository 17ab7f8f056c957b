"""``python -m bench.healing``: how fast a fleet heals, over many faults of each kind.

The harness is the demo's (`examples.selfhealing`): twelve processes, three brokers, real signals, a real partition.
Each arm is one run with many faults of one kind; every run ends with the comparison to a plain loop, record for record.
Told are the median, the 95th percentile and the greatest of: detect (fault to the first verdict), recover (fault to the
first result of a successor, for the last of the shards), convict (a liar's first wrong published score to the first
verdict); and what must be 0: records lost, counted twice, differing; nodes blamed for nothing; leases lost by live
holders.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agentbus.observability.logs import configure
from examples.selfhealing.crew import MemberFailed
from examples.selfhealing.outcome import Outcome
from examples.selfhealing.performance import Stalled, perform
from examples.selfhealing.plan import Lie, Plan
from examples.selfhealing.screen import Silent
from examples.selfhealing.verdict import Verdict
from examples.shuttle.data import load

from . import machine

RECORDS = 12_000
"""Of the Shuttle's telemetry; they come again as long as there are faults to come."""
FEWEST = 20
"""Faults of a kind for a figure; fewer are a smoke test."""
REFERENCES = (
    ("Kubernetes, a node that is lost (node-monitor-grace-period 40 s + tolerationSeconds 300 s)", "340 s"),
    ("Dask distributed, a worker that is lost (scheduler worker-ttl)", "300 s"),
    ("a published MAPE-K framework for self-healing services, with 93.2% of the faults recovered", "3.9 s"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One kind of fault, many times.

    Attributes:
        name: on the command line.
        kind: the demo's name for it.
        recover_s, convict_s: the bars, p95 in seconds; None: told only.
        lie: how liars lie.
        liars: f, how many the agents withstand.
        keeps_leases: no live holder may lose a lease.
    """

    name: str
    kind: str
    recover_s: float | None = None
    convict_s: float | None = None
    lie: Lie = field(default_factory=Lie)
    liars: int = 1
    keeps_leases: bool = False


ARMS = (
    Arm(name="kill", kind="kill", recover_s=3.0),
    Arm(name="stop", kind="stop", recover_s=5.0),
    Arm(name="slow", kind="slow"),
    Arm(name="broker", kind="broker", recover_s=12.0, keeps_leases=True),
    Arm(name="partition", kind="partition", recover_s=12.0, keeps_leases=True),
    Arm(name="lie", kind="lie", convict_s=5.0),
    Arm(name="lie-10", kind="lie", convict_s=5.0, lie=Lie(share=0.10)),
    Arm(name="lie-5", kind="lie", convict_s=5.0, lie=Lie(share=0.05)),
    Arm(name="lie-1", kind="lie", lie=Lie(share=0.01)),
    Arm(name="poison", kind="lie", convict_s=5.0, lie=Lie(poison=True)),
    Arm(name="lie-2", kind="lie", convict_s=5.0, lie=Lie(liars=2, share=0.10), liars=3),
    Arm(name="lie-3", kind="lie", convict_s=5.0, lie=Lie(liars=3), liars=3),
    Arm(name="lie-accuse", kind="lie", convict_s=5.0, lie=Lie(liars=3, accuse=True), liars=3),
)


@dataclass(frozen=True, slots=True)
class Spread:
    """Of some seconds: median, 95th percentile, greatest, and how many."""

    p50: float
    p95: float
    greatest: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """None of none. The percentile is the nearest rank: a value that was seen."""
        if not values:
            return None
        ordered = sorted(values)
        return cls(_rank(ordered, 0.50), _rank(ordered, 0.95), ordered[-1], len(ordered))

    def __str__(self) -> str:
        return f"{self.p50:.2f} / {self.p95:.2f} / {self.greatest:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an arm has shown.

    Attributes:
        arm: which.
        faults: how many.
        recovered: those of which every shard had a successor's result.
        healed: those that were wholly over.
        wrong: of `faults`, those that published something wrong; only liars do.
        convicted: liars that were convicted, of those that published something wrong.
        detect, recover, convict: seconds.
        verdict: of the run.
    """

    arm: Arm
    faults: int
    recovered: int
    healed: int
    wrong: int
    convicted: int
    detect: Spread | None
    recover: Spread | None
    convict: Spread | None
    verdict: Verdict

    @classmethod
    def of(cls, arm: Arm, verdict: Verdict) -> Result:
        """Of a run."""
        outcomes = verdict.outcomes
        lies = arm.kind == "lie"
        return cls(
            arm=arm,
            faults=len(outcomes),
            recovered=sum(outcome.recover_s is not None for outcome in outcomes),
            healed=sum(outcome.healed for outcome in outcomes),
            wrong=sum(outcome.wrong for outcome in outcomes) if lies else 0,
            convicted=sum(len(outcome.each_s) for outcome in outcomes) if lies else 0,
            detect=_spread(outcomes, "detect_s"),
            recover=_spread(outcomes, "recover_s"),
            convict=Spread.of([at_s for outcome in outcomes for at_s in outcome.each_s.values()]) if lies else None,
            verdict=verdict,
        )

    @property
    def false_alarms(self) -> int:
        """Nodes blamed for nothing."""
        return sum(outcome.false_alarms for outcome in self.verdict.outcomes) + self.verdict.calm_alarms

    @property
    def leases_lost(self) -> int:
        """Shards that live and well holders lost."""
        return sum(outcome.leases_lost for outcome in self.verdict.outcomes)

    def misses(self) -> list[str]:
        """What is not as the bar says."""
        arm, answer = self.arm, self.verdict.answer
        found: list[str] = []
        for name, spread, bar_s in (("recover", self.recover, arm.recover_s), ("convict", self.convict, arm.convict_s)):
            if bar_s is not None and (spread is None or spread.p95 > bar_s):
                found.append(f"{name} p95 {f'{spread.p95:.2f}' if spread else 'never'} s, the bar is {bar_s:g} s")
        if self.recovered < self.faults:
            found.append(f"{self.recovered} of {self.faults} faults recovered")
        if arm.convict_s is not None and self.convicted < self.wrong:
            found.append(f"{self.convicted} of {self.wrong} liars convicted")
        for count, word in (
            (answer.lost, "records lost"),
            (answer.twice, "records counted twice"),
            (answer.differing, "records differ"),
            (self.verdict.unverified, "batches never verified"),
            (self.false_alarms, "nodes blamed for nothing"),
            (self.leases_lost if arm.keeps_leases else 0, "leases lost by live holders"),
        ):
            if count:
                found.append(f"{count} {word}")
        return [*found, *self.verdict.problems]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        spreads = {name: _seconds(getattr(self, name)) for name in ("detect", "recover", "convict")}
        return {
            "arm": self.arm.name,
            "faults": self.faults,
            "recovered": self.recovered,
            "healed": self.healed,
            "wrong": self.wrong,
            "convicted": self.convicted,
            **spreads,
            "bars": {"recover_s": self.arm.recover_s, "convict_s": self.arm.convict_s},
            "false_alarms": self.false_alarms,
            "leases_lost": self.leases_lost,
            "misses": self.misses(),
            "run": self.verdict.as_json(),
        }


def measure(arm: Arm, plan: Plan, faults: int) -> Result:
    """Runs an arm. Raises what `perform` does."""
    folder = Path(tempfile.mkdtemp(prefix="agentbus-healing-")).resolve()
    wanted = replace(plan, faults=(arm.kind,) * faults, lie=arm.lie, liars=arm.liars)
    try:
        return Result.of(arm, asyncio.run(perform(wanted, folder, Silent())))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show(console: Console, results: Sequence[Result]) -> None:
    """Prints the table."""
    table = Table(title="healing: seconds, p50 / p95 / greatest", title_justify="left")
    for column in (
        "arm",
        "faults",
        "recovered",
        "detect",
        "recover",
        "bar",
        "convict",
        "bar",
        "liars",
        "lost",
        "twice",
    ):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for column in ("differ", "false alarms", "leases lost", "verdict"):
        table.add_column(column, justify="right")
    for result in results:
        arm, answer, misses = result.arm, result.verdict.answer, result.misses()
        table.add_row(
            arm.name,
            str(result.faults),
            f"{result.recovered / max(1, result.faults):.0%}",
            _told(result.detect),
            _told(result.recover),
            _bar(arm.recover_s),
            _told(result.convict),
            _bar(arm.convict_s),
            f"{result.convicted} of {result.wrong}" if arm.kind == "lie" else "",
            str(answer.lost),
            str(answer.twice),
            str(answer.differing),
            str(result.false_alarms),
            str(result.leases_lost),
            "[bold red]missed[/]" if misses else "[green]met[/]",
        )
    console.print(table)
    for result in results:
        for miss in result.misses():
            console.print(f"{result.arm.name}: {miss}", style="red", highlight=False)
    for what, how_long in REFERENCES:
        console.print(f"for comparison: {how_long:>6}  {what}", highlight=False)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    names = [arm.name for arm in ARMS]
    parser = argparse.ArgumentParser(prog="python -m bench.healing", description="How fast a fleet heals.")
    parser.add_argument("--kind", default=",".join(names), metavar="NAME,...", help=f"some of {','.join(names)}")
    parser.add_argument("--faults", type=int, default=FEWEST, metavar="N", help=f"of each kind (default {FEWEST})")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--secure", action="store_true", help="in a realm of identities")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a bar is missed")
    parser.add_argument("--quick", action="store_true", help="two faults of each kind: whether it works, no figures")
    asked = parser.parse_args(argv)
    asked.arms = [arm for name in asked.kind.split(",") for arm in ARMS if arm.name == name]
    unknown = [name for name in asked.kind.split(",") if name not in names]
    if unknown:
        parser.error(f"--kind {','.join(unknown)}: use some of {', '.join(names)}")
    if asked.faults < 1:
        parser.error(f"--faults {asked.faults}: use 1 or more")
    return asked


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints and writes; returns the exit status."""
    asked = arguments(argv)
    configure("error")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the run in order, and its processes with it
    console = Console(width=None if sys.stdout.isatty() else 220)
    telemetry = load(None, limit=RECORDS)
    plan = Plan(
        records=telemetry.records,
        source=telemetry.source,
        seed=asked.seed,
        secure=asked.secure,
        settle_s=3.5,
        rest_s=1.0,
    )
    about, results = machine.description(), list[Result]()
    failed = False
    for arm in asked.arms:
        console.print(f"{arm.name} ...", highlight=False)
        try:
            results.append(measure(arm, plan, 2 if asked.quick else asked.faults))
        except (Stalled, MemberFailed) as error:
            failed = True
            console.print(f"{arm.name}: {error}", style="red", highlight=False)
            continue
        console.print(f"{arm.name}: recover {_told(results[-1].recover)}, convict {_told(results[-1].convict)}")
        _write(asked.json, about, results)
    show(console, results)
    if asked.quick or asked.faults < FEWEST:
        console.print(f"fewer than {FEWEST} faults a kind: no figures", style="yellow")
    return int(failed or (asked.check and any(result.misses() for result in results)))


def _write(path: Path | None, about: Mapping[str, Any], results: Sequence[Result]) -> None:
    if path is not None:
        text = json.dumps({"about": about, "arms": [result.as_json() for result in results]}, indent=1)
        path.write_text(text + "\n", "utf-8")


def _spread(outcomes: Sequence[Outcome], name: str) -> Spread | None:
    return Spread.of([at_s for outcome in outcomes if (at_s := getattr(outcome, name)) is not None])


def _rank(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _told(spread: Spread | None) -> str:
    return "" if spread is None else str(spread)


def _bar(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:g}"


def _seconds(spread: Spread | None) -> dict[str, float] | None:
    return None if spread is None else {"p50": spread.p50, "p95": spread.p95, "greatest": spread.greatest}


if __name__ == "__main__":
    sys.exit(main())
