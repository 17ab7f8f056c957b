"""Where tasks wait: the line of the `await`, found by following the chain of coroutines. Reads, never changes."""

from __future__ import annotations

import asyncio
import linecache
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType

MOST = 20
"""Tasks that a text names; the rest is counted."""

_LIBRARIES = (str(Path(asyncio.__file__).parent), str(Path(__file__).parent.parent))


def describe_tasks(tasks: Iterable[asyncio.Task[object]]) -> str:
    """A line for each task, in the order given: its name and where it waits."""
    lines = [f"  {task.get_name()}: {where(task)}" for task in tasks]
    hidden = len(lines) - MOST
    return "\n".join([*lines[:MOST], *([f"  and {hidden} more"] if hidden > 0 else [])]) or "  no task"


def where(task: asyncio.Task[object]) -> str:
    """``file:line in function: source`` of the innermost await outside asyncio and agentbus; else the innermost."""
    frames = list(_frames(task.get_coro()))
    if not frames:
        return "at its end" if task.done() else "not started, or in an awaitable without frames"
    theirs = [frame for frame in frames if not frame.f_code.co_filename.startswith(_LIBRARIES)]
    frame = (theirs or frames)[-1]
    text = _place(frame.f_code, frame.f_lineno)
    if frame is frames[-1]:
        return text
    return f"{text}  (in {frames[-1].f_code.co_qualname})"


def _place(code: CodeType, line: int) -> str:
    source = linecache.getline(code.co_filename, line).strip()
    return f"{code.co_filename}:{line} in {code.co_qualname}" + (f": {source}" if source else "")


def _frames(awaitable: object) -> Iterable[FrameType]:
    """The frames of what is awaited, the outermost first: coroutines, generators and async generators."""
    while awaitable is not None:
        for frame_name, next_name in (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await")):
            frame = getattr(awaitable, frame_name, None)
            if isinstance(frame, FrameType):
                yield frame
                awaitable = getattr(awaitable, next_name, None)
                break
        else:
            return
