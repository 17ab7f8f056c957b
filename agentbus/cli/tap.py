"""Show messages as they travel, decoded, until Ctrl-C.

SUBJECT is a NATS subject or pattern; by default all events of the realm, REALM.ev.>. What is shown of a type that is
not known, by --import, --descriptors or --proto, is the number and value of each field. What a slow reader of this
command's output misses is counted.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from .arguments import add_link, add_types, count, seconds


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    parser.add_argument("subject", nargs="?", metavar="SUBJECT", help="what to listen to (default: REALM.ev.>)")
    parser.add_argument(
        "--type",
        action="append",
        default=[],
        dest="types",
        help="only messages of this type, full or short; repeatable",
    )
    parser.add_argument("--count", type=count, metavar="N", help="end after so many messages")
    parser.add_argument("--timeout", type=seconds, metavar="S", help="end after so many seconds")
    add_link(parser)
    add_types(parser)


def execute(arguments: Namespace) -> int:
    """Listens, and prints."""
    import asyncio

    from .tapping import tap

    asyncio.run(tap(arguments))
    return 0
