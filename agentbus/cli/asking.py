"""A request as ``agentbus call`` makes it: JSON to the agent's own subject, as any NATS client could send it."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from agentbus.inbound import JSON_CONTENT, foreign_error

from . import output
from .addressing import find_endpoint
from .decoding import as_text
from .failures import printable
from .known_types import load_types
from .link import linked


async def ask(arguments: Namespace, agent: str, kind: str, value: Any) -> None:
    """Asks, and prints the answer. Raises what the agent answered with, and what kept it from being asked."""
    known = load_types(arguments.modules, arguments.descriptors, arguments.proto)
    async with linked(arguments.url, arguments.realm, arguments.identity) as link:
        endpoint = await find_endpoint(link, known, arguments.realm, agent, kind)
        if known.get(endpoint.request) is not None:
            known.check(endpoint.request, value)
        body = json.dumps(value).encode()
        headers = {"Content-Type": JSON_CONTENT}
        reply, told = await link.ask(endpoint.subject, body, headers, timeout_s=arguments.timeout)
    error = foreign_error(told)
    if error is not None:
        raise error
    _print(reply, arguments.json)


def _print(reply: bytes, as_json: bool) -> None:
    value = as_text(reply)
    if value is None:
        value = {"bytes": reply.hex()}
    if as_json or not output.on_terminal():
        output.line(json.dumps(value) if as_json else output.compact(value))
        return
    for row in json.dumps(value, ensure_ascii=False, indent=2).split("\n"):
        output.line(printable(row))
