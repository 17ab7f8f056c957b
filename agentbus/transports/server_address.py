"""Where an embedded server listens and how to log in; and whether it answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentbus.transports.server_guardian import ADDRESS

_LINE_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """A running server. The password is shown by no `repr`.

    Attributes:
        host, port: where it listens.
        user, password: how to log in. A shared server has new ones each time it is started.
        server_name: a name that this run of the server alone has; its INFO says it.
        server_pid, guardian_pid: process ids.
        machine: the host name of the machine it runs on.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    server_name: str
    server_pid: int
    guardian_pid: int
    machine: str

    @property
    def url(self) -> str:
        """Without user and password."""
        return f"nats://[{self.host}]:{self.port}" if ":" in self.host else f"nats://{self.host}:{self.port}"


def read_address(folder: Path) -> ServerAddress | None:
    """The address that a guardian has written, or None when no server is up."""
    try:
        written: dict[str, Any] = json.loads((folder / ADDRESS).read_text("utf-8"))
        return ServerAddress(**written)
    except (FileNotFoundError, ValueError, TypeError):
        return None


async def answers(address: ServerAddress) -> bool:
    """Whether that very server greets, takes the password and answers a PING. The caller sets the deadline."""
    try:
        reader, writer = await asyncio.open_connection(address.host, address.port, limit=_LINE_LIMIT)
    except OSError:
        return False
    try:
        greeting = await reader.readline()
        if not greeting.startswith(b"INFO ") or json.loads(greeting[5:]).get("server_name") != address.server_name:
            return False
        login = {"user": address.user, "pass": address.password, "verbose": False, "pedantic": False, "name": "probe"}
        writer.write(b"CONNECT " + json.dumps(login).encode() + b"\r\nPING\r\n")
        return (await reader.readline()).startswith(b"PONG")
    except (OSError, ValueError):  # ValueError: a line too long, or no JSON
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
