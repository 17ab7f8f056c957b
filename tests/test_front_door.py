"""The front door: what is promised there is there, and nothing is promised that is not."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import agentbus


def test_all_is_what_a_checker_sees_imported() -> None:
    tree = ast.parse(Path(inspect.getfile(agentbus)).read_text())
    imported = {
        alias.asname or alias.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert set(agentbus.__all__) == set(imported)
    assert agentbus.__all__ == sorted(agentbus.__all__)
    assert len(set(agentbus.__all__)) == len(agentbus.__all__) <= 32
    for name, module in imported.items():
        assert getattr(agentbus, name).__module__ == f"agentbus.{module}", "a checker and Python see the same"


def test_a_module_is_reached_through_the_package_and_nothing_else_is() -> None:
    assert agentbus.middleware is importlib.import_module("agentbus.middleware")
    assert set(agentbus.__all__) <= set(dir(agentbus))
    for name in ("Wheel", "_private", "no_such_module"):
        with pytest.raises(AttributeError, match=name):
            getattr(agentbus, name)


def test_every_name_resolves_and_is_documented() -> None:
    for name in agentbus.__all__:
        assert inspect.getdoc(getattr(agentbus, name)), name


def test_the_map_in_the_docstring_names_what_there_is() -> None:
    shown = set(re.findall(r"`([A-Za-z_]+)`", agentbus.__doc__ or ""))
    assert shown - {"agentbus"} <= set(agentbus.__all__)


def test_the_version_is_a_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", agentbus.__version__)


def test_every_module_of_the_hall_says_what_it_is() -> None:
    for module in pkgutil.iter_modules(agentbus.__path__):
        if not module.ispkg and module.name != "__main__":
            assert (importlib.import_module(f"agentbus.{module.name}").__doc__ or "").strip(), module.name
