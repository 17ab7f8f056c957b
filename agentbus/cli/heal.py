"""Show what was done about faults, and why; or what would be done.

log: the steps that are stored, oldest first, with fault, reason, witnesses and outcome; what several nodes did alike is
one line. dry-run: what the running fleet's policy would do now about a fault; nothing is changed.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from .arguments import add_link, seconds
from .failures import UsageError

TIMEOUT_S = 5.0


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    parser.add_argument("what", choices=["log", "dry-run"], help="what was done, or what would be done")
    add_link(parser)
    parser.add_argument(
        "--timeout", type=seconds, default=TIMEOUT_S, metavar="S", help=f"seconds to wait (default: {TIMEOUT_S:g})"
    )
    parser.add_argument("--follow", action="store_true", help="log: go on, each step as it is stored, until Ctrl-C")
    parser.add_argument("--fault", metavar="KIND", help="dry-run: this kind of fault (default: each that has a name)")
    parser.add_argument("--agent", default="", metavar="NAME", help="dry-run: of this agent (default: the whole node)")
    parser.add_argument("--node", default="", metavar="NAME", help="dry-run: on this node (default: that of the agent)")


def execute(arguments: Namespace) -> int:
    """Asks, and prints."""
    import asyncio

    from .healing import dry_run, show_log

    if arguments.what == "log":
        if arguments.fault or arguments.agent or arguments.node:
            raise UsageError("--fault, --agent and --node go with dry-run: agentbus heal dry-run --fault lying")
        asyncio.run(show_log(arguments))
        return 0
    if arguments.follow:
        raise UsageError("--follow goes with log: agentbus heal log --follow")
    if not (arguments.agent or arguments.node):
        raise UsageError("dry-run of whose fault? Say --agent NAME or --node NAME, or both")
    asyncio.run(dry_run(arguments))
    return 0
