"""The processes of the agents: started, started again when they end, killed, stopped and ended; none is left behind.

The parent is to its children what systemd is to services: whoever ends is there again after a second, in a new life.
Each child is told things on its standard input and tells things on its standard output, one JSON object a line, so
that the demo can switch a liar on, and hear of a zombie that was fenced, whatever happens to the network. When the
input ends, or the parent is gone, the child ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from agentbus.transports.server_guardian import die_with_parent

RESTART_S = 1.0
"""Seconds from the end of a process to its next life."""
END_S = 8.0
"""Seconds that a process may take to end by itself."""
MAX_LIVES_WITHOUT_WORD = 3
"""A process that ends so often before it has told anything is given up."""
TAIL = 1500
"""Characters of a log to show."""

Command = Callable[[str], Sequence[str]]
Hearer = Callable[[str, Mapping[str, Any]], None]
"""Called with a child's name and what it told. The crew itself tells ``{"word": "started", "process": ...}`` and
``{"word": "ended", "status": ...}``."""


class MemberFailed(RuntimeError):
    """A process does not stay up. Says which, and how its log ends."""


class Crew:
    """The processes of one run. An async context manager: ends them all.

    Args:
        command: what to run for a name.
        folder: for the logs, one file a name.
        hear: told of what the children tell.
        restart_s: seconds until the next life.

    Attributes:
        failed: done, with `MemberFailed`, when one is given up.
    """

    def __init__(self, command: Command, folder: Path, hear: Hearer, *, restart_s: float = RESTART_S) -> None:
        self._command = command
        self._folder = folder
        self._hear = hear
        self._restart_s = restart_s
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._over = asyncio.Event()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    def start(self, name: str) -> None:
        """Starts a child, and keeps starting it again."""
        self._tasks[name] = asyncio.get_running_loop().create_task(self._keep(name), name=f"keep {name}")

    def process(self, name: str) -> int | None:
        """The number of a child's process; None between two lives."""
        child = self._running.get(name)
        return None if child is None else child.pid

    def kill(self, name: str) -> None:
        """Ends a child as a power cut would (SIGKILL)."""
        self._signal(name, signal.SIGKILL)

    def stop(self, name: str) -> None:
        """Stops a child in its tracks (SIGSTOP)."""
        self._signal(name, signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        """Lets a stopped child go on (SIGCONT)."""
        self._signal(name, signal.SIGCONT)

    def tell(self, name: str, word: str, **facts: Any) -> None:
        """Tells a child something; does nothing between two lives."""
        child = self._running.get(name)
        if child is not None and child.stdin is not None and not child.stdin.is_closing():
            child.stdin.write(json.dumps({"word": word, **facts}).encode() + b"\n")

    def tail(self, name: str) -> str:
        """How the log of a child ends."""
        log = self._log(name)
        return log.read_text("utf-8", "replace")[-TAIL:] if log.exists() else ""

    async def end(self) -> None:
        """Ends all: asks, waits, kills."""
        self._over.set()
        for name in list(self._running):
            self._ask_to_end(name)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=END_S)
            for name in list(self._running):
                self.kill(name)
            await asyncio.wait(self._tasks.values())
        if self.failed.done():
            self.failed.exception()  # seen
        else:
            self.failed.cancel()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _ask_to_end(self, name: str) -> None:
        self.go_on(name)
        self._signal(name, signal.SIGTERM)

    def _signal(self, name: str, number: signal.Signals) -> None:
        child = self._running.get(name)
        if child is not None:
            with suppress(ProcessLookupError):
                child.send_signal(number)

    async def _keep(self, name: str) -> None:
        silent = 0
        while not self._over.is_set():
            told = await self._live(name)
            silent = 0 if told else silent + 1
            if silent == MAX_LIVES_WITHOUT_WORD and not self.failed.done():
                text = f"{name} ended {silent} times before it was up. Its log ends:\n{self.tail(name)}"
                self.failed.set_exception(MemberFailed(text))
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(self._restart_s):
                    await self._over.wait()

    async def _live(self, name: str) -> int:
        """One life; returns how many lines it told."""
        with self._log(name).open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                *self._command(name),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the parent, which ends them in order
                preexec_fn=partial(die_with_parent, os.getpid()),
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        self._running[name] = child
        if self._over.is_set():
            self._ask_to_end(name)
        told = 0
        try:
            self._hear(name, {"word": "started", "process": child.pid})
            assert child.stdout is not None
            async for line in child.stdout:
                told += 1
                self._hear_line(name, line)
            status = await child.wait()
        finally:
            del self._running[name]
            if child.returncode is None:  # this task was cancelled
                with suppress(ProcessLookupError):
                    child.kill()
        self._hear(name, {"word": "ended", "status": status})
        return told

    def _hear_line(self, name: str, line: bytes) -> None:
        with suppress(ValueError):  # what is no JSON was not meant for the parent
            facts: object = json.loads(line)
            if isinstance(facts, dict) and "word" in facts:
                self._hear(name, cast("dict[str, Any]", facts))

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"
