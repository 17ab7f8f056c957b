"""``python -m bench.security``: what signing costs, what gets past it, and what it refuses by mistake.

* ``rate``: signed and verified events, delivered between two processes on a nats-server, against the same unsigned:
  coalesced into frames of up to 64 KiB, and one message a frame.
* ``attacks``: frames forged, altered, re-addressed and replayed, 100,000 of them, through a bare connection
  (`bench.attacks`). What is counted is what a handler saw, or a requester took for an answer.
* ``honest``: frames of honest nodes, 100,000 of them, delayed, reordered, and redelivered after failures, crashes and
  restarts, in a simulation and on a nats-server. What is counted is what was refused.

Exit status with ``--check``: 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console
from rich.table import Table

from . import machine, table
from .attacks import attacked
from .broker import nats_server
from .frame import Comparison, Figure, Ground, Measures, Side, measure
from .honest import honest, honest_on
from .pairs import DEADLINE_S
from .processes import child
from .sides.samples import SAMPLE_BYTES

RESULTS = Path(__file__).parent / "results" / "security.json"
SIDES = "bench.sides.signed"
FIGURES = ("rate", "attacks", "honest")


async def delivered(ground: Ground, *, signed: bool, alone: bool = False, durable: bool = False) -> Measures:
    """One run of one side: events heard a second, from the first published to the last handled."""
    count = ground.count(20_000 if durable else 40_000 if alone else 300_000, 1_000)
    common = {"url": ground.url, "realm": ground.fresh("signed"), "count": count, "signed": signed, "durable": durable}
    async with (
        child(f"{SIDES}:hear_events", common, deadline_s=DEADLINE_S) as hearer,
        child(f"{SIDES}:publish_events", {**common, "alone": alone}, deadline_s=DEADLINE_S) as sender,
    ):
        await hearer.expect("ready")
        await sender.expect("ready")
        sender.tell(go=True)
        sent = await sender.expect("done")
        heard = await hearer.expect("done")
    return {
        "rate": float(heard["count"]) / (float(heard["last_s"]) - float(sent["began_s"])),
        "lost": float(count - int(heard["count"])),
        "refused": float(heard["refused"]),
        "a_frame": count / float(sent["frames"]),
        "of_cpu": count / max(float(sent["cpu_s"]), float(heard["cpu_s"])),
    }


def rate_figure() -> Figure:
    """Signed against unsigned."""

    def compared(title: str, ours: str, theirs: str, bar: float | None, measure: str = "rate") -> Comparison:
        unit = "messages" if measure == "a_frame" else "events/s"
        return Comparison(title=title, measure=measure, unit=unit, ours=ours, theirs=theirs, bar=bar)

    return Figure(
        name="rate",
        title="Signed and verified events, against the same unsigned",
        method=(
            f"Protobuf messages of {SAMPLE_BYTES} bytes, `await node.publish(message)` in a loop, one publisher and "
            "one subscriber process; 300,000 coalesced into frames of up to 64 KiB, and 40,000 with spread=True: one a "
            "frame; 20,000 durable ones, 64 stored at once. One signature a frame. From the first publish to the last "
            "handler call; all are counted. 'By processor time': events a second of the busier of the two processes, "
            "which is what they would reach on processors of their own."
        ),
        sides=(
            Side("signed", partial(delivered, signed=True)),
            Side("unsigned", partial(delivered, signed=False)),
            Side("signed, alone", partial(delivered, signed=True, alone=True)),
            Side("unsigned, alone", partial(delivered, signed=False, alone=True)),
            Side("signed, durable", partial(delivered, signed=True, durable=True)),
            Side("unsigned, durable", partial(delivered, signed=False, durable=True)),
        ),
        comparisons=(
            compared("events delivered", "signed", "unsigned", 0.7),
            compared("messages in a frame", "signed", "unsigned", None, "a_frame"),
            compared("events delivered, one a frame", "signed, alone", "", 5000.0),
            compared("events delivered, one a frame", "signed, alone", "unsigned, alone", None),
            compared("events, by processor time", "signed", "unsigned", None, "of_cpu"),
            compared("events one a frame, by processor time", "signed, alone", "unsigned, alone", None, "of_cpu"),
            compared("durable events handled", "signed, durable", "unsigned, durable", None),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of so many attempts. `wrong`: accepted attacks, or refused honest frames; none is the bar."""

    what: str
    attempts: int
    wrong: int
    note: str = ""


def attack_rows(quick: bool) -> Iterator[Row]:
    """Nothing forged is to be accepted."""
    for name, tried, accepted, told in asyncio.run(attacked(100 if quick else 100_000)):
        yield Row(what=f"attack: {name}", attempts=tried, wrong=accepted, note=told)


def honest_rows(quick: bool) -> Iterator[Row]:
    """Nothing honest is to be refused."""
    tried, refused, told = honest(500 if quick else 80_000)
    yield Row(what="honest, in a simulation", attempts=tried, wrong=refused, note=told)

    async def on_a_server() -> tuple[int, int, str]:
        async with nats_server() as url:
            return await honest_on(url, 200 if quick else 20_000)

    tried, refused, told = asyncio.run(on_a_server())
    yield Row(what="honest, on a nats-server", attempts=tried, wrong=refused, note=told)


def show(console: Console, rows: Sequence[Row]) -> None:
    """Prints the counts."""
    shown = Table(title="What gets past, and what is refused by mistake", title_justify="left")
    for heading in ("what", "attempts", "wrong", "bar", "verdict", "note"):
        shown.add_column(heading, overflow="fold")
    for row in rows:
        verdict = "[bold red]missed[/]" if row.wrong else "[green]met[/]"
        shown.add_row(row.what, f"{row.attempts:,}", f"{row.wrong:,}", "0", verdict, row.note)
    console.print(shown)


async def _rate(quick: bool, rounds: int | None, console: Console) -> Any:
    figure = rate_figure()
    async with nats_server() as url:
        with console.status("starting") as status:
            ground = Ground(url, quick, machine.python_with)
            return await measure(figure, ground, rounds or (1 if quick else figure.rounds), status.update)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.security", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=FIGURES, help="some of the figures")
    parser.add_argument("--rounds", type=int, help="of rate; by default 5")
    parser.add_argument("--quick", action="store_true", help="few messages: whether it works, no numbers")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help=f"by default {RESULTS}")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a bar is missed")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints, writes. Returns 1 when a side failed, or a bar was missed and ``--check`` was given."""
    asked = arguments(argv)
    wanted = asked.only or FIGURES
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console = Console(width=None if sys.stdout.isatty() else 200)
    about = machine.description()
    document: dict[str, Any] = {"about": about}
    rows: list[Row] = []
    bad: set[str] = set()
    if "attacks" in wanted:
        rows.extend(attack_rows(asked.quick))
    if "honest" in wanted:
        rows.extend(honest_rows(asked.quick))
    if rows:
        show(console, rows)
    if "rate" in wanted:
        outcome = asyncio.run(_rate(asked.quick, asked.rounds, console))
        busy = machine.busy(about) or asked.quick
        table.show(console, [outcome], about, busy)
        document["rate"] = table.document([outcome], about, busy)
        bad = {row.verdict for row in outcome.rows}
    document["figures"] = [asdict(row) for row in rows]
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(document, indent=1) + "\n")
    missed = "missed" in bad or any(row.wrong for row in rows)
    return int(bool(bad & {"failed", "lost"}) or (asked.check and missed))


if __name__ == "__main__":
    sys.exit(main())
