"""How ``agentbus detect`` reads, scores and writes: a record at a time, in the order of the file."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import TextIO

from agentbus.detection.detectors import DETECTORS, make
from agentbus.errors import AgentBusError

from .failures import UsageError

TIME = "timestamp"
SHOWN = 40
"""Characters of a wrong text that are told."""


class BadInput(AgentBusError, ValueError):
    """A file that can't be scored. Says which line, and what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row: its texts, timestamp first, and what they say."""

    texts: Sequence[str]
    timestamp_s: float
    values: Sequence[float]


def detect(arguments: Namespace) -> None:
    """Scores the file that the arguments name.

    Raises:
        UsageError: wrong columns, no such detector, a file that can't be opened.
        BadInput: with the line's number.
    """
    if arguments.detector not in DETECTORS:
        raise UsageError(f"no detector is called {arguments.detector!r}; there are {', '.join(DETECTORS)}")
    columns = [name.strip() for name in arguments.columns.split(",")]
    if not all(columns) or len(set(columns)) < len(columns) or TIME in columns:
        raise UsageError(f"--columns {arguments.columns!r}: name columns with values, each once, between commas")
    detector = make(arguments.detector, len(columns))
    with ExitStack() as stack:
        lines = stack.enter_context(_source(arguments.file))
        records = read(lines, columns, "standard input" if arguments.file == "-" else arguments.file)
        record = next(records, None)  # before the output is opened: wrong input must not empty a file
        out = stack.enter_context(_target(arguments.out, arguments.file))
        write = _json(out, columns) if arguments.json else _csv(out, columns)
        live = arguments.file == "-"
        while record is not None:
            value = record.values[0] if len(columns) == 1 else record.values
            write(record, detector.score(record.timestamp_s, value))
            if live:
                out.flush()
            record = next(records, None)


def read(lines: Iterable[str], columns: Sequence[str], name: str) -> Generator[Record, None, None]:
    """The records of a file. `name` is for errors."""
    rows = csv.reader(lines, strict=True)
    try:
        header = [column.strip() for column in next(rows, None) or ()]
        places = [_place(header, column, name) for column in (TIME, *columns)]
        for row in rows:
            if not row:
                continue
            where = f"{name}, line {rows.line_num}"
            if len(row) != len(header):
                raise BadInput(f"{where}: {len(row)} values, but the first line names {len(header)} columns")
            texts = [row[place] for place in places]
            values = [_number(text, column, where) for text, column in zip(texts[1:], columns, strict=True)]
            yield Record(texts=texts, timestamp_s=time_s(texts[0], where), values=values)
    except csv.Error as error:
        raise BadInput(f"{name}, line {rows.line_num}: {error}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{name}: not a text in UTF-8") from None
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror}") from None


def time_s(text: str, where: str) -> float:
    """Seconds of a date and time, or of a number of seconds. `where` is for errors."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(
            f"{where}: {TIME!r} is {text[:SHOWN]!r}: write 2014-04-01 00:00:00, or a number of seconds"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _place(header: Sequence[str], column: str, name: str) -> int:
    if column not in header:
        names = ", ".join(header)[: 4 * SHOWN]
        raise BadInput(f"{name}, line 1: no column {column!r}" + (f"; there are {names}" if names else ": it is empty"))
    return header.index(column)


def _number(text: str, column: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(
            f"{where}: {column!r} is {text[:SHOWN]!r}, not a number (write nan where there is no reading)"
        ) from None


@contextmanager
def _source(name: str) -> Generator[TextIO, None, None]:
    if name == "-":
        wrapper = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="")
        try:
            yield wrapper
        finally:
            wrapper.detach()
        return
    try:
        source = open(name, encoding="utf-8-sig", newline="")  # noqa: SIM115  # closed below
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
    with source:
        yield source


@contextmanager
def _target(name: str | None, source: str) -> Generator[TextIO, None, None]:
    if name is None:
        yield sys.stdout
        return
    if source != "-" and os.path.exists(name) and os.path.samefile(name, source):
        raise UsageError(f"--out {name} is the file that is read: write to another one")
    try:
        target = open(name, "w", encoding="utf-8", newline="")  # noqa: SIM115  # closed below
    except OSError as error:
        raise UsageError(f"--out {name}: {error.strerror}") from None
    with target:
        yield target


def _csv(out: TextIO, columns: Sequence[str]) -> Callable[[Record, float], None]:
    """Writes rows."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((TIME, *columns, "score"))

    def write(record: Record, score: float) -> None:
        writer.writerow((*record.texts, repr(score)))

    return write


def _json(out: TextIO, columns: Sequence[str]) -> Callable[[Record, float], None]:
    """Writes an object a line."""

    def write(record: Record, score: float) -> None:
        values = {
            column: value if isfinite(value) else None  # JSON has neither NaN nor infinity
            for column, value in zip(columns, record.values, strict=True)
        }
        out.write(json.dumps({TIME: record.texts[0], **values, "score": score}) + "\n")

    return write
