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
from typing import Any, NamedTuple

import structlog
from rich.console import Console
from rich.table import Table

from . import machine, table
from .attacks import attacked
from .broker import nats_server
from .frame import Comparison, Figure, Ground, Measures, Outcome, Side, measure
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


def rate_figures() -> tuple[Figure, ...]:
    """Signed against unsigned: of each kind one right after the other, and the next time the other way round."""
    return (
        _rates(
            "coalesced",
            f"300,000 protobuf messages of {SAMPLE_BYTES} bytes, coalesced into frames of up to 64 KiB.",
            15,
            _Line("rate", 0.7),
            _Line("of_cpu", 0.7),
            _Line("a_frame"),
        ),
        _rates(
            "one a frame",
            f"40,000 of {SAMPLE_BYTES} bytes with spread=True: one a frame.",
            5,
            _Line("rate", 5000.0, alone=True),
            _Line("rate"),
            _Line("of_cpu"),
            alone=True,
        ),
        _rates(
            "durable",
            f"20,000 durable ones of {SAMPLE_BYTES} bytes, each in a frame, 64 stored at once.",
            5,
            _Line("rate"),
            _Line("of_cpu"),
            durable=True,
        ),
    )


class _Line(NamedTuple):
    """What is compared. `alone`: held against the bar by itself."""

    measure: str
    bar: float | None = None
    alone: bool = False


_TITLES = {
    "rate": ("events delivered", "events/s"),
    "of_cpu": ("events delivered, by processor time", "events/s"),
    "a_frame": ("messages in a frame", "messages"),
}


def _rates(kind: str, what: str, rounds: int, *lines: _Line, **how: bool) -> Figure:
    """Signed events of one kind against unsigned ones."""
    comparisons = [
        Comparison(
            title=_TITLES[line.measure][0],
            measure=line.measure,
            unit=_TITLES[line.measure][1],
            ours="signed",
            theirs="" if line.alone else "unsigned",
            bar=line.bar,
        )
        for line in lines
    ]
    return Figure(
        name=f"rate, {kind}",
        title="Signed and verified events, against the same unsigned",
        method=(
            f"{what} `await node.publish(message)` in a loop, one publisher and one subscriber process. One signature "
            "a frame. From the first publish to the last handler call; all are counted. 'By processor time': events a "
            "second of the busier of the two processes, which is what they would reach on processors of their own."
        ),
        sides=(
            Side("signed", partial(delivered, signed=True, **how)),
            Side("unsigned", partial(delivered, signed=False, **how)),
        ),
        comparisons=tuple(comparisons),
        rounds=rounds,
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


async def _rate(quick: bool, rounds: int | None, console: Console) -> list[Outcome]:
    async with nats_server() as url:
        with console.status("starting") as status:
            ground = Ground(url, quick, machine.python_with)
            return [
                await measure(figure, ground, rounds or (1 if quick else figure.rounds), status.update)
                for figure in rate_figures()
            ]


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.security", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=FIGURES, help="some of the figures")
    parser.add_argument("--rounds", type=int, help="of each rate; by default 15 and 5")
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
        outcomes = asyncio.run(_rate(asked.quick, asked.rounds, console))
        busy = machine.busy(about) or asked.quick
        table.show(console, outcomes, about, busy)
        document["rate"] = table.document(outcomes, about, busy)
        bad = {row.verdict for outcome in outcomes for row in outcome.rows}
    document["figures"] = [asdict(row) for row in rows]
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(document, indent=1) + "\n")
    missed = "missed" in bad or any(row.wrong for row in rows)
    return int(bool(bad & {"failed", "lost"}) or (asked.check and missed))


if __name__ == "__main__":
    sys.exit(main())
