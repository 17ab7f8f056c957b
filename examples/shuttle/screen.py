"""What people see: live progress on a terminal, plain lines elsewhere, and a table at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from .v1.shuttle_pb2 import Progress
from .verdict import Verdict

LINE_S = 1.0
"""Seconds between two plain lines."""
BAR = 40


class Silent:
    """Shows nothing."""

    def show(self, progress: Progress, killed: Sequence[str]) -> None:
        """Shows nothing."""


class Lines:
    """A line a second, for logs and pipes."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._shown_at = 0.0
        self._shown: int = -1

    def show(self, progress: Progress, killed: Sequence[str]) -> None:
        """Prints a line when it is time, and something has changed; the last one always."""
        now = time.monotonic()
        due = now - self._shown_at >= LINE_S or progress.records >= self._total
        if due and progress.records != self._shown:
            self._shown_at, self._shown = now, progress.records
            dead = f", killed: {', '.join(killed)}" if killed else ""
            self._console.print(f"{progress.records:,} of {self._total:,} records, {progress.alarms:,} alarms{dead}")


class Picture:
    """A table that changes in place."""

    def __init__(self, live: Live, total: int) -> None:
        self._live = live
        self._total = total

    def show(self, progress: Progress, killed: Sequence[str]) -> None:
        """Draws the bars of all detectors."""
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("")
        table.add_column("records", justify="right")
        table.add_column("", min_width=BAR)
        for each in sorted(progress.detectors, key=lambda each: each.name):
            share = each.records / max(1, progress.records)
            table.add_row(
                f"{each.name}{' (killed)' if each.name in killed else ''}",
                f"{each.records:,}",
                f"[{'red' if each.name in killed else 'cyan'}]{'━' * round(BAR * share)}[/]",
            )
        done = progress.records / self._total
        table.add_row("all", f"{progress.records:,}", f"[green]{'━' * round(BAR * done)}[/] {done:.0%}")
        table.add_row("alarms", f"{progress.alarms:,}", "")
        self._live.update(table)


def show_verdict(console: Console, verdict: Verdict) -> None:
    """Prints the table and what it means."""
    table = Table(title=verdict.source)
    for column in ("agent", "process", "records seen", "records scored"):
        table.add_column(column, justify="left" if column == "agent" else "right")
    for member in verdict.members:
        seen = f"{member.records:,}" if member.records is not None else "killed" if member.killed else "no answer"
        table.add_row(member.name, str(member.process), seen, f"{member.scored:,}" if member.scored else "")
    console.print(table)
    auc = "no labels" if verdict.auc is None else f"{verdict.auc:.4f}"
    console.print(f"records      {verdict.records:,}")
    console.print(f"alarms       {verdict.alarms:,}")
    console.print(f"ROC AUC      {auc}")
    console.print(f"records/s    {verdict.records_per_s:,.0f}  ({verdict.elapsed_s:.1f} s)")
    console.print(f"done twice   {verdict.repeats:,}  (after a crash; noted once)")
    if verdict.ok:
        console.print("every record was scored exactly once")
    for problem in verdict.problems:
        console.print(f"FAILED: {problem}", style="red", highlight=False)
