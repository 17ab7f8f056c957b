"""Logs: one form for people, one for programs, the same keys in both; the program's own set-up is left alone."""

from __future__ import annotations

import json
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from agentbus.errors import ConfigurationError
from agentbus.observability import logs

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def bare_logging() -> Iterator[logging.Logger]:
    """Python's logging without the handlers that pytest adds to it."""
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    level = root.level
    try:
        yield root
    finally:
        root.handlers = handlers
        root.setLevel(level)


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Each test begins and ends with structlog as it comes."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was logged, in JSON."""
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_json_lines_have_the_keys_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert logs.configure()
    log = structlog.get_logger("agentbus").bind(extra=object, message_id="a:1:2", agent="hall", node="n", realm="city")
    log.info("up", target=21)
    (line,) = told(capsys)
    assert list(line) == [
        "timestamp",
        "level",
        "event",
        "logger",
        "realm",
        "node",
        "agent",
        "message_id",
        "extra",
        "target",
    ]
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["event"], line["logger"], line["target"]) == ("info", "up", "agentbus", 21)


def test_lower_levels_are_left_out_and_a_second_call_changes_that(capsys: pytest.CaptureFixture[str]) -> None:
    log = structlog.get_logger("agentbus")
    assert logs.configure("warning")
    log.info("quiet")
    log.warning("loud")
    assert logs.configure("debug")
    log.debug("all")
    assert [line["event"] for line in told(capsys)] == ["loud", "all"]


def test_pythons_logging_joins(capsys: pytest.CaptureFixture[str]) -> None:
    with bare_logging():
        logs.configure()
        logs.configure()
        logging.getLogger("asyncio").warning("slow %s", "callback")
        try:
            raise ValueError("deep")
        except ValueError:
            logging.getLogger("mine").exception("broken")
        logging.getLogger("mine").debug("quiet")
    slow, broken = told(capsys)
    assert list(slow) == ["timestamp", "level", "event", "logger"]
    assert (slow["level"], slow["event"], slow["logger"]) == ("warning", "slow callback", "asyncio")
    assert broken["level"] == "error"
    assert broken["exception"].endswith("ValueError: deep")


@pytest.mark.parametrize("as_json", [True, False])
def test_tracebacks_are_told_without_local_variables(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=as_json)
    password = "hush" + "hush"
    try:
        raise ValueError(len(password))
    except ValueError as error:
        structlog.get_logger("agentbus").error("behavior failed", exc_info=error)
    told = capsys.readouterr().err
    assert "ValueError: 8" in told
    assert "hushhush" not in told


def test_bound_context_is_merged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    with structlog.contextvars.bound_contextvars(order="o-1"):
        structlog.get_logger("mine").info("paid")
    assert told(capsys)[0]["order"] == "o-1"


def test_a_programs_own_set_up_is_left_alone() -> None:
    own: list[Any] = [structlog.processors.JSONRenderer()]
    structlog.configure(processors=own)
    mine = logging.NullHandler()
    with bare_logging() as root:
        root.addHandler(mine)
        assert not logs.configure()
        assert structlog.get_config()["processors"] is own
        assert root.handlers == [mine]


def test_importing_agentbus_sets_nothing_up() -> None:
    code = (
        "import structlog, logging, agentbus, agentbus.node, agentbus.observability.logs\n"
        "print(structlog.is_configured(), logging.getLogger().handlers)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False []\n"


def test_no_such_level_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'loud' is no log level: use one of debug, info"):
        logs.configure("loud")


def test_a_log_that_nobody_reads_harms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    unread, written = os.pipe()
    os.close(unread)
    with os.fdopen(written, "w", buffering=1) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure()
        structlog.get_logger("agentbus").info("into the void")
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), written)


SAY = """
from agentbus.observability import logs
import structlog
logs.configure()
structlog.get_logger("agentbus").info("up", agent="hall")
"""


@pytest.mark.parametrize(
    ("out", "err", "coloured"), [(True, True, True), (False, True, False), (True, False, False), (False, False, False)]
)
def test_colours_are_for_terminals_only(out: bool, err: bool, coloured: bool) -> None:
    master, slave = pty.openpty()
    unread, written = os.pipe()
    try:
        streams = {"stdout": slave if out else written, "stderr": slave if err else written}
        env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
        subprocess.run([sys.executable, "-c", SAY], cwd=ROOT, env={**env, "TERM": "xterm"}, check=True, **streams)
        said = os.read(master if err else unread, 65536).decode()
    finally:
        for descriptor in (master, slave, unread, written):
            os.close(descriptor)
    assert ("\x1b[" in said) is coloured
    if not coloured:
        assert json.loads(said)["agent"] == "hall"
    else:
        assert "agent" in said
        assert "hall" in said
