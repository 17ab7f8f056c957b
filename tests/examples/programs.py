"""Runs programs as a user would, each with a nats-server home of its own, and finds what they leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Done:
    """How a program ended."""

    status: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit status {self.status}\n{self.out}\n{self.err}"


def environment(home: Path, url: str | None = None) -> dict[str, str]:
    """The environment of a program whose files, its embedded nats-server's included, lie below `home`."""
    kept = {name: value for name, value in os.environ.items() if name != "AGENTBUS_URL"}
    (home / "tmp").mkdir(exist_ok=True)
    found = {**kept, "AGENTBUS_HOME": str(home / "state"), "TMPDIR": str(home / "tmp"), "PYTHONPATH": str(ROOT)}
    return {**found, "AGENTBUS_URL": url} if url else found


def start(module: str, *words: str, home: Path, url: str | None = None) -> subprocess.Popen[str]:
    """Starts ``python -m module words``."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", module, *words],
        cwd=ROOT,
        env=environment(home, url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], *, within_s: float) -> Done:
    """Waits for the end; kills what does not end in time, and fails."""
    try:
        out, err = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"did not end within {within_s:g} s:\n{out}\n{err}") from None
    return Done(process.returncode, out, err)


def run(module: str, *words: str, home: Path, url: str | None = None, within_s: float = 18.0) -> Done:
    """Runs a program to its end."""
    return finish(start(module, *words, home=home, url=url), within_s=within_s)


def processes_with(text: str, *, parent: int | None = None) -> dict[int, str]:
    """The running processes in whose command line `text` is, of one parent if it is given: number and command."""
    columns = "pid=,ppid=,stat=,args="
    listed = subprocess.run(["ps", "-A", "-ww", "-o", columns], capture_output=True, text=True, check=True)
    found: dict[int, str] = {}
    for line in listed.stdout.splitlines():
        number, above, state, command = line.split(None, 3)
        if text in command and not state.startswith("Z") and parent in (None, int(above)):
            found[int(number)] = command
    return found


def until(condition: Callable[[], object], what: str, *, within_s: float = 10.0) -> None:
    """Returns when `condition` holds, looking twenty times a second."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.05)
