"""What a command prints: JSON lines for programs, a table for people; plain and aligned where there is no terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .failures import printable

if TYPE_CHECKING:
    from rich.table import Table

Rows = Sequence[Sequence[str]]

GAP = "  "


def on_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout.isatty()


def line(text: str) -> None:
    """One line to standard output, at once."""
    print(text, flush=True)


def note(text: str) -> None:
    """One line to standard error: not data."""
    print(printable(text), file=sys.stderr, flush=True)


def record(values: Mapping[str, Any]) -> None:
    """One object, in JSON on one line."""
    line(json.dumps(values))


def compact(value: object) -> str:
    """A JSON value for a person's eye, on one line."""
    return printable(json.dumps(value, ensure_ascii=False))


def table(columns: Sequence[str], rows: Rows, numbers: Sequence[str] = ()) -> None:
    """A table; the columns that `numbers` names stand to the right."""
    if on_terminal():
        from rich.console import Console

        Console().print(rich_table(columns, rows, numbers))
        return
    line(plain_table(columns, rows, numbers))


def plain_table(columns: Sequence[str], rows: Rows, numbers: Sequence[str] = ()) -> str:
    """The table in aligned columns, a row a line, for `grep` and `awk`; an empty cell is a dash."""
    cells = [list(columns), *([printable(cell) or "-" for cell in row] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    right = [name in numbers for name in columns]

    def aligned(row: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        return GAP.join(padded).rstrip()

    return "\n".join(map(aligned, cells))


def rich_table(columns: Sequence[str], rows: Rows, numbers: Sequence[str] = ()) -> Table:
    """The table for a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        made.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))  # Text: a name may hold what looks like markup
    return made
