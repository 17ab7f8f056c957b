"""Where a request goes: found in what the agents say of themselves, or made of the names given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agentbus.errors import AgentNotFound, NoResponders
from agentbus.subjects import Subjects, check_name, check_subject

from .known_types import only
from .services import Endpoint, Service, read_services

if TYPE_CHECKING:
    from .known_types import KnownTypes
    from .link import Link

DISCOVERY_S = 1.0
"""Seconds in which agents must say what they answer."""


async def find_endpoint(
    link: Link, known: KnownTypes, realm: str, agent: str, kind: str, *, untold: bool = True
) -> Endpoint:
    """The endpoint that answers `kind`.

    Args:
        agent: empty for any.
        kind: a full or short type name, or the name of an endpoint.
        untold: an endpoint is made of the names given when nobody tells of one.

    Raises:
        NoResponders: no such agent is there.
        AgentNotFound: it answers no such type; the text has those that it does.
        UsageError: several types are called so.
        SubjectError: the agent's name can't be one.
    """
    subject = f"$SRV.INFO.{check_name(agent, 'agent')}" if agent else "$SRV.INFO"
    there = _of_realm(read_services(await link.collect(subject, timeout_s=DISCOVERY_S), ()), realm)
    endpoints = [endpoint for service in there for endpoint in service.endpoints]
    by_type = only(kind, [endpoint.request for endpoint in endpoints if endpoint.request])
    for endpoint in endpoints:
        if endpoint.request == by_type if by_type else endpoint.name == kind:
            return replace(endpoint, subject=endpoint.any_subject or endpoint.subject) if not agent else endpoint
    full_name = known.named(kind) or (kind if "." in kind else "")
    if untold and full_name and not there:  # who may not ask $SRV may still ask the agent
        subjects = Subjects(realm)
        where = subjects.agent(agent, full_name) if agent else subjects.any(full_name)
        return Endpoint(name=kind, subject=check_subject(where), request=full_name)
    if not there:
        raise NoResponders(await _absent(link, realm, agent))
    answers = ", ".join(sorted({endpoint.request or endpoint.name for endpoint in endpoints})) or "nothing"
    who = f"agent {agent!r} answers" if agent else f"the agents of realm {realm!r} answer"
    raise AgentNotFound(f"no type {kind!r}: {who} {answers}")


def _of_realm(services: list[Service], realm: str) -> list[Service]:
    """Services of other frameworks are in no realm, and so in each."""
    return [service for service in services if service.realm in ("", realm)]


async def _absent(link: Link, realm: str, agent: str) -> str:
    services = read_services(await link.collect("$SRV.PING", timeout_s=DISCOVERY_S), ())
    here = ", ".join(sorted({service.name for service in _of_realm(services, realm)})) or "nobody"
    if not agent:
        return f"nobody is in realm {realm!r}: is --realm right?"
    elsewhere = sorted({service.realm for service in services if service.name == agent})
    hint = f"; one is in realm {', '.join(elsewhere)}" if elsewhere else ""
    return f"no agent {agent!r} in realm {realm!r}: there is {here}{hint}"
