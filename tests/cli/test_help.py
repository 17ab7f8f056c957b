"""Help is there at once, and says what there is."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

import pytest

from agentbus import __version__
from agentbus.cli.program import COMMANDS, main, parse
from tests.cli.commands import ROOT, environment

HEAVY = ("asyncio", "nats", "google", "rich", "structlog", "uvloop", "inspect", "ssl", "socket", "dataclasses")
PROBE = """
import json, sys
from agentbus.cli import main
status = main(sys.argv[1:])
print(json.dumps([status, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


@pytest.mark.parametrize("words", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    # -S: the environment's own start-up files import what they like.
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROBE, *words],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    status, modules = json.loads(done.stderr)
    assert status == 0
    assert not set(HEAVY) & set(modules)
    assert done.stdout.startswith(("usage: agentbus", f"agentbus {__version__}"))


def test_every_command_is_a_module_of_its_name() -> None:
    for name in COMMANDS:
        module = importlib.import_module(f"agentbus.cli.{name}")
        assert callable(module.configure)
        assert callable(module.execute)
        assert module.__doc__


def test_the_overview_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    for name, summary in COMMANDS.items():
        assert f"  {name:<8} {summary}\n" in told


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_speak_json_and_show_tracebacks(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    told = capsys.readouterr().out
    assert "--json" in told
    assert "--debug" in told


@pytest.mark.parametrize(
    "words", [[], ["prs"], ["ps", "--nonsense"], ["tap", "--count", "0"], ["ps", "--timeout", "x"]]
)
def test_wrong_usage_is_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "error: " in told.err


def test_a_command_is_added_by_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "arguments_like", "a command to come")
    with pytest.raises(ModuleNotFoundError, match=r"agentbus\.cli\.arguments_like"):
        parse(["arguments_like"])


@pytest.mark.parametrize("words", [["--help"], ["call", "--help"]])
def test_nobody_reading_is_no_error(words: list[str]) -> None:
    unread, written = os.pipe()
    os.close(unread)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "agentbus", *words],
            cwd=ROOT,
            env=environment(),
            check=False,
            stdout=written,
            stderr=subprocess.PIPE,
        )
    finally:
        os.close(written)
    assert (done.returncode, done.stderr) == (141, b"")
