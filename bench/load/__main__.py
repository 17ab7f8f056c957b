"""``python -m bench.load``: a load test of agents on your own server."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .. import machine
from ..processes import ChildFailed
from . import report
from .conductor import Result, conduct
from .settings import PATTERNS, Settings


def _rate(text: str) -> float:
    return 0.0 if text == "max" else float(text)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    usual = Settings()
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--url", default=usual.url, help="the broker (default: %(default)s)")
    parser.add_argument("--pattern", choices=PATTERNS, default=usual.pattern, help="(default: %(default)s)")
    parser.add_argument("--agents", type=int, default=usual.agents, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--rate", type=_rate, default=usual.rate, metavar="R|max", help="messages/s (default: 1000)")
    parser.add_argument("--payload", type=int, default=usual.payload, metavar="BYTES", help="(default: %(default)s)")
    parser.add_argument("--processes", type=int, default=usual.processes, metavar="P", help="(default: %(default)s)")
    parser.add_argument("--duration", type=float, default=usual.duration_s, metavar="S", help="(default: %(default)s)")
    parser.add_argument("--in-flight", type=int, default=usual.in_flight, metavar="N", help="of one generator, at most")
    parser.add_argument("--realm", default=f"load-{os.getpid()}", help="(default: one of this run alone)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything found")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a page of HTML with the curves")
    trials = parser.add_argument_group("to try the tool itself")
    trials.add_argument("--generator-work", type=float, default=0.0, metavar="S", help="processor time a message costs")
    trials.add_argument("--stall", type=_stall, default=(0.0, 0.0), metavar="AT:S", help="let the agents stand still")
    return parser.parse_args(argv)


def _stall(text: str) -> tuple[float, float]:
    at, _, seconds = text.partition(":")
    return float(at), float(seconds)


def settings_of(asked: argparse.Namespace) -> Settings:
    """The settings that the arguments say."""
    return Settings(
        url=asked.url,
        realm=asked.realm,
        pattern=asked.pattern,
        agents=asked.agents,
        rate=asked.rate,
        payload=asked.payload,
        processes=asked.processes,
        duration_s=asked.duration,
        in_flight=asked.in_flight,
        generator_work_s=asked.generator_work,
        stall_at_s=asked.stall[0],
        stall_s=asked.stall[1],
    )


async def _with_progress(settings: Settings, console: Console) -> Result:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        due = int(settings.rate * settings.duration_s) or None
        task = bar.add_task(settings.pattern, total=due)

        def progress(sent: int, failed: int) -> None:
            failing = f", {failed} failed" if failed else ""
            bar.update(task, completed=sent, description=f"{settings.pattern}{failing}")

        return await conduct(settings, progress)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs, prints and writes. Returns 1 when the totals don't add up or the test failed, 2 for wrong settings."""
    asked = arguments(argv)
    console = Console(width=None if sys.stdout.isatty() else 160)
    about = machine.description()
    try:
        result = asyncio.run(_with_progress(settings_of(asked), console))
    except ValueError as error:
        console.print(str(error), markup=False)
        return 2
    except ChildFailed as error:
        console.print(str(error), markup=False, soft_wrap=True)
        return 1
    report.show(console, result)
    if asked.json:
        asked.json.write_text(json.dumps(report.document(result, about), indent=1) + "\n")
    if asked.plot:
        asked.plot.write_text(report.page(result, about))
    return int(bool(result.discrepancies()))


if __name__ == "__main__":
    sys.exit(main())
