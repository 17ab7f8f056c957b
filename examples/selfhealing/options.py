"""The command line of ``python -m examples.selfhealing``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from .plan import FAULTS

MOST_AGENTS, FEWEST_AGENTS = 64, 4


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; ends the program with status 2 when they make no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.selfhealing",
        description="Agents score a Space Shuttle's telemetry while they are killed, stopped, lied to and cut off.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--fault",
        type=_faults,
        default=FAULTS,
        metavar="KIND,...",
        help=f"the faults, one after the other: some of {','.join(FAULTS)} (default: all); none: no faults",
    )
    parser.add_argument("--secure", action="store_true", help="with identities: TLS, permissions, signed frames")
    parser.add_argument("--agents", type=int, default=12, metavar="N", help="how many share the work (default 12)")
    parser.add_argument("--shards", type=int, default=16, metavar="N", help="what the work is cut into (default 16)")
    parser.add_argument("--seed", type=int, default=1, help="chooses whom the faults are done to (default 1)")
    parser.add_argument("--data", metavar="FILE", help="a CSV file of your own: a header row, then numbers")
    parser.add_argument("--label", metavar="COLUMN", help="the column of FILE that holds labels, and is left out")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N records only; they come again as needed")
    parser.add_argument("--pace", type=float, default=300.0, metavar="R", help="records a second (default 300)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the timeline as a picture, in HTML")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write the picture alone, as SVG")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")
    options = parser.parse_args(words)
    if not FEWEST_AGENTS <= options.agents <= MOST_AGENTS:
        parser.error(f"--agents {options.agents}: use {FEWEST_AGENTS} to {MOST_AGENTS}")
    if not 1 <= options.shards <= 1024:
        parser.error(f"--shards {options.shards}: use 1 to 1024")
    if options.limit is not None and options.limit < 1:
        parser.error(f"--limit {options.limit}: use 1 or more")
    if not 1.0 <= options.pace <= 100_000.0:
        parser.error(f"--pace {options.pace:g}: use 1 to 100000 records a second")
    if options.label is not None and options.data is None:
        parser.error("--label goes with --data")
    for path in (options.report, options.picture):
        if path is not None and not path.absolute().parent.is_dir():
            parser.error(f"{path}: there is no folder {path.parent}")
    return options


def _faults(text: str) -> tuple[str, ...]:
    kinds = tuple(kind.strip() for kind in text.split(",") if kind.strip())
    if kinds == ("none",):
        return ()
    for kind in kinds:
        if kind not in FAULTS:
            raise argparse.ArgumentTypeError(f"no fault {kind!r}: use some of {', '.join(FAULTS)}, or none")
    if not kinds:
        raise argparse.ArgumentTypeError(f"name some of {', '.join(FAULTS)}, or none")
    return kinds
