"""``python -m examples.couriers``: see `examples.couriers`.

Exit status: 0; 1 when there is no broker; 2 for wrong options; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

import examples.couriers
from agentbus import AgentBusError
from agentbus.observability.logs import configure

from .casts import casts
from .day import Day, average, live
from .optimum import best_welfare
from .picture import draw
from .screen import show
from .town import LIMIT, costs, orders, riders

MOST_DAYS = 1_000


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; ends the program with status 2 when they make no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.couriers",
        description=examples.couriers.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--seed", type=int, default=1, help="of the town and its jobs (default 1)")
    parser.add_argument("--days", type=int, default=5, metavar="N", help="each with forty other jobs (default 5)")
    parser.add_argument("--url", default="memory://couriers", help="the broker (default: memory, in this process)")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the picture")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    options = parser.parse_args(words)
    if not 1 <= options.days <= MOST_DAYS:
        parser.error(f"--days {options.days}: use 1 to {MOST_DAYS}")
    for path in (options.svg, options.json):
        if path is not None and not path.absolute().parent.is_dir():
            parser.error(f"{path}: there is no folder {path.parent}")
    return options


async def compare(seed: int, days: int, url: str) -> dict[str, list[Day]]:
    """Each cast's days: the same couriers and the same jobs for all."""
    town = riders(seed)
    found: dict[str, list[Day]] = {cast.title: [] for cast in casts()}
    for number in range(1, days + 1):
        jobs = orders(seed, number)
        best = best_welfare([order.value for order in jobs], costs(town, jobs), LIMIT)
        for cast in casts():
            found[cast.title].append(await live(town, jobs, cast, best, url))
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Lives through the days, prints and writes; returns the exit status."""
    options = parse(words)
    configure("warning")
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        with console.status("forty jobs a day"):
            days = asyncio.run(compare(options.seed, options.days, options.url))
    except KeyboardInterrupt:
        return 130
    except AgentBusError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    found = {title: average(each) for title, each in days.items()}
    show(console, found)
    if options.svg:
        about = (
            f"the mean of {options.days} days of town {options.seed}; each job is worth 6 to 20 euros to who sends it"
        )
        options.svg.write_text(draw(found, about), "utf-8")
    if options.json:
        document = {"seed": options.seed, "casts": {title: list(map(asdict, each)) for title, each in days.items()}}
        options.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
