"""The command line of ``python -m examples.shuttle``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .desk import THRESHOLD

MOST_DETECTORS = 64


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; ends the program with status 2 when they make no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.shuttle",
        description="Agents in several processes watch a Space Shuttle's telemetry, or your own, for anomalies.",
        allow_abbrev=False,
    )
    parser.add_argument("--detectors", type=int, default=4, metavar="N", help="how many share the work (default 4)")
    parser.add_argument("--data", metavar="FILE", help="a CSV file of your own: a header row, then numbers")
    parser.add_argument("--label", metavar="COLUMN", help="the column of FILE that holds labels, 0 or 1")
    parser.add_argument(
        "--threshold", type=float, default=THRESHOLD, help=f"scores from here on are alarms (default {THRESHOLD})"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="replay the first N records only")
    parser.add_argument("--secure", action="store_true", help="with identities: TLS, permissions, signed frames")
    parser.add_argument("--kill", action="store_true", help="kill a detector with SIGKILL in the middle")
    parser.add_argument(
        "--url", help="the broker; by default AGENTBUS_URL, or else a nats-server for this run, with JetStream"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")
    options = parser.parse_args(words)
    if not 1 <= options.detectors <= MOST_DETECTORS:
        parser.error(f"--detectors {options.detectors}: use 1 to {MOST_DETECTORS}")
    if options.kill and options.detectors < 2:
        parser.error("--kill needs two detectors at least: one must go on")
    if options.limit is not None and options.limit < 1:
        parser.error(f"--limit {options.limit}: use 1 or more")
    if not 0.0 <= options.threshold <= 1.0:
        parser.error(f"--threshold {options.threshold}: scores are from 0 to 1")
    if options.secure and options.url:
        parser.error("--secure runs a nats-server of its own: leave --url away")
    if options.label is not None and options.data is None:
        parser.error("--label goes with --data")
    return options
