"""Score a file of timestamp,value as a stream: how abnormal is each record, given those before it?

The first line names the columns. A timestamp is a date and time (2014-04-01 00:00:00; without a zone it is UTC) or a
number of seconds. Written is a row timestamp,value,score for each record, as it is read; a score is from 0, as
expected, to 1. A record whose value is nan scores 0. Further columns play no part, unless --columns names them.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

NAMES = "default, best, range, mean-range, day-range, ewma, entropy, half-space-trees, river-gaussian"


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    parser.add_argument("file", metavar="FILE.csv", help="the file; - for standard input")
    parser.add_argument("--detector", default="default", metavar="NAME", help=f"{NAMES} (default: default)")
    parser.add_argument(
        "--columns", default="value", metavar="A,B", help="the columns with values, scored together (default: value)"
    )
    parser.add_argument("--out", metavar="FILE", help="where to write (default: standard output)")


def execute(arguments: Namespace) -> int:
    """Reads, scores, writes."""
    from .detecting import detect

    detect(arguments)
    return 0
