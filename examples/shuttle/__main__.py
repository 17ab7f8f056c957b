"""``python -m examples.shuttle``: see `examples.shuttle`.

Exit status: 0 when every record was scored exactly once; 1 when not, or when the run failed; 2 for wrong options or
data; 130 after Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path

from rich.console import Console
from rich.live import Live

try:
    import numpy  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ImportError:
    sys.exit("examples.shuttle computes with numpy: pip install 'agentbus-network[detection]'")

from agentbus import AgentBusError
from agentbus.observability.logs import configure

from .crew import MemberFailed
from .data import BadData, load
from .options import parse
from .screen import Lines, Picture, Silent, show_verdict
from .verdict import Verdict
from .watch import Plan, Stalled, run

FAILED, USAGE = 1, 2
GONE_S = 5.0
"""Seconds that the run's nats-server may take to end after its last user."""


async def interruptible(plan: Plan, options: Namespace, console: Console, folder: Path) -> tuple[Verdict | None, int]:
    """Runs the plan; SIGINT and SIGTERM end it in order. The verdict, or None and the signal's exit status."""
    if options.json:
        work = asyncio.ensure_future(run(plan, options.url, folder, Silent()))
    elif console.is_terminal:
        work = asyncio.ensure_future(_with_picture(plan, options, console, folder))
    else:
        work = asyncio.ensure_future(run(plan, options.url, folder, Lines(console, len(plan.telemetry.records))))
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


async def _with_picture(plan: Plan, options: Namespace, console: Console, folder: Path) -> Verdict:
    with Live(console=console, refresh_per_second=10) as live:
        return await run(plan, options.url, folder, Picture(live, len(plan.telemetry.records)))


def remove(folder: Path) -> None:
    """Removes the run's folder, once its nats-server writes there no more."""
    deadline = time.monotonic() + GONE_S
    while (folder / "server" / "address.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Runs the demo; returns the exit status."""
    options = parse()
    configure("warning")
    console = Console(width=None if sys.stdout.isatty() else 100)
    try:
        telemetry = load(options.data, options.label, options.limit)
    except BadData as error:
        print(error, file=sys.stderr)
        return USAGE
    plan = Plan(
        telemetry=telemetry,
        data=options.data,
        label=options.label,
        limit=options.limit,
        detectors=options.detectors,
        threshold=options.threshold,
        kill=options.kill,
        secure=options.secure,
    )
    folder = Path(tempfile.mkdtemp(prefix="agentbus-shuttle-")).resolve()
    try:
        verdict, status = asyncio.run(interruptible(plan, options, console, folder))
    except (AgentBusError, MemberFailed, Stalled) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return FAILED
    finally:
        remove(folder)
    if verdict is None:
        return status
    if options.json:
        print(json.dumps(verdict.as_json(), indent=2))
    else:
        show_verdict(console, verdict)
    return 0 if verdict.ok else FAILED


if __name__ == "__main__":
    sys.exit(main())
