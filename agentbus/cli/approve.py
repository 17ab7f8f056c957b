"""Show the calls that wait for a person's approval, and say yes or no to one.

ls: what waits anywhere in the realm, what has the least time left first; with an ID, that call whole. yes, no: sign an
answer to the call of that ID, about exactly the request that is shown with it, and hand it to the node where the call
waits. The key is the one in --key FILE, or in the environment variable AGENTBUS_SEED; whoever is enrolled shows the
enrolment, too.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from agentbus.errors import ConfigurationError

from .arguments import add_link, add_types, seconds
from .failures import UsageError

TIMEOUT_S = 2.0


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    parser.add_argument("what", choices=["ls", "yes", "no"], help="what waits; or the answer to one call")
    parser.add_argument("id", nargs="?", default="", metavar="ID", help="the call, by its number in ls")
    parser.add_argument("--reason", default="", metavar="TEXT", help="yes, no: why; it is signed and kept, too")
    parser.add_argument("--key", metavar="FILE", help="yes, no: the file of the key to sign with, mode 0600")
    parser.add_argument("--enrolment", metavar="FILE", help="yes, no: the file of the key's signed enrolment")
    parser.add_argument(
        "--timeout", type=seconds, default=TIMEOUT_S, metavar="S", help=f"seconds to wait (default: {TIMEOUT_S:g})"
    )
    add_link(parser)
    add_types(parser)


def execute(arguments: Namespace) -> int:
    """Asks, or answers, and prints."""
    import asyncio

    if arguments.what == "ls" and (arguments.reason or arguments.key or arguments.enrolment):
        raise UsageError("--reason, --key and --enrolment go with yes and no: agentbus approve yes ID")
    if arguments.what != "ls" and not arguments.id:
        raise UsageError(f"{arguments.what} to which call? agentbus approve ls shows their IDs")
    try:
        from .approving import answer, show
    except ModuleNotFoundError as error:
        if error.name not in ("nacl", "nkeys"):
            raise
        raise ConfigurationError(
            f"{error.name} is not installed: pip install 'agentbus-network[security]' brings it"
        ) from None
    asyncio.run(show(arguments) if arguments.what == "ls" else answer(arguments))
    return 0
