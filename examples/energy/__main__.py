"""``python -m examples.energy``: see `examples.energy`.

Exit status: 0 when the books balance; 1 when not, or when there is no broker; 2 for wrong options; 130 after
Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

import examples.energy
from agentbus import AgentBusError
from agentbus.observability.logs import configure

from .auctioneer import PATIENCE_S
from .books import EURO, Unbalanced
from .day import Day, alone, together
from .house import street
from .picture import draw
from .screen import show

ALONE, MARKET, FAILED = "alone", "market", "market, one fails"


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; ends the program with status 2 when they make no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.energy",
        description=examples.energy.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--seed", type=int, default=1, help="of the street and its day (default 1)")
    parser.add_argument("--fail", metavar="HOUSE", help="which fails at noon (default: the one that makes most); none")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_S, metavar="S", help="seconds to wait for who is silent (default 1)"
    )
    parser.add_argument("--url", default="memory://energy", help="the broker (default: memory, in this process)")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the picture")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    options = parser.parse_args(words)
    makes = {house.name: sum(house.made) for house in street(options.seed)}
    options.fail = options.fail or max(makes, key=lambda name: makes[name])
    if options.fail not in (*makes, "none"):
        parser.error(f"--fail {options.fail}: use none, or one of {', '.join(makes)}")
    if not 0.01 <= options.patience <= 60:
        parser.error(f"--patience {options.patience:g}: use 0.01 to 60 seconds")
    for path in (options.svg, options.json):
        if path is not None and not path.absolute().parent.is_dir():
            parser.error(f"{path}: there is no folder {path.parent}")
    return options


async def live(options: argparse.Namespace) -> dict[str, Day]:
    """The day, lived in two ways or three."""
    days = {ALONE: alone(options.seed), MARKET: await together(options.seed, options.url, patience_s=options.patience)}
    if options.fail != "none":
        days[FAILED] = await together(options.seed, options.url, fails=options.fail, patience_s=options.patience)
    return days


def document(day: Day) -> dict[str, Any]:
    """A day as JSON: Wh, hundredths of a cent a kWh, euros."""
    books = day.books
    return {
        "bill": books.total("bill") / EURO,
        "self_consumption": books.self_consumption,
        "self_sufficiency": books.self_sufficiency,
        "imports": books.imports,
        "exports": books.exports,
        "traded": books.traded,
        "prices": books.prices,
        "silent": day.silent,
        "lapsed": day.lapsed,
        "houses": {name: {**asdict(account), "bill": account.bill / EURO} for name, account in books.accounts.items()},
    }


def main(words: Sequence[str] | None = None) -> int:
    """Lives the day, prints and writes; returns the exit status."""
    options = parse(words)
    configure("warning")
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        with console.status("a day of 96 quarters of an hour"):
            days = asyncio.run(live(options))
    except KeyboardInterrupt:
        return 130
    except (AgentBusError, Unbalanced) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    show(console, days, options.fail)
    if options.svg:
        about = (
            f"street {options.seed} on a fair day in May: six houses without panels, five with, five with a battery too"
        )
        options.svg.write_text(draw(days[ALONE], days[MARKET], days.get(FAILED), options.fail, about), "utf-8")
    if options.json:
        figures = {"seed": options.seed, **{title: document(day) for title, day in days.items()}}
        options.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
