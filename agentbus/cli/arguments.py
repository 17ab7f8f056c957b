"""What several commands ask for in the same words."""

from __future__ import annotations

import json
import os
import sys
from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace
from typing import Any

from .failures import UsageError

REALM = "default"


def add_link(parser: ArgumentParser, *, realm: str | None = REALM, realm_help: str = "the realm") -> None:
    """``--url`` and ``--realm``."""
    parser.add_argument(
        "--url",
        help="nats://[USER:PASSWORD@]HOST:PORT, tls://... or embedded://[NAME]; by default what AGENTBUS_URL says "
        "(the place for a password: others can see the words of a command), or else embedded://",
    )
    default = f" (default: {realm})" if realm else ""
    parser.add_argument("--realm", default=realm, help=realm_help + default)
    parser.add_argument(
        "--identity",
        action=_IdentityAction,
        metavar="FILE",
        help="who to be: an enrolled identity, which knows its realm and where that is",
    )


class _IdentityAction(Action):
    """Reads the identity, whose realm is the command's."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        from agentbus.security.identity import Identity

        identity = Identity.load(values)
        namespace.identity = identity
        namespace.realm = identity.realm


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
