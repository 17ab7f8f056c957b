"""How every example starts: it takes ``--url``, and logs warnings only, so that its own lines can be read."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine

from agentbus.observability.logs import configure


def parse_url(module: str) -> str | None:
    """The broker that the command line says; None lets a node take AGENTBUS_URL, or else the embedded nats-server.

    Args:
        module: the example's name, whose docstring is the help text.
    """
    parser = argparse.ArgumentParser(
        description=sys.modules[module].__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", help="the broker (default: AGENTBUS_URL, or else the embedded nats-server)")
    configure("warning")
    url: str | None = parser.parse_args().url
    return url


def start(main: Callable[[str | None], Coroutine[None, None, None]]) -> None:
    """Runs an example's ``main(url)``."""
    asyncio.run(main(parse_url(main.__module__)))
