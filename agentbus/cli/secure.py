"""``agentbus server --secure``: a realm's nats-server in the foreground, and an enroller beside it."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from .acts import tell
from .failures import UsageError
from .founding import check_founded, demands_of, layout_of
from .output import note
from .realm import files_of

if TYPE_CHECKING:
    from agentbus.security.realm.folder import RealmFolder


SOON = timedelta(days=30)
"""Less than that left of a certificate is told."""


def serve_secure(arguments: Namespace) -> int:
    """Makes a realm where there is none, and runs its server until SIGTERM or Ctrl-C."""
    if arguments.config_only or arguments.show_credentials:
        raise UsageError("--secure knows no password: its configuration is a file in the realm that it makes")
    from agentbus.transports.server_config import server_folder

    folder = arguments.data or server_folder("secure")
    asyncio.run(_serve(arguments, _realm(arguments, folder)))
    return 0


def _realm(arguments: Namespace, folder: Path) -> RealmFolder:
    from agentbus.security.realm.folder import RealmFolder, create
    from agentbus.security.realm.server_files import ServerLimits
    from agentbus.security.realm.state import REALM
    from agentbus.transports.server_guardian import free_port

    where = folder / "realm"
    if (where / REALM).exists():
        realm = RealmFolder(where)
        check_founded(arguments, realm)
        return realm
    host = arguments.host
    limits = ServerLimits() if arguments.max_payload is None else ServerLimits(payload=arguments.max_payload)
    return create(
        where,
        layout_of(arguments),
        now_s=int(time()),
        hosts=["127.0.0.1" if host in ("0.0.0.0", "::") else host],
        port=arguments.port or free_port(host, 0),
        listen=host,
        limits=limits,
        admission=demands_of(arguments),
    )


def _warn(realm: RealmFolder) -> None:
    """Says so when the server's certificate ends soon: then nobody connects any more."""
    from agentbus.security.realm.certificates import end_of

    left = end_of(realm.certificate) - datetime.now(UTC)
    if left < SOON:
        note(f"warning: the server's certificate ends in {left.days} days: agentbus realm renew {realm.folder}")


async def _serve(arguments: Namespace, realm: RealmFolder) -> None:
    from agentbus.node import Node
    from agentbus.observability import logs
    from agentbus.running import until_stopped
    from agentbus.security.enroller.service import Enroller
    from agentbus.security.identity import Identity
    from agentbus.security.realm.folder import ENROLLER
    from agentbus.security.realm.serving import serve_realm

    logs.configure("warning")

    async def run() -> None:
        async with serve_realm(realm, now_s=int(time())) as server:
            identity = Identity.load(realm.enroller / ENROLLER)
            async with Node(identity=identity, agents={"enroller": Enroller(realm.enroller)}):
                tell(arguments, {**files_of(realm), "pid": server.pid})
                _warn(realm)
                await server.wait()

    await until_stopped(run(), "secure server")
