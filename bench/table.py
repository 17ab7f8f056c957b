"""The results as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from .frame import Outcome, Row, Spread

HEADINGS = ("figure", "comparison", "ratio, or our measure", "bar", "verdict", "ours", "theirs", "unit", "rounds")
STYLES = {"hoped": "bold green", "met": "green", "missed": "bold red", "lost": "bold red", "failed": "bold red"}


def number(value: float) -> str:
    """Three significant digits, thousands separated."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(value: Spread | None) -> str:
    """The median, the least and the greatest."""
    if value is None:
        return ""
    return f"{number(value.median)} ({number(value.least)} to {number(value.greatest)})"


def bar(row: Row) -> str:
    """What is asked for, and hoped."""
    asked = row.comparison
    if asked.bar is None:
        return ""
    sign = ">=" if asked.better == "more" else "<="
    hoped = f", hoped {number(asked.hoped)}" if asked.hoped is not None else ""
    return f"{sign} {number(asked.bar)}{hoped}"


def show(console: Console, outcomes: Sequence[Outcome], about: dict[str, Any], preliminary: bool) -> None:
    """Prints the table, what went wrong, and what it was made on."""
    table = Table(title="agentbus, compared: median (least to greatest) of the rounds", title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")
    for outcome in outcomes:
        table.add_section()
        for row in outcome.rows:
            style = STYLES.get(row.verdict, "dim")
            rounds = str(row.ours.rounds) if row.ours else "0"
            judged = (spread(row.judged), bar(row), f"[{style}]{row.verdict}[/{style}]")
            measured = (spread(row.ours), spread(row.theirs), row.comparison.unit, rounds)
            table.add_row(outcome.figure.name, row.comparison.title, *judged, *measured)
    console.print(table)
    for outcome in outcomes:
        for why in dict.fromkeys(row.why for row in outcome.rows if row.why):
            console.print(f"{outcome.figure.name}: {why}", markup=False, soft_wrap=True)
    versions = " ".join(f"{name} {value}" for name, value in about["versions"].items())
    peers = " ".join(f"{name} {value or 'missing'}" for name, value in about["peers"].items())
    machine = f"{about['machine']}, {about['cores']} cores, {about['system']}, {about['python']}"
    for line in (machine, f"nats-server {about['nats-server']} {versions}", f"peers: {peers}"):
        console.print(line, markup=False, soft_wrap=True)
    if preliminary:
        console.print(
            f"Others used the machine (load {about['load average before']}): the numbers are preliminary.",
            style="yellow",
        )


def document(outcomes: Sequence[Outcome], about: dict[str, Any], preliminary: bool) -> dict[str, Any]:
    """Everything measured, for JSON."""
    return {
        "about": about,
        "preliminary": preliminary,
        "figures": [
            {
                "name": outcome.figure.name,
                "title": outcome.figure.title,
                "method": outcome.figure.method,
                "comparisons": [_line(row) for row in outcome.rows],
                "runs": outcome.runs,
            }
            for outcome in outcomes
        ],
    }


def _line(row: Row) -> dict[str, Any]:
    told = {name: asdict(value) if value else None for name, value in _spreads(row).items()}
    return {**told, **asdict(row.comparison), "verdict": row.verdict, "why": row.why}


def _spreads(row: Row) -> dict[str, Spread | None]:
    return {"ratio": row.ratio, "ours_measured": row.ours, "theirs_measured": row.theirs}
