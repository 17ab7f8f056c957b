"""What a run changes in its process, and puts back: the global `random`, the garbage collector, structlog's output."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Generator, MutableMapping
from contextlib import contextmanager
from typing import Any, NoReturn

import structlog

LogEntry = MutableMapping[str, Any]


@contextmanager
def isolated(seed: int, on_log: Callable[[LogEntry], None]) -> Generator[None]:
    """Seeds `random`, hands what structlog logs to `on_log` and nowhere else, and collects garbage at the end.

    Collection is automatic no more within: it depends on what the process did before, and what it finalizes can be
    heard (an abandoned async generator is closed by a task). What was there before is not looked at: it
    is frozen meanwhile, and after that nothing is.
    """
    state = random.getstate()
    random.seed(seed)
    collecting = gc.isenabled()
    gc.disable()
    gc.freeze()
    restore_logs = _redirect(on_log)
    try:
        yield
        gc.collect()
    finally:
        restore_logs()
        gc.unfreeze()
        if collecting:
            gc.enable()
        random.setstate(state)


def _redirect(on_log: Callable[[LogEntry], None]) -> Callable[[], None]:
    """Makes `on_log` the only processor, in place where possible: loggers that were cached hold on to the list."""

    def take(_: object, method: str, entry: LogEntry) -> NoReturn:
        entry.setdefault("level", "error" if method == "exception" else method)
        on_log(entry)
        raise structlog.DropEvent

    processors = structlog.get_config()["processors"]
    if not isinstance(processors, list):
        structlog.configure(processors=[take])
        return lambda: structlog.configure(processors=processors)
    before = list[Any](processors)  # pyright: ignore[reportUnknownArgumentType]
    processors[:] = [take]
    structlog.configure(processors=processors)  # pyright: ignore[reportUnknownArgumentType]

    def restore() -> None:
        processors[:] = before

    return restore
