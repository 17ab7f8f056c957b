"""How any NATS client finds an agent: NATS's service protocol (ADR-32). Pure.

Every agent is a micro service: it answers ``$SRV.PING``, ``$SRV.INFO`` and ``$SRV.STATS``, with or without its name
and id behind them, in the standard JSON. Each `@rpc` is an endpoint with its real subject; the types are in the
endpoint's metadata. ``$SRV`` spans realms, so the realm is in the metadata of the service.

Reference: nats-architecture-and-design, ADR-32 (Service API).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .messages import full_name
from .specs import Behaviors, OnSpec
from .statistics import AgentStatistics, Counters
from .subjects import Subjects

VERBS = ("PING", "INFO", "STATS")
PREFIX = "$SRV"
TYPE = "io.nats.micro.v1.{verb}_response"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentInfo:
    """What an agent tells of itself to whoever asks.

    Attributes:
        id: unique among all lives of all agents: ``node.name.epoch`` in one token.
        started: when, RFC 3339.
        policies: how those that bid do so now, ``hybrid 0.3`` say, by the behavior's name.
    """

    name: str
    id: str
    node: str
    realm: str
    epoch: int
    version: str
    description: str
    started: str
    behaviors: Behaviors
    policies: Mapping[str, str] = field(default_factory=dict[str, str])


def subjects() -> tuple[str, ...]:
    """What a node listens to for its agents: six subjects."""
    return tuple(subject for verb in VERBS for subject in (f"{PREFIX}.{verb}", f"{PREFIX}.{verb}.>"))


def asked(subject: str) -> tuple[str, str, str] | None:
    """Verb, name and id that a subject asks for, empty for any; None when it is not of the protocol."""
    tokens = subject.split(".")
    if not 2 <= len(tokens) <= 4 or tokens[0] != PREFIX or tokens[1] not in VERBS:
        return None
    name, identity = (*tokens[2:], "", "")[:2]
    return tokens[1], name, identity


def describe(spec: OnSpec) -> str:
    """What an `@on` hears, in a line."""
    parts = [full_name(spec.type)]
    if spec.topic != ">":
        parts.append(f"topic {spec.topic or 'none'}")
    if spec.queue:
        parts.append(f"queue {spec.queue}")
    if spec.durable:
        parts.append(f"durable {spec.durable}")
    return ", ".join(parts)


def response(verb: str, info: AgentInfo, statistics: AgentStatistics) -> bytes:
    """The answer to one of the `VERBS`."""
    body: dict[str, Any] = {
        "name": info.name,
        "id": info.id,
        "version": info.version,
        "metadata": {
            "realm": info.realm,
            "node": info.node,
            "epoch": str(info.epoch),
            "framework": "agentbus",
            "state": statistics.state,
        },
        "type": TYPE.format(verb=verb.lower()),
    }
    if verb == "INFO":
        body["description"] = info.description
        body["endpoints"] = list(_endpoints(info))
        body["metadata"]["behaviors"] = json.dumps(dict(_behaviors(info.behaviors)))
        if info.policies:
            body["metadata"]["policies"] = json.dumps(dict(info.policies))
    elif verb == "STATS":
        body["started"] = info.started
        body["endpoints"] = [
            {"name": spec.name, **_place(info, full_name(spec.type)), **_counts(statistics.behaviors[spec.name])}
            for spec in info.behaviors.rpc
        ]
        body["data"] = {
            "restarts": statistics.restarts,
            "queued": statistics.queued,
            "behaviors": {name: _counts(counters) for name, counters in statistics.behaviors.items()},
        }
    return json.dumps(body).encode()


def _behaviors(behaviors: Behaviors) -> Iterator[tuple[str, str]]:
    for spec in behaviors.on:
        yield spec.name, f"on {describe(spec)}"
    for rpc in behaviors.rpc:
        yield rpc.name, f"rpc {full_name(rpc.type)} -> {full_name(rpc.reply)}"
    for tick in behaviors.every:
        yield tick.name, f"every {tick.period_s:g} s"


def _place(info: AgentInfo, type_name: str) -> dict[str, str]:
    return {"subject": Subjects(info.realm).agent(info.name, type_name), "queue_group": info.name}


def _endpoints(info: AgentInfo) -> Iterator[dict[str, Any]]:
    for spec in info.behaviors.rpc:
        request, reply = full_name(spec.type), full_name(spec.reply)
        any_subject = Subjects(info.realm).any(request)
        yield {
            "name": spec.name,
            **_place(info, request),
            "metadata": {"request": request, "reply": reply, "any_subject": any_subject}
            | ({"approval": spec.approval} if spec.approval else {}),
        }


def _counts(counters: Counters) -> dict[str, Any]:
    done = counters.handled + counters.errors
    busy_ns = int(counters.busy_s * 1e9)
    return {
        "num_requests": done,
        "num_errors": counters.errors,
        "last_error": counters.last_error,
        "processing_time": busy_ns,
        "average_processing_time": busy_ns // done if done else 0,
        "data": {
            "received": counters.received,
            "handled": counters.handled,
            "refused": counters.refused,
            "expired": counters.expired,
            "dropped": counters.dropped,
            "malformed": counters.malformed,
            "dead_lettered": counters.dead_lettered,
        },
    }
