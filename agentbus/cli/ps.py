"""Show who is there: every agent that answers, and micro services of other frameworks (NATS ADR-32).

Counts are totals since the agent began. With --interval, or --watch, they are taken twice and rates are shown.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from .arguments import add_link, seconds

TIMEOUT_S = 2.0


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    add_link(parser, realm=None, realm_help="show this realm's agents only")
    parser.add_argument(
        "--timeout", type=seconds, default=TIMEOUT_S, metavar="S", help=f"seconds to listen (default: {TIMEOUT_S:g})"
    )
    parser.add_argument("--interval", type=seconds, metavar="S", help="seconds between two samples, for rates")
    parser.add_argument("--watch", action="store_true", help="again and again, until Ctrl-C")


def execute(arguments: Namespace) -> int:
    """Asks, and prints."""
    import asyncio

    from .presence import show

    asyncio.run(show(arguments))
    return 0
