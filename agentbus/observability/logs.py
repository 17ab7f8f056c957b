"""Logs: structlog set up for programs. Called by the ``agentbus`` command and by `agentbus.run`, by nothing else.

A library leaves logging to the program that uses it: nothing here runs on import, and a program that has called
`structlog.configure` itself, or has given Python's root logger handlers, keeps what it has set up.

Where: standard error, so that standard output stays data, for ``agentbus tap | jq`` say. Form: coloured lines when
standard output and standard error are terminals, else one JSON object a line. Standard output decides as well, since a
program whose output is not a terminal runs under something that collects it; standard error decides as well, since
``2> log`` should hold no escape codes.

Invariant: the keys are the same in both forms and everywhere, in this order when they are there: `KEYS`. What comes
by Python's `logging`, asyncio's own warnings for example, has them, too.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import structlog

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

KEYS = ("timestamp", "level", "event", "logger", "realm", "node", "agent", "behavior", "message_id")
"""The keys that have one meaning everywhere; others follow them."""
LEVELS = ("debug", "info", "warning", "error", "critical")
DEFAULT_LEVEL = "info"

_HANDLER = "agentbus"


def configure(level: str = DEFAULT_LEVEL, json: bool | None = None) -> bool:
    """Sets up structlog, and Python's `logging` to join it; a second call changes level and form.

    Args:
        level: the lowest to show: one of `LEVELS`.
        json: True for JSON lines, False for coloured ones; None: as the module says.

    Returns:
        Whether structlog is set up as asked: False when the program had configured it itself.

    Raises:
        ConfigurationError: no such level.
    """
    if level not in LEVELS:
        raise ConfigurationError(f"{level!r} is no log level: use one of {', '.join(LEVELS)}")
    threshold = logging.getLevelNamesMapping()[level.upper()]
    if json is None:
        json = not (_is_terminal(sys.stdout) and _is_terminal(sys.stderr))
    render = _renderers(json)
    _join_logging(threshold, render)
    if structlog.is_configured() and structlog.get_config()["logger_factory"] is not StandardError:
        return False
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *_shared(), *render],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=StandardError,
        cache_logger_on_first_use=False,
    )
    return True


class StandardError:
    """Writes finished lines to whatever standard error is at that moment.

    A line that can't be written is lost: an agent does not fail because nobody reads its log.
    """

    def __init__(self, name: str = "agentbus", *_: object) -> None:
        self.name = name

    def msg(self, text: str) -> None:
        """Writes one line."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    log = debug = info = warning = error = critical = fatal = exception = msg


def _shared() -> Sequence[Processor]:
    return (
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )


def _renderers(json: bool) -> Sequence[Processor]:
    if json:
        return (structlog.processors.format_exc_info, in_order, structlog.processors.JSONRenderer())
    # Plain tracebacks: the pretty ones show local variables, and with them secrets.
    console = structlog.dev.ConsoleRenderer(sort_keys=False, exception_formatter=structlog.dev.plain_traceback)
    return (in_order, console)


def in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The processor that puts `KEYS` first."""
    first: dict[str, Any] = {key: event[key] for key in KEYS if key in event}
    return {**first, **event}


def _join_logging(threshold: int, render: Sequence[Processor]) -> None:
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if handler.name == _HANDLER]
    if len(root.handlers) > len(ours):
        return
    for handler in ours:
        root.removeHandler(handler)
    handler = _Handler()
    handler.set_name(_HANDLER)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root.addHandler(handler)
    root.setLevel(threshold)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        StandardError(record.name).msg(self.format(record))


def _is_terminal(stream: object) -> bool:
    return bool(getattr(stream, "isatty", bool)())
