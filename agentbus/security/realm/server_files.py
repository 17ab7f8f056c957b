"""The configuration of a realm's nats-servers: decentralized authentication, TLS 1.3 first, limits. Pure.

Invariant: no key is in a configuration; the JWTs in it are public.

Reference: NATS documentation, "Decentralized JWT authentication", "TLS", "Resolvers".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ACCOUNTS = "accounts.conf"
"""The part of a configuration that the operator's acts change: operator and accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What one server takes.

    Attributes:
        connections: at once.
        payload: bytes of a message with its headers.
        subscriptions: of a connection.
        auth_timeout_s: seconds in which a newcomer must have shown who it is.
        memory_bytes, disk_bytes: of JetStream.
    """

    connections: int = 4096
    payload: int = 1 << 20
    subscriptions: int = 100_000
    auth_timeout_s: float = 5.0
    memory_bytes: int = 256 << 20
    disk_bytes: int = 8 << 30


def accounts(operator_jwt: str, system_account: str, jwts: Mapping[str, str], *, full: bool) -> str:
    """The text of ``accounts.conf``.

    Args:
        jwts: each account's public key, to its JWT.
        full: whether servers keep what is pushed to them in a folder (a cluster), or hold it in memory only.
    """
    resolver: object = {"type": "full", "dir": "./jwt", "allow_delete": False, "interval": "1m"} if full else "MEMORY"
    return _text(
        {
            "operator": operator_jwt,
            "system_account": system_account,
            "resolver": resolver,
            "resolver_preload": dict(jwts),
        }
    )


def server(
    *,
    name: str,
    host: str,
    port: int,
    limits: ServerLimits,
    cluster: str = "",
    cluster_port: int = 0,
    routes: Sequence[str] = (),
    log: str = "",
) -> str:
    """The text of one server's configuration, which lies beside ``accounts.conf`` and ``tls/``. Paths are relative to
    the folder that the server is started in.

    Args:
        cluster: its name; empty for a server alone.
        cluster_port: where it listens for the other servers.
        routes: the other servers, ``HOST:PORT``.
        log: its log file; empty for standard error.
    """
    tls: dict[str, Any] = {
        "cert_file": "../tls/server.pem",
        "key_file": "../tls/server.key",
        "ca_file": "../tls/ca.pem",
        "min_version": "1.3",
        "timeout": 5,
    }
    settings: dict[str, Any] = {
        "server_name": name,
        "host": host,
        "port": port,
        "tls": {**tls, "handshake_first": True},
        "jetstream": {
            "store_dir": "./jetstream",
            "max_memory_store": limits.memory_bytes,
            "max_file_store": limits.disk_bytes,
        },
        "max_connections": limits.connections,
        "max_payload": limits.payload,
        "max_subscriptions": limits.subscriptions,
        "authorization": {"timeout": limits.auth_timeout_s},
        "write_deadline": "10s",
        **({"log_file": log} if log else {}),
    }
    if cluster:
        settings["cluster"] = {
            "name": cluster,
            "host": host,
            "port": cluster_port,
            "tls": {**tls, "verify": True},
            "routes": [f"nats-route://{route}" for route in routes],
        }
    head = "# Written by agentbus realm init. Start it in this folder: nats-server -c server.conf\n"
    return f"{head}include '../{ACCOUNTS}'\n{_text(settings)}"


def _text(settings: Mapping[str, Any]) -> str:
    """JSON's values are valid in nats-server's configuration language."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items())
