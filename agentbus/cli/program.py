"""Which commands there are, and how each is run: its words parsed, its errors told in one line.

Exit status: 0 done; 1 an `AgentBusError`; 2 wrong usage; 130 Ctrl-C; 141 nobody reads the output any more.
"""

from __future__ import annotations

import os
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from importlib import import_module

from agentbus import __version__
from agentbus.errors import AgentBusError

from .arguments import settle
from .failures import UsageError, report

COMMANDS = {
    "run": "host agents until SIGTERM or Ctrl-C",
    "server": "run a nats-server in the foreground",
    "realm": "make a realm, where the broker knows who is who; change its keys",
    "identity": "make identities, have them enrolled, change and revoke them",
    "ps": "show who is there: agents, their rates and failures",
    "members": "show which nodes are alive, and which are not",
    "heal": "show what was done about faults, or what would be",
    "approve": "show the calls that wait for a person, and say yes or no",
    "audit": "verify, prove and show a log that can't be rewritten",
    "why": "show who bid for a job, who did it, and why",
    "call": "ask an agent, in JSON",
    "tap": "show messages as they travel",
    "detect": "score the records of a file: which are abnormal",
    "proto": "compile .proto files to Python",
}
"""Every command and what it does. A new one is one line here and a module of its name beside this one."""

INTERRUPTED = 130
UNREAD = 141

_EPILOG = """commands:
{commands}

'agentbus COMMAND --help' tells more of one. AGENTBUS_URL says where the broker is, unless --url does; by default it is
the nats-server that the programs of this user share, started when it is needed. AGENTBUS_IDENTITY names an identity's
file, unless --identity does: it says who to be, in which realm, and where that is."""


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command that `words` say, by default the process's; returns the exit status."""
    words = sys.argv[1:] if words is None else words
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")  # a name that the terminal's encoding lacks is no reason to fail
    try:
        return _guarded(words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _stop_writing()
        return UNREAD


def _guarded(words: Sequence[str]) -> int:
    try:
        execute, arguments = parse(words)
        status = execute(arguments)
    except SystemExit as ended:  # argparse: help was shown, or wrong usage told
        status = ended.code if isinstance(ended.code, int) else 1
    except AgentBusError as error:
        if "--debug" in words:
            from traceback import print_exception

            print_exception(error)
        report(error, as_json="--json" in words)
        status = 2 if isinstance(error, UsageError) else 1
    sys.stdout.flush()  # here, where a reader that has gone is not an error
    return status


def parse(words: Sequence[str]) -> tuple[Callable[[Namespace], int], Namespace]:
    """The command's function and its arguments. Only that command's module is imported."""
    name = words[0] if words else ""
    if name not in COMMANDS:
        _overview().parse_args(words)
        raise UsageError("which command? See agentbus --help")
    command = import_module(f"agentbus.cli.{name}")
    description = command.__doc__ or COMMANDS[name]
    summary, _, more = description.strip().partition("\n")
    parser = ArgumentParser(prog=f"agentbus {name}", description=" ".join([summary, *more.split()]), allow_abbrev=False)
    command.configure(parser)
    parser.add_argument("--json", action="store_true", help="for programs: JSON, one object a line")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    arguments = parser.parse_args(words[1:])
    settle(arguments)
    return command.execute, arguments


def _overview() -> ArgumentParser:
    from argparse import RawDescriptionHelpFormatter

    listed = "\n".join(f"  {name:<8} {summary}" for name, summary in COMMANDS.items())
    parser = ArgumentParser(
        prog="agentbus",
        usage="agentbus [--help] [--version] COMMAND ...",
        description="Networks of agents over NATS.",
        epilog=_EPILOG.format(commands=listed),
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"agentbus {__version__}")
    parser.add_argument("command", choices=list(COMMANDS), metavar="COMMAND", help=SUPPRESS)
    parser.add_argument("arguments", nargs="*", metavar="...", help=SUPPRESS)
    return parser


def _stop_writing() -> None:
    """Whoever read has gone: lets Python flush into nothing, instead of complaining at the exit."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nothing, stream.fileno())
    os.close(nothing)
