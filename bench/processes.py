"""Children of a benchmark, as their parent sees them: started, told, heard, ended.

Invariant: no child outlives the ``async with`` it was started in; each has a deadline of its own besides.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
END_S = 3.0
"""Seconds that a child has to end by itself once it has said all."""


class ChildFailed(Exception):
    """A child ended, or said nothing, before it had told its results. The text ends with what it wrote to stderr."""


class Child:
    """One running child. Made by `child`."""

    def __init__(self, process: asyncio.subprocess.Process, name: str, errors: Path, deadline: float) -> None:
        self._process = process
        self._name = name
        self._errors = errors
        self._deadline = deadline

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def tell(self, **facts: Any) -> None:
        """Says one thing to the child."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(facts).encode() + b"\n")

    async def hear(self) -> dict[str, Any]:
        """The next thing that the child says; its ``word`` says what. Raises `ChildFailed`."""
        assert self._process.stdout is not None
        left = self._deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(0.0, left)):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise ChildFailed(f"{self._name} said nothing before its deadline{self._complaint()}") from None
        if not line:
            status = await self.ended()
            raise ChildFailed(f"{self._name} ended with status {status}{self._complaint()}")
        return json.loads(line)

    async def expect(self, word: str) -> dict[str, Any]:
        """What the child says next, which must be `word`. Raises `ChildFailed`."""
        heard = await self.hear()
        if heard["word"] != word:
            raise ChildFailed(f"{self._name} said {heard['word']!r} where {word!r} was due{self._complaint()}")
        return heard

    async def ended(self, *, timeout_s: float = END_S) -> int:
        """The exit status, once the process has ended. Raises `ChildFailed` when it goes on."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._process.wait()
        except TimeoutError:
            raise ChildFailed(f"{self._name} goes on after it was done{self._complaint()}") from None

    async def kill(self) -> None:
        """Ends it, if it hasn't ended."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def _complaint(self) -> str:
        text = self._errors.read_text(errors="replace").strip()
        return f": {text[-1500:]}" if text else ""


@asynccontextmanager
async def child(
    target: str, options: dict[str, Any], *, python: str = sys.executable, deadline_s: float = 60.0
) -> AsyncGenerator[Child]:
    """Starts ``MODULE:FUNCTION`` in a process of its own, and ends it on leaving.

    Args:
        target: see `bench.child`.
        options: keyword arguments of the function.
        python: the interpreter.
        deadline_s: seconds after which the child ends itself.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".log") as errors:
        process = await asyncio.create_subprocess_exec(
            *(python, "-m", "bench.child", target, json.dumps(options), str(deadline_s)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=environment,
            cwd=ROOT,
            limit=1 << 24,
        )
        deadline = asyncio.get_running_loop().time() + deadline_s
        running = Child(process, target, Path(errors.name), deadline)
        try:
            yield running
        finally:
            with suppress(ChildFailed):
                if process.returncode is None and sys.exc_info()[0] is None:
                    await running.ended()
            await running.kill()
