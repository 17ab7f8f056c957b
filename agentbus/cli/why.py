"""Show what was decided about a job: who bid or refused, at which cost, bid and weight; who won, and who did it.

JOB is what the logs call job, and a deal's `job`. Without it, the newest jobs are shown as their buyers saw them. Each
node keeps the last 16,384 decisions of its agents, until it ends.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from .arguments import add_link, seconds

TIMEOUT_S = 2.0


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    add_link(parser)
    parser.add_argument("job", nargs="?", default="", metavar="JOB", help="the job's id (default: the newest jobs)")
    parser.add_argument(
        "--timeout", type=seconds, default=TIMEOUT_S, metavar="S", help=f"seconds to listen (default: {TIMEOUT_S:g})"
    )


def execute(arguments: Namespace) -> int:
    """Asks, and prints."""
    import asyncio

    from .decisions import show

    asyncio.run(show(arguments))
    return 0
