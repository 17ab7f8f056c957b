"""Ask an agent and print its answer, both in protobuf's JSON mapping.

TYPE is the request's full or short name, or the name of the behavior that answers it: the agent itself says which there
are. Its Python code is not needed here. Where the type is known, by --import, --descriptors or --proto, the JSON is
checked first, misspelt fields too. With --any there is no AGENT: any agent that answers TYPE does. JSON is {} unless
given; - reads it from standard input.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from .arguments import add_link, add_types, read_json, seconds
from .failures import UsageError

TIMEOUT_S = 5.0


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    parser.usage = "agentbus call [OPTIONS] AGENT TYPE [JSON]\n       agentbus call [OPTIONS] --any TYPE [JSON]"
    parser.add_argument("words", nargs="+", metavar="AGENT TYPE [JSON]", help="whom to ask, and what")
    parser.add_argument("--any", action="store_true", help="ask any agent that answers the type")
    parser.add_argument(
        "--timeout", type=seconds, default=TIMEOUT_S, metavar="S", help=f"seconds to wait (default: {TIMEOUT_S:g})"
    )
    add_link(parser)
    add_types(parser)


def execute(arguments: Namespace) -> int:
    """Asks, and prints the answer."""
    import asyncio
    import sys

    from .asking import ask

    agent, kind, text = _words(arguments)
    value = read_json(sys.stdin.read() if text == "-" else text)
    asyncio.run(ask(arguments, agent, kind, value))
    return 0


def _words(arguments: Namespace) -> tuple[str, str, str]:
    words: list[str] = list(arguments.words)
    wanted = 1 if arguments.any else 2
    if not wanted <= len(words) <= wanted + 1:
        form = "--any TYPE [JSON]" if arguments.any else "AGENT TYPE [JSON]"
        raise UsageError(f"{len(words)} words: write agentbus call {form}, the JSON between single quotes")
    agent = "" if arguments.any else words.pop(0)
    return agent, words[0], words[1] if len(words) == 2 else "{}"
