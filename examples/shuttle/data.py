"""The records: the Shuttle's telemetry, or a CSV file of your own.

The Shuttle's: Statlog (Shuttle), 49,097 records of 9 channels, 3,511 of them labelled as anomalies, after the ODDS
benchmark. It comes with the package river (``pip install agentbus-network[detection]``) and needs no network.

Your own: a header row, then a row of numbers for each record; one column may hold labels, 0 or 1.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from .forest import Floats

SHUTTLE_LABEL = "anomaly"
LABELS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


class BadData(ValueError):
    """A file that can't be replayed. Says which line, and why."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """A stream of records.

    Attributes:
        source: where it is from, for people.
        channels: the columns' names.
        records: one row a record.
        labels: which records are anomalies, if that is known.
    """

    source: str
    channels: tuple[str, ...]
    records: Floats
    labels: NDArray[np.bool_] | None


def load(data: str | None, label: str | None = None, limit: int | None = None) -> Telemetry:
    """The first `limit` records of a CSV file, or of the Shuttle's telemetry when `data` is None.

    Raises:
        BadData: with the file's name and the line's number.
    """
    path = Path(data) if data is not None else shuttle()
    if data is None:
        label = SHUTTLE_LABEL
    try:
        with _open(path) as lines:
            channels, records, labels = _parse(str(path), lines, label, limit)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise BadData(f"{path}: {error}") from None
    source = str(path) if data is not None else "NASA Shuttle telemetry"
    return Telemetry(source, channels, records, labels)


def shuttle() -> Path:
    """Where river keeps the Shuttle's telemetry. Raises `BadData` when river isn't there."""
    spec = find_spec("river")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "datasets" / "shuttle.csv.gz"
        if path.exists():
            return path
    raise BadData("the Shuttle's telemetry comes with river: pip install 'agentbus-network[detection]', or use --data")


@contextmanager
def _open(path: Path) -> Generator[TextIO, None, None]:
    with (
        gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="", encoding="utf-8-sig") as f
    ):
        yield f


def _parse(
    name: str, lines: Iterable[str], label: str | None, limit: int | None
) -> tuple[tuple[str, ...], Floats, NDArray[np.bool_] | None]:
    rows = csv.reader(lines, strict=True)
    first = next(rows, None) or []
    header = [column.strip() for column in first]
    _check_header(name, header, label)
    place = header.index(label) if label is not None else None
    records: list[list[float]] = []
    labels: list[bool] = []
    for row in rows:
        if limit is not None and len(records) >= limit:
            break
        where = f"{name}, line {rows.line_num}"
        if len(row) != len(header):
            raise BadData(f"{where}: {len(row)} values, but the header names {len(header)} columns")
        if place is not None:
            labels.append(_label(where, header[place], row.pop(place)))
        records.append(
            [_number(where, column, text) for column, text in zip(_without(header, place), row, strict=True)]
        )
    if not records:
        raise BadData(f"{name}: no records below the header")
    known = np.array(labels, dtype=np.bool_) if place is not None else None
    return tuple(_without(header, place)), np.array(records), known


def _without(header: list[str], place: int | None) -> list[str]:
    return [column for index, column in enumerate(header) if index != place]


def _check_header(name: str, header: list[str], label: str | None) -> None:
    if not header:
        raise BadData(f"{name}: empty; the first line must name the columns")
    if all(_is_number(column) for column in header):
        raise BadData(f"{name}, line 1: {','.join(header)[:60]!r} are numbers; the first line must name the columns")
    for index, column in enumerate(header):
        if column in header[:index]:
            raise BadData(f"{name}, line 1: two columns are named {column!r}")
    if label is not None and label not in header:
        raise BadData(f"{name}, line 1: no column {label!r} for the labels; there are {', '.join(header)}")
    if len(header) == (label is not None):
        raise BadData(f"{name}, line 1: no column but the labels'")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(where: str, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadData(f"{where}: column {column!r} is {text!r}, not a finite number")
    return value


def _label(where: str, column: str, text: str) -> bool:
    value = LABELS.get(text.strip().lower())
    if value is None:
        raise BadData(f"{where}: the label {column!r} is {text!r}: use 0 or 1")
    return value
