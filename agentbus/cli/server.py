"""Run a nats-server with JetStream in the foreground, until SIGTERM or Ctrl-C.

Programs of this user find it by its data folder without being told more; others need its user and password, which
stand in credentials.json in that folder. The password is printed with --show-credentials only.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import count, port
from .failures import UsageError
from .founding import add_founding, given

if TYPE_CHECKING:
    from agentbus.transports.server_config import ServerOptions
    from agentbus.transports.server_foreground import ForegroundServer

LOOPBACK = ("127.", "::1", "localhost")
SETTLED = "as of agentbus realm init; a realm that is there already stays as it is"


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    parser.add_argument("--port", type=port, default=4222, help="0 for any free one (default: 4222)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="its folder (default: that of embedded://)")
    parser.add_argument("--secure", action="store_true", help="with identities: make a realm in its folder, or use it")
    parser.add_argument("--config-only", action="store_true", help="print the configuration it would get, and end")
    parser.add_argument("--show-credentials", action="store_true", help="print the password, too")
    parser.add_argument("--max-payload", type=count, metavar="BYTES", help="the largest message (default: 1 MiB)")
    parser.add_argument("--sync-interval", metavar="10s", help="how often stored messages are forced to the disk")
    parser.add_argument("--monitor-port", type=port, metavar="PORT", help="nats-server's HTTP monitoring, on 127.0.0.1")
    realm = parser.add_argument_group("the realm that --secure makes where there is none", SETTLED)
    add_founding(realm.add_argument, name="--realm-name")


def execute(arguments: Namespace) -> int:
    """Runs the server, or prints its configuration."""
    from agentbus.transports.server_config import render, server_folder

    from . import output

    if arguments.secure:
        from .secure import serve_secure

        return serve_secure(arguments)
    if words := given(arguments):
        raise UsageError(f"{', '.join(words)}: for a realm, which --secure makes")
    options = _options(arguments)
    folder = arguments.data.absolute() if arguments.data else server_folder()
    if arguments.config_only:
        config = render(options, folder)
        if arguments.json:
            output.record({"data": str(folder), "configuration": config})
        else:
            output.line(config.rstrip())
        return 0
    import asyncio

    return asyncio.run(_serve(arguments, folder, options))


def _options(arguments: Namespace) -> ServerOptions:
    from agentbus.transports.server_config import ServerOptions

    given = {name: getattr(arguments, name) for name in ("max_payload", "sync_interval", "monitor_port")}
    return ServerOptions(**{name: value for name, value in given.items() if value is not None})


async def _serve(arguments: Namespace, folder: Path, options: ServerOptions) -> int:
    from agentbus.running import until_stopped
    from agentbus.transports.server_foreground import serve

    async with serve(folder, host=arguments.host, port=arguments.port, options=options) as server:
        _tell(arguments, server)
        await until_stopped(server.wait(), "server")
    return 0


def _tell(arguments: Namespace, server: ForegroundServer) -> None:
    from agentbus.transports.server_config import server_folder

    from . import output

    address = server.address
    told: dict[str, Any] = {
        "url": address.url,
        "host": arguments.host,
        "port": address.port,
        "monitor_port": arguments.monitor_port,
        "data": str(server.folder),
        "configuration": str(server.config),
        "log": str(server.log),
        "pid": address.server_pid,
        "user": address.user,
        "credentials": str(server.folder / "credentials.json"),
        "embedded_url": "embedded://" if server.folder == server_folder() else f"embedded://{server.folder}",
    }
    if arguments.show_credentials:
        told["password"] = address.password
    if arguments.json:
        output.record(told)
        return
    for name, value in told.items():
        if value is not None:
            output.line(f"{name.replace('_', ' '):<16}{value}")
    if not arguments.host.startswith(LOOPBACK):
        output.note(f"warning: {arguments.host} can be reached from other machines, and passwords travel in the clear")
