"""Commands that have commands of their own: ``agentbus realm init``, ``agentbus identity show``."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from .output import line, record


class Act(NamedTuple):
    """One of a command's commands: what it does, its words, and what runs it."""

    summary: str
    configure: Callable[[ArgumentParser], None]
    execute: Callable[[Namespace], int]


def add_acts(parser: ArgumentParser, acts: Mapping[str, Act]) -> None:
    """The words of each; ``--json`` and ``--debug`` may stand behind them, too."""
    choices = parser.add_subparsers(dest="act", required=True, metavar="COMMAND")
    for name, act in acts.items():
        own = choices.add_parser(name, help=act.summary, description=act.summary, allow_abbrev=False)
        act.configure(own)
        own.add_argument("--json", action="store_true", default=SUPPRESS, help="for programs: JSON")
        own.add_argument("--debug", action="store_true", default=SUPPRESS, help="show the traceback of an error")


def tell(arguments: Namespace, told: Mapping[str, Any]) -> None:
    """Shows names and values: JSON, or a line each."""
    if arguments.json:
        record(told)
        return
    for name, value in told.items():
        shown = ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)
        if shown:
            line(f"{name.replace('_', ' '):<15} {shown}")
