"""Verify, prove and show a log in a folder, offline.

verify: whether all of it is what its checkpoint says, and what witnesses have cosigned; the first broken record is
named, and the exit status is 1. prove: that a record is in the log, as a proof that anybody can check. show: records,
oldest first. tail: the newest, with --follow as they come under a checkpoint.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace

from .arguments import count
from .failures import UsageError

SHOWN = 20


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    parser.add_argument("what", choices=["verify", "prove", "show", "tail"], help="what to do")
    parser.add_argument("folder", metavar="DIR", help="where the log lies")
    parser.add_argument("index", nargs="?", type=_index, metavar="INDEX", help="prove, show: the record's number")
    parser.add_argument(
        "--key",
        dest="keys",
        action="append",
        default=[],
        metavar="KEY",
        help="verify, prove: the log's verifier key, or a witness's, as name+id+base64, or a file of them, one a line; "
        "repeatable. Without the log's, signatures are not verified",
    )
    parser.add_argument(
        "--checkpoint",
        dest="checkpoints",
        action="append",
        default=[],
        metavar="FILE",
        help="verify: a checkpoint that a witness holds; repeatable",
    )
    parser.add_argument(
        "--quorum",
        type=count,
        metavar="N",
        help="verify: how many witnesses must have cosigned what lies with the log (default: all whose keys are given)",
    )
    parser.add_argument(
        "-n", dest="count", type=count, default=SHOWN, metavar="N", help=f"show, tail: records (default: {SHOWN})"
    )
    parser.add_argument("--follow", action="store_true", help="tail: go on, until Ctrl-C")


def execute(arguments: Namespace) -> int:
    """Reads, and prints."""
    from . import auditing

    if arguments.index is not None and arguments.what not in ("prove", "show"):
        raise UsageError(f"{arguments.what} takes no INDEX: agentbus audit {arguments.what} DIR")
    if (arguments.checkpoints or arguments.quorum) and arguments.what != "verify":
        raise UsageError("--checkpoint and --quorum go with verify: agentbus audit verify DIR --checkpoint FILE")
    if arguments.follow and arguments.what != "tail":
        raise UsageError("--follow goes with tail: agentbus audit tail DIR --follow")
    match arguments.what:
        case "verify":
            return auditing.verify_folder(arguments)
        case "prove":
            if arguments.index is None:
                raise UsageError("prove which record? agentbus audit prove DIR INDEX")
            return auditing.prove(arguments)
        case "show":
            return auditing.show(arguments)
        case _:
            return auditing.tail(arguments)


def _index(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) < 19):
        raise ArgumentTypeError(f"{text!r} is not a record's number, from 0")
    return int(text)
