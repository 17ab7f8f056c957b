"""The launcher: starts again, signals, hears and tells; and leaves no process behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from examples.selfhealing.crew import Crew, MemberFailed
from tests.examples.programs import ROOT, until

CHILD = """
import json, os, sys
print("no JSON", flush=True)
print(json.dumps({"word": "up"}), flush=True)
for line in sys.stdin:
    facts = json.loads(line)
    print(json.dumps({"word": "heard", "what": facts["word"], "more": facts.get("more")}), flush=True)
"""


class Heard:
    """What was told, and a way to wait for it."""

    def __init__(self) -> None:
        self.facts: list[tuple[str, dict[str, Any]]] = []
        self._more = asyncio.Event()

    def __call__(self, name: str, facts: Mapping[str, Any]) -> None:
        self.facts.append((name, dict(facts)))
        self._more.set()

    async def until(self, name: str, word: str, count: int = 1) -> dict[str, Any]:
        async with asyncio.timeout(10.0):
            while len(found := [facts for who, facts in self.facts if (who, facts["word"]) == (name, word)]) < count:
                self._more.clear()
                await self._more.wait()
        return found[-1]


def crew(folder: Path, heard: Heard, child: str = CHILD) -> Crew:
    return Crew(lambda name: [sys.executable, "-c", child, name], folder, heard, restart_s=0.01)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_what_is_killed_is_there_again_in_a_new_process(tmp_path: Path) -> None:
    heard = Heard()
    async with crew(tmp_path, heard) as run:
        run.start("a")
        await heard.until("a", "up")
        first = run.process("a")
        run.kill("a")
        assert (await heard.until("a", "ended"))["status"] == -signal.SIGKILL
        await heard.until("a", "up", 2)
        second = run.process("a")
        assert second != first
    assert first is not None
    assert second is not None
    assert not alive(first)
    assert not alive(second)


async def test_told_and_heard(tmp_path: Path) -> None:
    heard = Heard()
    async with crew(tmp_path, heard) as run:
        run.start("a")
        await heard.until("a", "up")
        run.tell("a", "lie", more=[1, 2])
        assert await heard.until("a", "heard") == {"word": "heard", "what": "lie", "more": [1, 2]}
        run.tell("nobody", "lie")
    assert [facts["word"] for _, facts in heard.facts] == ["started", "up", "heard", "ended"]


async def test_one_that_is_stopped_says_nothing_and_goes_on_later_and_can_be_ended_while_it_is(tmp_path: Path) -> None:
    heard = Heard()
    async with crew(tmp_path, heard) as run:
        run.start("a")
        await heard.until("a", "up")
        run.stop("a")
        run.tell("a", "hello")
        process = run.process("a")
        assert process is not None
        until(lambda: Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "T", "it is stopped")
        assert not any(facts["word"] == "heard" for _, facts in heard.facts)
        run.go_on("a")
        assert (await heard.until("a", "heard"))["what"] == "hello"
        run.stop("a")
    assert not alive(process)


async def test_one_that_never_gets_up_is_given_up_with_its_log(tmp_path: Path) -> None:
    heard = Heard()
    async with crew(tmp_path, heard, "raise SystemExit('no such file')") as run:
        run.start("a")
        with pytest.raises(MemberFailed, match=r"a ended 3 times before it was up.*\n(.*\n)*no such file"):
            await asyncio.wait_for(run.failed, 10.0)


def test_the_children_of_a_parent_that_is_killed_end(tmp_path: Path) -> None:
    parent = f"""
import asyncio, sys
from pathlib import Path
from examples.selfhealing.crew import Crew

async def main():
    def hear(name, facts):
        if facts["word"] == "up":
            print(run.process(name), flush=True)
    run = Crew(lambda name: [sys.executable, "-c", {CHILD!r}, name], Path({str(tmp_path)!r}), hear)
    run.start("a")
    await asyncio.sleep(60)

asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", parent], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        os.kill(child, signal.SIGSTOP)
        process.kill()
    until(lambda: not alive(child) or Path(f"/proc/{child}/stat").read_text().split()[2] == "Z", "the child has ended")
