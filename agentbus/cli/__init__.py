"""The ``agentbus`` command.

Each sub-command is a module of this folder with ``configure(parser)`` and ``execute(arguments) -> exit status``, and
one entry in `program.COMMANDS`. What a command needs to run it imports when it runs: help is to be there at once.
Data goes to standard output, everything else to standard error.
"""

from __future__ import annotations

from .program import main

__all__ = ["main"]
