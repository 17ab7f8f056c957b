"""What several commands ask for in the same words."""

from __future__ import annotations

import json
import os
import shlex
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Any

from .failures import UsageError

REALM = "default"
IDENTITY = "AGENTBUS_IDENTITY"
"""The variable that names an identity's file."""


def add_link(parser: ArgumentParser, *, realm: str | None = REALM, realm_help: str = "the realm") -> None:
    """``--url``, ``--realm`` and ``--identity``; `settle` makes of them what the command is told."""
    parser.add_argument(
        "--url",
        help="nats://[USER:PASSWORD@]HOST:PORT, tls://... or embedded://[NAME]; by default what AGENTBUS_URL says "
        "(the place for a password: others can see the words of a command), or else embedded://",
    )
    default = f" (default: {realm})" if realm else ""
    parser.add_argument("--realm", help=realm_help + default)
    parser.add_argument(
        "--identity",
        metavar="FILE",
        help="who to be: an enrolled identity, which knows its realm and where that is; by default what "
        "AGENTBUS_IDENTITY says, or else nobody in particular",
    )
    parser.set_defaults(default_realm=realm, link=())


def settle(arguments: Namespace) -> None:
    """Reads the identity, whose realm is the command's, and keeps in ``link`` which words were given.

    Raises:
        ConfigurationError: there is no identity in that file.
        UsageError: the realm that was named is not the identity's.
    """
    if "default_realm" not in arguments:
        return  # a command that asks nobody
    given = {name: getattr(arguments, name) for name in ("identity", "url", "realm")}
    told = {name: value for name, value in given.items() if value and not (name == "url" and "@" in value)}
    arguments.link = tuple(word for name, value in told.items() for word in (f"--{name}", value))
    file = arguments.identity or os.environ.get(IDENTITY)
    arguments.identity = None
    arguments.realm = arguments.realm or arguments.default_realm
    if not file:
        return
    from agentbus.security.identity import Identity

    identity = Identity.load(file)
    if given["realm"] not in (None, identity.realm):
        raise UsageError(f"the identity in {file} is of realm {identity.realm!r}: leave --realm away")
    arguments.identity, arguments.realm = identity, identity.realm


def again(arguments: Namespace, *words: str) -> str:
    """A command for the same realm, as a shell takes it. A URL that may hold a password is not told again."""
    return shlex.join(("agentbus", *words, *arguments.link))


def add_types(parser: ArgumentParser) -> None:
    """``--import``, ``--descriptors`` and ``--proto``: where message types are known from."""
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a Python module whose message types to know, examples.climate.v1.climate_pb2 say; repeatable",
    )
    parser.add_argument(
        "--descriptors",
        action="append",
        default=[],
        metavar="FILE",
        help="a descriptor set (protoc --include_imports -o FILE) whose types to know; repeatable",
    )
    parser.add_argument(
        "--proto", action="append", default=[], metavar="DIR", help="a folder of .proto files to know; repeatable"
    )


def seconds(text: str) -> float:
    """A positive number of seconds, at most a day."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 86400.0:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds above 0, a day at most")
    return value


def count(text: str) -> int:
    """A positive whole number."""
    if not (text.isdecimal() and text.isascii() and int(text[:18]) > 0):
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text[:18])


def port(text: str) -> int:
    """A port, 0 for any free one."""
    if not (text.isdecimal() and text.isascii() and len(text) < 6 and int(text) < 1 << 16):
        raise ArgumentTypeError(f"{text!r} is not a port: 1 to 65535, or 0 for any free one")
    return int(text)


def read_json(text: str) -> Any:
    """The value that a JSON text says. Raises `UsageError` with the place where it goes wrong."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(
            f'not JSON: {error}: in a shell, write it between single quotes, \'{{"room": "hall"}}\''
        ) from None
    except RecursionError:
        raise UsageError("not JSON that can be read: it is nested too deeply") from None


def look_here_too() -> None:
    """Modules of the working folder can be imported, as with ``python -m``."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
