"""Importing what the command's words name, with errors that say what is there instead."""

from __future__ import annotations

import importlib
from types import ModuleType

from agentbus.errors import AgentNotFound

from .arguments import look_here_too


def import_here(name: str) -> ModuleType:
    """The module of that name; the working folder is looked through, too.

    Raises:
        AgentNotFound: no such module, or importing it fails; the text has the reason.
    """
    if name.endswith(".py") or "/" in name:
        dotted = name.removesuffix(".py").strip("./").replace("/", ".")
        raise AgentNotFound(f"{name!r} is a file: write the module's name, {dotted!r}")
    if not name or not all(part.isidentifier() for part in name.split(".")):
        raise AgentNotFound(f"{name!r} is not a module's name: write it with dots, as 'examples.climate'")
    look_here_too()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise AgentNotFound(
                f"no module {error.name!r}: it is neither installed nor in this folder; is the name right?"
            ) from error
        raise AgentNotFound(f"module {name!r} needs a module {error.name!r} that is not installed") from error
    except (Exception, SystemExit) as error:
        raise AgentNotFound(f"module {name!r} does not import: {type(error).__name__}: {error}") from error
