"""``python -m bench``: all comparisons, or some; a table, JSON and a plot."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from . import machine, plot, table
from .broker import nats_server
from .figures import FIGURES
from .frame import Figure, Ground, Outcome, measure
from .processes import ROOT

RESULTS = ROOT / "bench" / "results" / "comparisons.json"
QUICK_ROUNDS = 1
UNSEEN_WIDTH = 200
"""Columns of the table where there is no terminal to ask."""
BAD = frozenset({"failed", "lost"})


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    names = [figure.name for figure in FIGURES]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"some of: {', '.join(names)}")
    parser.add_argument("--rounds", type=int, help="rounds of each figure; by default 5, imports 11")
    parser.add_argument("--quick", action="store_true", help="one round of few messages: whether it works, no numbers")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help=f"by default {RESULTS}")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a bar is missed")
    return parser.parse_args(argv)


async def run(figures: Sequence[Figure], rounds: int | None, quick: bool, console: Console) -> list[Outcome]:
    """Measures the figures, one after the other, on one nats-server."""
    outcomes: list[Outcome] = []
    async with nats_server() as url:
        ground = Ground(url, quick, machine.python_with)
        with console.status("starting") as status:
            for figure in figures:
                wanted = rounds or (QUICK_ROUNDS if quick else figure.rounds)
                outcomes.append(await measure(figure, ground, wanted, status.update))
    return outcomes


def main(argv: Sequence[str] | None = None) -> int:
    """Runs, prints and writes. Returns 1 when a figure failed or messages were lost, and, with ``--check``, when a bar
    was missed."""
    asked = arguments(argv)
    console = Console(width=None if sys.stdout.isatty() else UNSEEN_WIDTH)
    figures = [figure for figure in FIGURES if not asked.only or figure.name in asked.only]
    about = machine.description()
    preliminary = machine.busy(about) or asked.quick
    outcomes = asyncio.run(run(figures, asked.rounds, asked.quick, console))
    table.show(console, outcomes, about, preliminary)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(table.document(outcomes, about, preliminary), indent=1) + "\n")
    page = asked.json.with_suffix(".html")
    page.write_text(plot.page(outcomes, about, preliminary))
    console.print(f"written: {asked.json} and {page.name}", markup=False, soft_wrap=True)
    bad = BAD | {"missed"} if asked.check else BAD
    return int(any(row.verdict in bad for outcome in outcomes for row in outcome.rows))


if __name__ == "__main__":
    sys.exit(main())
