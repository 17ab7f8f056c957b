"""The figures as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from rich.console import Console
from rich.table import Table

from .figure import Figure, Line

HEADINGS = ("figure", "what", "measured", "bar", "verdict", "reference")
STYLES = {"met": "green", "missed": "bold red", "failed": "bold red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A figure and how it came out.

    Attributes:
        took_s: seconds that the measuring took.
        why: why it failed; empty when it did not.
    """

    figure: Figure
    lines: Sequence[Line] = field(default_factory=list[Line])
    took_s: float = 0.0
    why: str = ""

    @property
    def missed(self) -> bool:
        """Whether a bar was missed."""
        return any(line.verdict == "missed" for line in self.lines)


def number(value: float) -> str:
    """Four significant digits, thousands separated."""
    if value == int(value) if isfinite(value) else False:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def show(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Prints the table, and what went wrong."""
    table = Table(title="agentbus: who is alive, and what the fleet knows", title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")
    for outcome in outcomes:
        table.add_section()
        for line in outcome.lines:
            style = STYLES.get(line.verdict, "dim")
            measured = f"{number(line.value)} {line.unit}".strip()
            verdict = f"[{style}]{line.verdict}[/{style}]"
            table.add_row(outcome.figure.name, line.title, measured, line.bar, verdict, line.reference)
    console.print(table)
    for outcome in outcomes:
        if outcome.why:
            console.print(f"{outcome.figure.name} failed: {outcome.why}", style="bold red", markup=False)
    took = ", ".join(f"{outcome.figure.name} {outcome.took_s:.0f} s" for outcome in outcomes)
    console.print(f"measuring took: {took}", markup=False, soft_wrap=True)


def document(outcomes: Sequence[Outcome], about: dict[str, Any], seed: int, preliminary: bool) -> dict[str, Any]:
    """Everything measured, for JSON."""
    return {
        "about": about,
        "seed": seed,
        "preliminary": preliminary,
        "figures": [
            {
                "name": outcome.figure.name,
                "title": outcome.figure.title,
                "method": outcome.figure.method,
                "took_s": round(outcome.took_s, 1),
                "failed": outcome.why,
                "lines": [_line(line) for line in outcome.lines],
            }
            for outcome in outcomes
        ],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "title": line.title,
        "value": line.value if isfinite(line.value) else None,
        "unit": line.unit,
        "bar": line.bar,
        "verdict": line.verdict,
        "reference": line.reference,
    }
