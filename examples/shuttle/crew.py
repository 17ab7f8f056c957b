"""The child processes: started, watched, killed on request, and ended; none is left behind.

Each has a session of its own, so that Ctrl-C reaches the parent only, which ends them in order. If the parent is
killed, they notice by themselves (`process`).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from examples.secured import Secured

END_S = 8.0
"""Seconds that a process may take to end by itself."""
TAIL = 1500
"""Characters of a log to show."""


class MemberFailed(RuntimeError):
    """A process ended that should not have. Says which, and how its log ends."""


class Crew:
    """The processes of one run.

    Args:
        folder: for the logs, one file a process.
        url, realm: where the broker is, and the run's own realm; or
        keys: in place of them, who gives each process an identity.
    """

    def __init__(self, folder: Path, *, url: str = "", realm: str = "", keys: Secured | None = None) -> None:
        self._folder = folder
        self._url = url
        self._realm = realm
        self._keys = keys
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._watches: list[asyncio.Task[None]] = []
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.killed: list[str] = []

    async def start(self, role: str, name: str, options: Mapping[str, object] | None = None) -> None:
        """Starts one agent in a process of its own."""
        command = [sys.executable, "-m", "examples.shuttle.process", role, name]
        command += ["--options", json.dumps(options or {})]
        if self._keys is not None:
            command += ["--identity", str(self._keys.identity(f"{name}-node", [name]))]
        else:
            command += ["--url", self._url, "--realm", self._realm]
        with self._log(name).open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # one thread a process: they share the cores
            )
        self._processes[name] = process
        self._watches.append(asyncio.create_task(self._watch(name, process), name=f"watch {name}"))

    def kill(self, name: str) -> None:
        """Kills a process as a power cut would: SIGKILL."""
        self.killed.append(name)
        self._processes[name].kill()

    def process(self, name: str) -> int:
        """The number of a member's process."""
        return self._processes[name].pid

    def tail(self, name: str) -> str:
        """How the log of a process ends."""
        return self._log(name).read_text("utf-8", "replace")[-TAIL:]

    async def end(self) -> None:
        """Ends all: asks, waits, kills."""
        for watch in self._watches:
            watch.cancel()
        running = [process for process in self._processes.values() if process.returncode is None]
        for process in running:
            with suppress(ProcessLookupError):
                process.terminate()
        ends = [asyncio.create_task(process.wait(), name=f"end of {process.pid}") for process in running]
        if ends:
            await asyncio.wait(ends, timeout=END_S)
        for process in running:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
        await asyncio.gather(*ends)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    async def _watch(self, name: str, process: asyncio.subprocess.Process) -> None:
        status = await process.wait()
        if name not in self.killed and not self.failed.done():
            self.failed.set_exception(
                MemberFailed(f"{name} ended with status {status}. Its log ends:\n{self.tail(name)}")
            )

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"
