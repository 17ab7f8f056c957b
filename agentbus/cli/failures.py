"""How a command says that it failed: one line on standard error."""

from __future__ import annotations

import sys

from agentbus.errors import AgentBusError, ConfigurationError


class UsageError(ConfigurationError):
    """The command's words are wrong in a way that its parser can't see. Exit status 2."""


def printable(text: str) -> str:
    """The text on one line, without what would steer a terminal: names and texts come from other machines."""
    return "".join(c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in text)


def report(error: AgentBusError, *, as_json: bool) -> None:
    """Tells of an error: its type, and what it says."""
    kind = "" if isinstance(error, UsageError) else type(error).__name__
    if as_json:
        import json

        told = {"error": kind or "UsageError", "text": str(error), "retryable": error.retryable}
        print(json.dumps(told), file=sys.stderr)
        return
    text = " ".join(printable(str(error)).split())
    print(": ".join(part for part in ("error", kind, text) if part), file=sys.stderr)
