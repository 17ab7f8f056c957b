"""``python -m bench.membership``: how soon and how truly members know who is alive, and what the fleet knows of itself.

Simulated figures are decided by the seed; those marked real take processes, a nats-server and their time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from . import machine
from .gossip import averages, crashes, kills, outage, periods, stress, traffic
from .gossip.figure import Asked, Figure
from .gossip.table import Outcome, document, show
from .processes import ROOT, ChildFailed

FIGURES: tuple[Figure, ...] = (
    crashes.FIGURE,
    periods.FIGURE,
    stress.STRESS,
    stress.REST,
    traffic.FIGURE,
    averages.FIGURE,
    outage.FIGURE,
    kills.FIGURE,
)
RESULTS = ROOT / "bench" / "results" / "membership.json"
UNSEEN_WIDTH = 200
"""Columns of the table where there is no terminal to ask."""


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    names = [figure.name for figure in FIGURES]
    parser = argparse.ArgumentParser(prog="python -m bench.membership", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"some of: {', '.join(names)}")
    parser.add_argument("--simulated", action="store_true", help="without processes and a broker")
    parser.add_argument("--quick", action="store_true", help="a smoke test: whether it works, no numbers")
    parser.add_argument("--seed", type=int, default=1, help="of all simulated chance; by default 1")
    parser.add_argument("--minutes", type=float, default=30.0, help="virtual minutes at rest; by default 30")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help=f"by default {RESULTS}")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a bar is missed")
    return parser.parse_args(argv)


def measured(figure: Figure, asked: Asked) -> Outcome:
    """Runs one figure. One that fails says why; the others go on."""
    began = time.monotonic()
    try:
        lines = figure.run(asked)
    except (ChildFailed, OSError, TimeoutError, RuntimeError, ExceptionGroup) as error:
        return Outcome(figure=figure, took_s=time.monotonic() - began, why=f"{type(error).__name__}: {error}")
    return Outcome(figure=figure, lines=lines, took_s=time.monotonic() - began)


def run(figures: Sequence[Figure], asked: Asked, told: Callable[[str], None]) -> list[Outcome]:
    """Runs the figures, one after the other."""
    outcomes: list[Outcome] = []
    for figure in figures:
        told(figure.name)
        outcomes.append(measured(figure, asked))
    return outcomes


def main(argv: Sequence[str] | None = None) -> int:
    """Runs, prints and writes. Returns 1 when a figure failed, and, with ``--check``, when a bar was missed."""
    options = arguments(argv)
    console = Console(width=None if sys.stdout.isatty() else UNSEEN_WIDTH)
    chosen = [figure for figure in FIGURES if not options.only or figure.name in options.only]
    figures = [figure for figure in chosen if not (options.simulated and figure.real)]
    about = machine.description()
    preliminary = options.quick or (machine.busy(about) and any(figure.real for figure in figures))
    with console.status("starting") as status:
        asked = Asked(quick=options.quick, seed=options.seed, minutes=options.minutes, told=status.update)
        outcomes = run(figures, asked, status.update)
    show(console, outcomes)
    if preliminary:
        console.print("The numbers are preliminary: a smoke test, or others used the machine.", style="yellow")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document(outcomes, about, options.seed, preliminary), indent=1) + "\n")
    console.print(f"written: {options.json}", markup=False, soft_wrap=True)
    failed = any(outcome.why for outcome in outcomes)
    return int(failed or (options.check and any(outcome.missed for outcome in outcomes)))


if __name__ == "__main__":
    sys.exit(main())
