"""`agentbus.testing`: all its names are there, and importing it imports nothing more."""

from __future__ import annotations

import subprocess
import sys

import pytest

import agentbus.testing


def test_every_name_is_there() -> None:
    for name in agentbus.testing.__all__:
        assert getattr(agentbus.testing, name)
        assert name in dir(agentbus.testing)
    with pytest.raises(AttributeError, match="Simulator"):
        _ = agentbus.testing.Simulator  # type: ignore[attr-defined]


def test_importing_it_is_cheap() -> None:
    program = "import sys, agentbus.testing; print([m for m in sys.modules if m.startswith('agentbus.testing.')])"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=15)
    assert run.stdout.strip() == "[]"
