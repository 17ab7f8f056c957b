"""The names of the front door are imported when they are first used; until then they cost nothing."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import agentbus

SOURCE = Path(agentbus.__file__)


def imported_for_checkers() -> dict[str, str]:
    """Name to module, as type checkers see it."""
    for node in ast.parse(SOURCE.read_text()).body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            imports = [line for line in node.body if isinstance(line, ast.ImportFrom)]
            return {alias.name: line.module or "" for line in imports for alias in line.names}
    raise AssertionError("no imports for type checkers")


def test_all_is_what_there_is_and_what_checkers_see() -> None:
    told = imported_for_checkers()
    assert sorted(told) == sorted(agentbus.__all__)
    assert set(agentbus.__all__) <= set(dir(agentbus))
    for name, module in told.items():
        assert getattr(agentbus, name) is getattr(importlib.import_module(f"agentbus.{module}"), name)


def test_a_star_gives_all_of_it() -> None:
    given: dict[str, object] = {}
    exec("from agentbus import *", given)
    assert set(agentbus.__all__) == set(given) - {"__builtins__"}


def python(code: str, *options: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, *options, "-c", code], cwd=SOURCE.parents[1], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_rooms_are_there_without_being_imported() -> None:
    assert (
        python("import agentbus; print(agentbus.errors.Busy.__name__, agentbus.middleware.stack.__name__)")
        == "Busy stack\n"
    )


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(AttributeError, match="module 'agentbus' has no attribute 'Thermostat'"):
        getattr(agentbus, "Thermostat")  # noqa: B009 - checkers know that it is not there
    with pytest.raises(ImportError, match="cannot import name 'Thermostat' from 'agentbus'"):
        exec("from agentbus import Thermostat")


def test_importing_agentbus_imports_nothing_heavy() -> None:
    # -S: the environment's own start-up files import what they like.
    code = "import sys, agentbus; print(*{'asyncio', 'nats', 'google', 'structlog'} & set(sys.modules))"
    assert python(code, "-S") == "\n"
