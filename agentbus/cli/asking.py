"""A request as ``agentbus call`` makes it: JSON to the agent's own subject, as any NATS client could send it; with an
identity, a signed frame, whose answer must be signed by whom was asked."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from google.protobuf.message import Message

from agentbus.errors import AgentNotFound
from agentbus.inbound import JSON_CONTENT, foreign_error
from agentbus.node import Node
from agentbus.observability import logs

from . import output
from .addressing import find_endpoint
from .decoding import as_text
from .failures import UsageError, printable
from .known_types import KnownTypes, load_types
from .link import Link, linked, own_name

_KNOW = "say --import MODULE, --descriptors FILE or --proto DIR"


async def ask(arguments: Namespace, agent: str, kind: str, value: Any) -> None:
    """Asks, and prints the answer. Raises what the agent answered with, and what kept it from being asked."""
    known = load_types(arguments.modules, arguments.descriptors, arguments.proto)
    if arguments.identity is not None:
        _print(await _signed(arguments, known, agent, kind, value), arguments.json)
        return
    async with linked(arguments.url, arguments.realm) as link:
        endpoint = await find_endpoint(link, known, arguments.realm, agent, kind)
        if known.get(endpoint.request) is not None:
            known.made(endpoint.request, value)
        body = json.dumps(value).encode()
        headers = {"Content-Type": JSON_CONTENT}
        reply, told = await link.ask(endpoint.subject, body, headers, timeout_s=arguments.timeout)
    error = foreign_error(told)
    if error is not None:
        raise error
    shown = as_text(reply)
    _print({"bytes": reply.hex()} if shown is None else shown, arguments.json)


async def _signed(arguments: Namespace, known: KnownTypes, agent: str, kind: str, value: Any) -> object:
    """The answer to a signed request.

    What the JSON means is said by types that are known here: discovery is not signed, and whoever answers it could give
    a field another meaning. It is asked for no more than the type of the reply, which the agent's signed answer has to
    be of.
    """
    request = known.named(kind)
    if request is None:
        raise UsageError(f"type {kind!r} is not known here, and what is signed goes as protobuf: {_KNOW}")
    message = known.made(request, value)
    logs.configure("error")
    async with Node(arguments.url, identity=arguments.identity) as node:
        link = Link(node.transport, f"{node.name}.{own_name()}", arguments.realm)
        reply = (await find_endpoint(link, known, arguments.realm, agent, request, untold=False)).reply
        if known.get(reply) is None:
            raise AgentNotFound(f"the reply is of type {reply or '(not told)'}, which is not known here: {_KNOW}")
        answer: Message = await node.request(message, known.kind(reply), to=agent or None, timeout_s=arguments.timeout)
    return known.read(reply, answer.SerializeToString())


def _print(value: object, as_json: bool) -> None:
    if as_json or not output.on_terminal():
        output.line(json.dumps(value) if as_json else output.compact(value))
        return
    for row in json.dumps(value, ensure_ascii=False, indent=2).split("\n"):
        output.line(printable(row))
