"""Show which nodes are alive, as one of them believes: alive, suspect, failed or left, and the agents of each.

Any node that runs `Membership` answers; --seen-by asks a certain one, as two may differ for a moment.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from .arguments import add_link, seconds

TIMEOUT_S = 2.0


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    add_link(parser)
    parser.add_argument("--seen-by", metavar="NODE", help="what this node believes (default: any)")
    parser.add_argument(
        "--timeout", type=seconds, default=TIMEOUT_S, metavar="S", help=f"seconds to wait (default: {TIMEOUT_S:g})"
    )
    parser.add_argument("--watch", action="store_true", help="again and again, until Ctrl-C")


def execute(arguments: Namespace) -> int:
    """Asks, and prints."""
    import asyncio

    from .membership import show

    asyncio.run(show(arguments))
    return 0
