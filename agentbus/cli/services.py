"""What answers to ``$SRV`` say: agents, and micro services of other frameworks. Pure.

The JSON comes from other machines: what is missing or of the wrong kind is taken for absent.
Reference: nats-architecture-and-design, ADR-32 (Service API).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Something that a service can be asked. `request` and `reply` are full protobuf names, where it tells them."""

    name: str
    subject: str
    request: str = ""
    reply: str = ""
    any_subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An agent as it tells of itself.

    Attributes:
        framework: ``agentbus``, or empty for a service of another framework; then realm, node and state are, too.
        behaviors: name to what it is.
        policies: how those that bid for jobs do so now, by name.
        handled, failed, dropped, queued, restarts: counts since it began.
        started: when, or None.
    """

    id: str
    name: str
    version: str = ""
    framework: str = ""
    realm: str = ""
    node: str = ""
    state: str = ""
    description: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    behaviors: Mapping[str, str] = field(default_factory=dict[str, str])
    policies: Mapping[str, str] = field(default_factory=dict[str, str])
    handled: int = 0
    failed: int = 0
    dropped: int = 0
    queued: int = 0
    restarts: int = 0
    started: datetime | None = None

    def uptime_s(self, now: datetime) -> float | None:
        """Seconds since it began, by this machine's clock and its own."""
        return max(0.0, (now - self.started).total_seconds()) if self.started else None


def read_services(infos: Iterable[bytes], statistics: Iterable[bytes]) -> list[Service]:
    """The services that answered, sorted by realm, name and node; each once."""
    told = {body["id"]: body for body in map(_object, infos) if _text(body, "id")}
    counts = {body["id"]: body for body in map(_object, statistics) if _text(body, "id")}
    services = [_service(told.get(identity, {}), counts.get(identity, {})) for identity in {**told, **counts}]
    return sorted(services, key=lambda service: (service.realm, service.name, service.node, service.id))


def _service(info: Mapping[str, Any], stats: Mapping[str, Any]) -> Service:
    body = {**stats, **info}
    metadata = {**_mapping(stats, "metadata"), **_mapping(info, "metadata")}
    data = _mapping(stats, "data")
    counted = [_mapping(_mapping(data, "behaviors"), name) for name in _mapping(data, "behaviors")]
    counted = counted or _list(stats, "endpoints")
    errors = sum(_number(behavior, "num_errors") for behavior in counted)
    return Service(
        id=_text(body, "id"),
        name=_text(body, "name"),
        version=_text(body, "version"),
        framework=_text(metadata, "framework"),
        realm=_text(metadata, "realm"),
        node=_text(metadata, "node"),
        state=_text(metadata, "state"),
        description=_text(info, "description"),
        endpoints=tuple(map(_endpoint, _list(info, "endpoints"))),
        behaviors=_behaviors(info, stats, metadata),
        policies=_texts(metadata, "policies"),
        handled=sum(_number(behavior, "num_requests") for behavior in counted) - errors,
        failed=errors,
        dropped=sum(_number(_mapping(behavior, "data"), "dropped") for behavior in counted),
        queued=_number(data, "queued"),
        restarts=_number(data, "restarts"),
        started=_moment(_text(stats, "started")),
    )


def _endpoint(body: Mapping[str, Any]) -> Endpoint:
    metadata = _mapping(body, "metadata")
    return Endpoint(
        name=_text(body, "name"),
        subject=_text(body, "subject"),
        request=_text(metadata, "request"),
        reply=_text(metadata, "reply"),
        any_subject=_text(metadata, "any_subject"),
    )


def _behaviors(info: Mapping[str, Any], stats: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, str]:
    listed = _texts(metadata, "behaviors")
    if listed:
        return listed
    counted = _mapping(_mapping(stats, "data"), "behaviors")
    if counted:
        return dict.fromkeys(counted, "")
    endpoints = _list(info, "endpoints") or _list(stats, "endpoints")
    return {_text(endpoint, "name"): _text(endpoint, "subject") for endpoint in endpoints}


def _texts(metadata: Mapping[str, Any], key: str) -> dict[str, str]:
    listed = _object(_text(metadata, key).encode())
    return {name: _text(listed, name) for name in listed}


def _object(body: bytes) -> dict[str, Any]:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _mapping(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = body.get(key)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = body.get(key)
    found = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", entry) for entry in found if isinstance(entry, dict)]


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _number(body: Mapping[str, Any], key: str) -> int:
    value = body.get(key)
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
