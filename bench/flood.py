"""``python -m bench.flood``: what one flooding node does to the others' requests.

On a real nats-server, four processes: an agent that answers in a millisecond, four at once; honest nodes that ask it
at an even pace; a node that floods it with requests, one a frame. Each round measures the honest ones with and without
the flood, the order changing from round to round, counted from when a request was due; what is told are medians over
the rounds, so that what else the machine does now and then does not decide: of both 99th percentiles, of both medians,
and of the rounds' ratios. The flooder runs at the lowest priority, since in the field it
has a processor of its own; it shares the server's and the agent's time as it would there.

Told besides is what share of one processor the agent's node took: on a machine whose others leave it less than that, it
falls behind, and what is measured then is the machine.

With ``--signed`` all nodes are enrolled and sign; the agent that has limits keeps scores, too, so that the flooder is
graylisted after a while, and its frames are dropped before their signatures are verified.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from . import machine
from .broker import nats_server
from .processes import child
from .table import number

RESULTS = Path(__file__).parent / "results" / "flood.json"
SIDES = "bench.sides.flooding"
SENDERS, PER_S = 4, 50.0
RATES = (2_000.0, 5_000.0)
DEADLINE_S = 600.0
BAR = 2.0
UNSEEN_WIDTH = 160
"""Columns of the table where there is no terminal to ask."""


@dataclass(frozen=True, slots=True)
class Round:
    """One pair: the 99th percentiles, quiet and flooded, seconds, the same of the medians and of what the agent's node
    took of one processor, and how many honest requests were not answered in the flood."""

    quiet_s: float
    flooded_s: float
    unanswered: int
    flood_per_s: float
    quiet_median_s: float = 0.0
    flooded_median_s: float = 0.0
    quiet_cpu: float = 0.0
    flooded_cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One flood against one agent."""

    wanted_per_s: float
    limited: bool
    rounds: list[Round]
    host: dict[str, Any]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios of 99th percentiles."""
        return median(each.flooded_s / each.quiet_s for each in self.rounds)


def percentile(values: Sequence[float], share: float = 0.99) -> float:
    """The least of the values that at least that share of them does not exceed."""
    ordered = sorted(values)
    return ordered[ceil(len(ordered) * share - 1e-9) - 1]


async def cell(url: str, per_s: float, limited: bool, rounds: int, seconds: float, signed: bool) -> Cell:
    """Measures one cell."""
    async with AsyncExitStack() as stack:

        async def start(side: str, **options: Any) -> Any:
            started = await stack.enter_async_context(
                child(f"{SIDES}:{side}", {"url": url, "signed": signed, **options}, deadline_s=DEADLINE_S)
            )
            await started.expect("ready")
            return started

        host = await start("host", limited=limited)
        honest = await start("ask", senders=SENDERS, per_s=PER_S)
        flooder = await start("flood", per_s=per_s)

        async def used_s() -> float:
            host.tell(used=True)
            return float((await host.expect("used"))["cpu_s"])

        async def ask(for_s: float) -> tuple[list[float], float]:
            before = await used_s()
            honest.tell(seconds=for_s)
            took = [float(each) for each in (await honest.expect("asked"))["took_s"]]
            return took, (await used_s() - before) / for_s

        async def flooded() -> tuple[list[float], float, float]:
            flooder.tell(seconds=seconds + 1.0)
            await asyncio.sleep(0.5)
            took, cpu = await ask(seconds)
            told = await flooder.expect("flooded")
            await ask(min(1.0, seconds))  # until what is left of it has been dealt with
            return took, cpu, told["count"] / told["took_s"]

        await ask(1.0)
        measured: list[Round] = []
        for place in range(rounds):
            before = await ask(seconds) if place % 2 == 0 else None
            during, busy, rate = await flooded()
            calm, idle = before if before is not None else await ask(seconds)
            lost = sum(each == float("inf") for each in during)
            tails, middles = (percentile(calm), percentile(during)), (percentile(calm, 0.5), percentile(during, 0.5))
            measured.append(Round(*tails, lost, rate, *middles, idle, busy))
        for each in (honest, flooder, host):
            each.tell(stop=True)
        await honest.expect("done")
        await flooder.expect("done")
        return Cell(per_s, limited, measured, await host.expect("done"))


async def run(rates: Sequence[float], rounds: int, seconds: float, only_limited: bool, signed: bool) -> list[Cell]:
    """Measures all cells, one after the other."""
    cells: list[Cell] = []
    async with nats_server() as url:
        for per_s in rates:
            for limited in (True,) if only_limited else (True, False):
                cells.append(await cell(url, per_s, limited, rounds, seconds, signed))
    return cells


def show(console: Console, cells: Sequence[Cell]) -> None:
    """Prints the table."""
    table = Table(title="one flooding node, and the others' p99", box=None)
    columns = ("flood, requests/s", "limits", "p99 quiet, ms", "flooded", "p50 quiet, ms", "flooded", "ratio of p99")
    for column in (*columns, "quartiles", "unanswered", "node's cpu quiet", "flooded"):
        table.add_column(column, justify="right")
    for each in cells:
        ratios = sorted(pair.flooded_s / pair.quiet_s for pair in each.rounds)
        middles = [
            number(median(values) * 1000)
            for values in (
                [pair.quiet_s for pair in each.rounds],
                [pair.flooded_s for pair in each.rounds],
                [pair.quiet_median_s for pair in each.rounds],
                [pair.flooded_median_s for pair in each.rounds],
            )
        ]
        table.add_row(
            number(median(pair.flood_per_s for pair in each.rounds)),
            "on" if each.limited else "off",
            *middles,
            number(each.ratio),
            f"{percentile(ratios, 0.25):.2f}, {percentile(ratios, 0.75):.2f}",
            str(sum(pair.unanswered for pair in each.rounds)),
            number(median(pair.quiet_cpu for pair in each.rounds)),
            number(median(pair.flooded_cpu for pair in each.rounds)),
        )
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs, prints and writes; 1 when honest p99 is more than doubled where limits are on, with ``--check``."""
    parser = argparse.ArgumentParser(prog="python -m bench.flood", description=__doc__)
    parser.add_argument("--rates", nargs="+", type=float, default=list(RATES), help="requests a second of the flood")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--only-limited", action="store_true", help="leave out the agent without limits")
    parser.add_argument("--signed", action="store_true", help="all frames are signed, and the agent keeps scores")
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--check", action="store_true", help="exit with 1 when the bar is missed")
    asked = parser.parse_args(argv)
    cells = asyncio.run(run(asked.rates, asked.rounds, asked.seconds, asked.only_limited, asked.signed))
    show(Console(width=None if sys.stdout.isatty() else UNSEEN_WIDTH), cells)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine.description(), "cells": [{**asdict(each), "ratio": each.ratio} for each in cells]}
    asked.json.write_text(json.dumps(document, indent=1) + "\n")
    return int(asked.check and any(each.limited and each.ratio > BAR for each in cells))


if __name__ == "__main__":
    sys.exit(main())
