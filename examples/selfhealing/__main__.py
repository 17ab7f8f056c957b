"""``python -m examples.selfhealing``: see `examples.selfhealing`.

Exit status: 0 when every fault was healed and the answer is the plain loop's; 1 when not, or when the run failed; 2 for
wrong options or data; 130 after Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

from rich.console import Console
from rich.live import Live

try:
    import numpy  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ImportError:
    sys.exit("examples.selfhealing computes with numpy: pip install 'agentbus-network[detection]'")

from agentbus import AgentBusError
from agentbus.observability.logs import configure
from examples.shuttle.data import BadData, load

from .crew import MemberFailed
from .drawing import Drawing
from .options import parse
from .performance import Stalled, perform
from .plan import RUSH, Plan
from .report import page
from .screen import Lines, Picture, Silent, show_verdict
from .verdict import Verdict

FAILED, USAGE = 1, 2


async def interruptible(plan: Plan, options: Namespace, console: Console, folder: Path) -> tuple[Verdict | None, int]:
    """Runs the plan; SIGINT and SIGTERM end it in order. The verdict, or None and the signal's exit status."""
    work = asyncio.ensure_future(_shown(plan, options, console, folder))
    caught: list[int] = []

    def stop(number: int) -> None:
        caught.append(number)
        work.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        return await work, 0
    except asyncio.CancelledError:
        if not caught:
            raise
        return None, 128 + caught[0]


async def _shown(plan: Plan, options: Namespace, console: Console, folder: Path) -> Verdict:
    if options.json:
        return await perform(plan, folder, Silent())
    if not console.is_terminal:
        return await perform(plan, folder, Lines(console))
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        return await perform(plan, folder, Picture(live, plan))


def main() -> int:
    """Runs the demo; returns the exit status."""
    options = parse()
    configure("error")
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        telemetry = load(options.data, options.label, options.limit)
    except BadData as error:
        print(error, file=sys.stderr)
        return USAGE
    plan = Plan(
        records=telemetry.records,
        source=telemetry.source,
        faults=options.fault,
        agents=options.agents,
        shards=options.shards,
        seed=options.seed,
        pace=options.pace,
        rush=max(options.pace, RUSH),
        secure=options.secure,
    )
    folder = Path(tempfile.mkdtemp(prefix="agentbus-selfhealing-")).resolve()
    try:
        verdict, status = asyncio.run(interruptible(plan, options, console, folder))
    except (AgentBusError, MemberFailed, Stalled) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return FAILED
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if verdict is None:
        return status
    if options.report is not None:
        options.report.write_text(page(verdict, plan.brokers), "utf-8")
    if options.picture is not None:
        options.picture.write_text(Drawing(verdict.timeline, plan.brokers, verdict.elapsed_s).svg() + "\n", "utf-8")
    if options.json:
        print(json.dumps(verdict.as_json(), indent=2))
    else:
        show_verdict(console, verdict)
    return 0 if verdict.ok else FAILED


if __name__ == "__main__":
    sys.exit(main())
