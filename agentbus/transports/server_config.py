"""What an embedded nats-server is told: its options, its folder and its configuration. Pure, but for the environment.

The configuration is in two files. ``server.conf``, written here, follows from options and folder alone and holds no
secret. It includes ``run.conf``, which the guardian writes anew for each run: address, name, user and password.
Reference: https://docs.nats.io/running-a-nats-service/configuration
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from agentbus.errors import ConfigurationError, UnknownScheme
from agentbus.transports.server_guardian import LOG, RUN_CONFIG

DEFAULT_NAME = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SYNC = re.compile(r"always|[1-9][0-9]*(ms|s|m|h)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How an embedded server is set up.

    Attributes:
        max_payload: bytes, the largest message with its headers; 1 KiB to 64 MiB. Default 1 MiB.
        sync_interval: how often JetStream has its files written to the disk itself, such as ``10s``; ``always``:
            before each acknowledgement. Default none: nats-server's own, two minutes.
        max_memory_bytes: what JetStream may keep in memory. Default none: nats-server's own, 3/4 of what there is.
        max_store_bytes: what JetStream may keep on disk. Default none: nats-server's own, 3/4 of what is free.
        monitor_port: port on 127.0.0.1 of the HTTP monitoring, which asks for no password. Default none: off.
        log_bytes: size at which the log is rotated; two old ones are kept.

    Raises:
        ConfigurationError: a value is out of range.
    """

    max_payload: int = 1 << 20
    sync_interval: str | None = None
    max_memory_bytes: int | None = None
    max_store_bytes: int | None = None
    monitor_port: int | None = None
    log_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        if not 1 << 10 <= self.max_payload <= 1 << 26:
            raise ConfigurationError(f"max_payload is {self.max_payload}; it must be 1 KiB to 64 MiB")
        if self.sync_interval is not None and not _SYNC.fullmatch(self.sync_interval):
            raise ConfigurationError(f"sync_interval is {self.sync_interval!r}; write 'always' or a duration as '10s'")
        if self.monitor_port is not None and not 0 < self.monitor_port < 1 << 16:
            raise ConfigurationError(f"monitor_port is {self.monitor_port}; it must be 1 to 65535")
        for name in ("max_memory_bytes", "max_store_bytes", "log_bytes"):
            value: int | None = getattr(self, name)
            if value is not None and value < 1 << 10:
                raise ConfigurationError(f"{name} is {value}; it must be at least 1 KiB")


def render(options: ServerOptions, folder: Path) -> str:
    """The text of ``server.conf``. JSON strings are valid strings of nats-server's configuration language."""
    store: dict[str, str | int] = {"store_dir": str(folder / "jetstream")}
    if options.sync_interval is not None:
        store["sync_interval"] = options.sync_interval
    if options.max_memory_bytes is not None:
        store["max_memory_store"] = options.max_memory_bytes
    if options.max_store_bytes is not None:
        store["max_file_store"] = options.max_store_bytes
    settings: dict[str, object] = {
        "max_payload": options.max_payload,
        "log_file": str(folder / LOG),
        "logfile_size_limit": options.log_bytes,
        "logfile_max_num": 2,
        "jetstream": store,
    }
    if options.monitor_port is not None:
        settings["http"] = f"127.0.0.1:{options.monitor_port}"
    lines = ["# Written by agentbus; changes are lost.", f"include '{RUN_CONFIG}'"]
    lines += [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items()]
    return "\n".join(lines) + "\n"


def state_home(environment: Mapping[str, str] = os.environ) -> Path:
    """Where agentbus keeps its state: AGENTBUS_HOME, else ``agentbus`` in XDG_STATE_HOME, else in ~/.local/state.

    Raises:
        ConfigurationError: none of these is there.
    """
    if home := environment.get("AGENTBUS_HOME"):
        return Path(home).expanduser().absolute()
    state = environment.get("XDG_STATE_HOME", "")
    if Path(state).is_absolute():
        return Path(state) / "agentbus"
    try:
        return Path.home() / ".local" / "state" / "agentbus"
    except RuntimeError as error:
        raise ConfigurationError("this user has no home folder: set AGENTBUS_HOME to a folder of yours") from error


def server_folder(name: str = DEFAULT_NAME, *, home: Path | None = None) -> Path:
    """The folder of the embedded server of that name. Raises `ConfigurationError` for what is not a name."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} can't name an embedded server: use 1 to 64 letters, digits, '-' and '_'")
    return (home or state_home()) / "server" / name


def embedded_folder(url: str, *, home: Path | None = None) -> Path:
    """The folder that ``embedded://``, ``embedded://NAME`` or ``embedded:///absolute/path`` means.

    Raises:
        UnknownScheme: another scheme.
        ConfigurationError: neither a name nor an absolute path, or both.
    """
    if not url.startswith("embedded:"):
        raise UnknownScheme(f"{url!r} does not have the scheme of the embedded server, embedded://")
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.query or parts.fragment or (parts.netloc and path not in ("", "/")):
        raise ConfigurationError(f"{url!r}: write embedded://, embedded://NAME or embedded:///absolute/path")
    if path not in ("", "/"):
        return Path(path)
    return server_folder(parts.netloc or DEFAULT_NAME, home=home)
