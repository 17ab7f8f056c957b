"""A foreign client: a program that knows NATS but nothing of agentbus finds an agent and calls it.

Every agent is a NATS micro service (ADR-32): it answers ``$SRV.INFO`` in JSON, with the subject of each `@rpc` and its
types. A request is the protobuf message itself, or JSON with the header ``Content-Type: application/json``; the reply
comes in the same form. Errors come in the headers ``Nats-Service-Error`` and ``Nats-Service-Error-Code``. So a client
in any language needs its NATS library and the .proto file; this one is nats-py.
"""

from __future__ import annotations

import json
import os
from typing import Any

import nats
from nats.aio.client import Client

from agentbus import Node
from agentbus.transports.server import acquire_url

from .climate import Thermostat
from .climate.v1.climate_pb2 import TargetReply, TargetRequest
from .starting import start


async def connect(url: str | None) -> Client:
    """A plain connection. The embedded nats-server has a password, new for each of its runs."""
    url = url or os.environ.get("AGENTBUS_URL") or "embedded://"
    if not url.startswith("embedded://"):
        return await nats.connect(url)  # pyright: ignore[reportUnknownMemberType]
    async with await acquire_url(url) as server:
        address = server.address
        credentials = {"user": address.user, "password": address.password}
        return await nats.connect(address.url, **credentials)  # pyright: ignore[reportUnknownMemberType]


async def main(url: str | None) -> None:
    """An agent on one side; on the other, nothing but NATS."""
    async with Node(url, realm="e06", agents={"hall": Thermostat(21.0)}):
        client = await connect(url)
        try:
            await use(client)
        finally:
            await client.close()


async def use(client: Client) -> None:
    """What a foreign program would do."""
    found = await client.request("$SRV.INFO.hall", timeout=2.0)
    service: dict[str, Any] = json.loads(found.data)
    print(f"found {service['name']} ({service['description']}) in realm {service['metadata']['realm']}")
    endpoint = service["endpoints"][0]
    print(f"it answers {endpoint['metadata']['request']} with {endpoint['metadata']['reply']}")
    subject = endpoint["subject"]

    reply = await client.request(subject, TargetRequest().SerializeToString(), timeout=2.0)
    print(f"protobuf: {TargetReply.FromString(reply.data).celsius:g}")

    reply = await client.request(subject, b"{}", headers={"Content-Type": "application/json"}, timeout=2.0)
    print(f"JSON: {json.loads(reply.data)}")

    reply = await client.request(subject, b"{", headers={"Content-Type": "application/json"}, timeout=2.0)
    headers = reply.headers or {}
    print(f"a bad call: error {headers['Nats-Service-Error-Code']}: {headers['Nats-Service-Error']}")


if __name__ == "__main__":
    start(main)
