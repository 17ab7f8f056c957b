"""Every command of the guide on identities runs, in its order, in a folder of its own, and shows what it is said to.

A line that ends in ``&`` goes on in the background. Of the lines below a command each is a part of a line that comes,
however many blanks are between its words.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guides" / "identities.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PORT = "4443"
WITHIN_S = 20.0


def commands() -> list[tuple[str, list[str]]]:
    """Each command, and what it shows."""
    found: list[tuple[str, list[str]]] = []
    for block in BLOCK.findall(PAGE.read_text()):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def free_ports() -> int:
    """The first of three ports, whose likes 2,000 higher are free, too."""
    for first in range(20_000 + os.getpid() % 4000, 28_000, 7):
        with ExitStack() as stack:
            try:
                for number in (first, first + 1, first + 2, first + 2000, first + 2001, first + 2002):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", number))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports")


class Shell:
    """Runs commands in a folder, some in the background."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = ""
        self._running: list[subprocess.Popen[bytes]] = []
        script = folder / "bin" / "agentbus"
        script.parent.mkdir()
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m agentbus "$@"\n')
        script.chmod(0o755)
        beside = str(Path(sys.executable).parent)
        self._environment = {
            **os.environ,
            "PATH": os.pathsep.join((str(script.parent), beside, os.environ["PATH"])),
            "PYTHONPATH": str(ROOT),
            "AGENTBUS_HOME": str(folder / "home"),
        }

    def run(self, command: str, shows: list[str]) -> None:
        command = command.replace(PORT, self.port)
        wanted = [re.compile(r"\s+".join(map(re.escape, line.replace(PORT, self.port).split()))) for line in shows]
        if command.endswith("&"):
            self._start(command[:-1].strip(), wanted)
            return
        deadline = time.monotonic() + WITHIN_S
        while True:  # what has just been started in the background may not be up yet
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            missing = [pattern.pattern for pattern in wanted if not pattern.search(done.stdout)]
            if done.returncode == 0 and not missing:
                return
            assert time.monotonic() < deadline, f"{command}\n{done.stdout}\n{done.stderr}\nmissing: {missing}"
            time.sleep(0.2)

    def _start(self, command: str, wanted: list[re.Pattern[str]]) -> None:
        output = self.folder / f"background-{len(self._running)}.out"
        with output.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}" if not command.startswith("(") else command],
                cwd=self.folder,
                env=self._environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self._running.append(process)
        deadline = time.monotonic() + WITHIN_S
        while not all(pattern.search(output.read_text()) for pattern in wanted):
            assert process.poll() is None, f"{command} has ended:\n{output.read_text()}"
            assert time.monotonic() < deadline, f"{command}:\n{output.read_text()}"
            time.sleep(0.05)

    def stop(self) -> None:
        for process in reversed(self._running):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._running.clear()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    made.stop()


def chapters() -> list[list[tuple[str, list[str]]]]:
    """The commands, a list for each realm: from where it is made, which says the port."""
    found: list[list[tuple[str, list[str]]]] = []
    for command, shows in commands():
        if "--port" in command:
            found.append([])
        found[-1].append((command, shows))
    return found


def test_all_commands_are_in_a_chapter() -> None:
    assert sum(map(len, chapters())) >= 30
    assert len(chapters()) == 3


@pytest.mark.timeout(180)
@pytest.mark.parametrize("chapter", chapters(), ids=["one machine", "admission", "a cluster"])
def test_each_command_runs(shell: Shell, chapter: list[tuple[str, list[str]]]) -> None:
    shell.port = str(free_ports())
    for command, shows in chapter:
        shell.run(command, shows)
