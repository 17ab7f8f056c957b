"""``python -m bench.market``: how good the market's mechanisms are, each beside an oracle that ran on the same input.

* ``assignment``: the distributed auction against scipy's Hungarian method, 10, 50 and 200 bidders;
* ``bundles``: CBBA with one task an agent against the same, larger bundles against brute force, lossy networks too;
* ``trading``: the double auction with traders of no intelligence against the sorted surplus;
* ``truth``: the most that one bidder of a second-price auction gains by a lie, by brute force; first price beside it;
* ``trust``: EigenTrust against networkx's PageRank, and jobs that fail under Kamvar's threat models A to D against the
  same agents that choose at random;
* ``ledger``: transfers on the escrow ledger, in several processes on a nats-server, with and without kills (SIGKILL)
  of its writer and of who pays, against the auditor and the lists of who paid.

All is seeded; only the ledger is timed. Exit status with ``--check``: 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median

from rich.console import Console
from rich.table import Table

from agentbus.market import Pricing
from agentbus.observability.logs import configure

from . import machine
from .markets import ledger, sharing, trading, trust, truth

SIZES = {10: 300, 50: 30, 200: 5}
"""Agents, and how many seeds."""
QUICK_SIZES = {10: 5, 20: 2}
LOSS, DELAY = 0.3, 3
TEAMS = ((4, 6, 3), (3, 6, 6), (5, 5, 2))
"""Agents, tasks, capacity: what brute force can still do."""
INSTANCES, LIES = 2_000, 60
MARKETS = {10: 500, 100: 10}
"""Buyers (and as many sellers), and how many markets."""
ROUNDS = 10
SOCIETIES = 5
FALL = {"A": 0.8, "B": 0.8}
"""By which share jobs that fail have to fall, where that is asked."""
SAME = 1e-12
PAGERANK_ALPHA = 0.15
LEDGERS = (
    ledger.Arm(transfers=16_000, window=1),
    ledger.Arm(transfers=100_000),
    ledger.Arm(transfers=100_000, kills=20, writers=10),
)
QUICK_LEDGERS = (ledger.Arm(transfers=800, kills=2, writers=1, agents=4, processes=2),)
RATE = 1_000.0
"""Transfers a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. `bar`: what is asked, at least or (`most`) at most; None: told only."""

    group: str
    what: str
    value: float
    unit: str
    bar: float | None = None
    most: bool = False
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether the bar is missed."""
        if self.bar is None:
            return False
        return not (self.value <= self.bar if self.most else self.value >= self.bar)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.market", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(GROUPS), help="some of the figures")
    parser.add_argument("--quick", action="store_true", help="few seeds: whether it works, no bars")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a bar is missed")
    return parser.parse_args(argv)


def assignment_rows(quick: bool) -> Iterator[Row]:
    """The assignment auction."""
    for n, seeds in (QUICK_SIZES if quick else SIZES).items():
        runs = [sharing.auctioned(n, seed) for seed in range(seeds)]
        optimal = mean(run.reached == run.optimum and not run.conflicts for run in runs)
        note = f"seeds 0 to {seeds - 1}; the least share of an optimum {min(run.share for run in runs):.6f}"
        yield Row(group="assignment", what=f"n = {n}", value=optimal, unit="of seeds optimal", bar=1.0, note=note)


def bundle_rows(quick: bool) -> Iterator[Row]:
    """CBBA."""
    for n, seeds in (QUICK_SIZES if quick else SIZES).items():
        runs = [sharing.single(n, seed) for seed in range(seeds)]
        what = f"bundle of one, n = {n}"
        yield Row(
            group="bundles",
            what=what,
            value=mean(run.share for run in runs),
            unit="of the optimum",
            bar=None if quick else 0.93,
            note=f"mean of seeds 0 to {seeds - 1}; {_ending(runs)}",
        )
    for agents, tasks, capacity in TEAMS[:1] if quick else TEAMS:
        for loss, delay in ((0.0, 0), (LOSS, DELAY)):
            runs = [
                sharing.bundled(seed, agents=agents, tasks=tasks, capacity=capacity, loss=loss, delay=delay)
                for seed in range(2 if quick else 100)
            ]
            lossy = f", {loss:.0%} of messages lost, others up to {delay} rounds late" if loss else ""
            yield Row(
                group="bundles",
                what=f"{agents} agents, {tasks} tasks, bundles of {capacity}{lossy}",
                value=min(run.share for run in runs),
                unit="of the optimum, least",
                bar=0.5,
                note=f"{len(runs)} seeds, mean {mean(run.share for run in runs):.4f}; {_ending(runs)}",
            )
            wrong = sum(run.conflicts + (not run.settled) for run in runs)
            yield Row(
                group="bundles",
                what="the same: conflicts, and teams that did not agree",
                value=wrong,
                unit="",
                bar=0.0,
                most=True,
            )


def _ending(runs: Sequence[sharing.Shared]) -> str:
    rounds = [run.rounds for run in runs]
    return f"{sum(run.conflicts for run in runs)} conflicts, agreed in {mean(rounds):.0f} rounds, {max(rounds)} at most"


def trading_rows(quick: bool) -> Iterator[Row]:
    """The double auction."""
    arms: list[tuple[str, Callable[[int, int], float], float | None]] = [
        ("quotes rest", trading.efficiency, 0.95),
        ("a trade clears all quotes", lambda traders, seed: trading.efficiency(traders, seed, clearing=True), None),
        ("3 units each", lambda traders, seed: trading.efficiency(traders, seed, units=3), None),
    ]
    for traders, markets in ({10: 5} if quick else MARKETS).items():
        for what, arm, bar in arms:
            reached = [arm(traders, seed) for seed in range(markets if bar else max(4, markets // 5))]
            yield Row(
                group="trading",
                what=f"{traders}+{traders} traders, {what}",
                value=mean(reached),
                unit="of the surplus",
                bar=None if quick else bar,
                note=f"mean of {len(reached)} markets, least {min(reached):.3f}",
            )


def truth_rows(quick: bool) -> Iterator[Row]:
    """What lies gain."""
    instances, lies = (20, 10) if quick else (INSTANCES, LIES)
    for pricing, bar in ((Pricing.SECOND, 0.0), (Pricing.FIRST, None)):
        count = instances if bar is not None else -(-instances // 10)
        best = max(truth.best_lie(seed, lies, pricing) for seed in range(count))
        note = f"{count} instances of 1 to 8 bidders, {lies} lies each, sales and procurements, values up to 1,000"
        baseline = "" if bar is not None else " (baseline)"
        what = f"{pricing.value} price{baseline}: the best lie's gain"
        yield Row(group="truth", what=what, value=best, unit="ticks", bar=bar, most=True, note=note)


def trust_rows(quick: bool) -> Iterator[Row]:
    """EigenTrust."""
    sizes = {10: 3} if quick else {10: 20, 100: 10, 500: 2}
    worst = max(trust.difference(seed, agents) for agents, seeds in sizes.items() for seed in range(seeds))
    note = f"greatest of {sum(sizes.values())} graphs of {', '.join(map(str, sizes))} agents"
    what = "difference from networkx's personalised PageRank"
    yield Row(group="trust", what=what, value=worst, unit="trust", bar=SAME, most=True, note=note)
    rounds = 3 if quick else ROUNDS
    arms: list[tuple[str, float, float | None]] = [(model, trust.ALPHA, FALL.get(model)) for model in trust.MODELS]
    arms += [(model, PAGERANK_ALPHA, None) for model in ("C", "D")]
    for model, alpha, bar in arms:
        seeds = range(1 if quick else SOCIETIES)
        ours = [trust.failures(model, seed, rounds, alpha=alpha) for seed in seeds]
        random = [trust.failures(model, seed, rounds, trusting=False) for seed in seeds]
        share, baseline = mean(run[-1] for run in ours), mean(run[-1] for run in random)
        course = " ".join(f"{mean(run[n] for run in ours):.1%}" for n in range(rounds))
        yield Row(
            group="trust",
            what=f"model {model}, {trust.MALICIOUS:.0%} malicious, alpha {alpha}: jobs that fail fall by",
            value=1.0 - share / baseline,
            unit="of those at random",
            bar=None if quick else bar,
            note=f"round {rounds}: {share:.1%} against {baseline:.1%}; round by round {course}; {len(ours)} seeds",
        )


def ledger_rows(quick: bool) -> Iterator[Row]:
    """The escrow ledger."""
    for arm in QUICK_LEDGERS if quick else LEDGERS:
        found = asyncio.run(ledger.measure(arm))
        killed = ", ".join(f"{count} of a {kind}" for kind, count in sorted(found.killed.items()))
        what = f"{arm.transfers:,} transfers by {arm.agents} agents, {arm.window} at a time each, "
        what += f"kills: {killed}" if killed else "no kills"
        pauses = sorted(found.pauses_s)
        note = f"{found.took_s:.1f} s, {found.batches} commits"
        if pauses:
            note += (
                f"; nothing after a kill of the writer for {median(pauses):.2f} s (median), {pauses[-1]:.2f} s at most"
            )
        yield Row(
            group="ledger",
            what=what,
            value=found.rate,
            unit="transfers/s",
            bar=None if quick or arm.window == 1 else RATE,
            note=note,
        )
        zeros: list[tuple[str, int]] = [
            ("lost", found.lost),
            ("doubled, or of nobody's asking", found.unknown),
            ("accounts with another balance than the lists give", found.wrong),
            ("problems found by the auditor", len(found.problems)),
        ]
        for zero, count in zeros:
            note = "; ".join(found.problems[:3]) if count and found.problems else ""
            yield Row(group="ledger", what=f"the same: {zero}", value=count, unit="", bar=0.0, most=True, note=note)


GROUPS: dict[str, Callable[[bool], Iterator[Row]]] = {
    "assignment": assignment_rows,
    "bundles": bundle_rows,
    "trading": trading_rows,
    "truth": truth_rows,
    "trust": trust_rows,
    "ledger": ledger_rows,
}


def show(console: Console, rows: Sequence[Row]) -> None:
    """Prints the table."""
    table = Table(title="Market", title_justify="left")
    for heading in ("figure", "arm", "value", "unit", "bar", "verdict", "note"):
        table.add_column(heading, overflow="fold", justify="right" if heading in {"value", "bar"} else "left")
    for row in rows:
        verdict = "" if row.bar is None else "[bold red]missed[/]" if row.missed else "[green]met[/]"
        bar = "" if row.bar is None else f"{'<=' if row.most else '>='} {_number(row.bar)}"
        table.add_row(row.group, row.what, _number(row.value), row.unit, bar, verdict, row.note)
    console.print(table)


def _number(value: float) -> str:
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1e}" if abs(value) < 1e-4 else f"{value:.4f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints, writes. Returns 1 when a bar is missed and ``--check`` was given."""
    asked = arguments(argv)
    if "ledger" in (asked.only or GROUPS):
        configure("error")  # of this process's nodes
    console = Console(width=None if sys.stdout.isatty() else 200)
    rows: list[Row] = []
    for name in asked.only or GROUPS:
        console.print(f"{name} ...", style="dim")
        rows.extend(GROUPS[name](asked.quick))
    show(console, rows)
    if asked.json:
        figures = [{**asdict(row), "missed": row.missed} for row in rows]
        asked.json.write_text(json.dumps({"about": machine.description(), "figures": figures}, indent=1) + "\n")
    return int(asked.check and any(row.missed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
