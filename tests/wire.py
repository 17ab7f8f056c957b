"""A bare connection for tests: to say on the wire what no agent would say, and to hear what is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from google.protobuf.message import Message

from agentbus.messages import PLAIN, Frame, encode_frame, full_name
from agentbus.subjects import Subjects
from agentbus.transport import Headers, Transport
from agentbus.transports import open_transport

from .waiting import until

DEFAULT = Subjects("default")


@dataclass(frozen=True)
class Heard:
    """One message as it came."""

    subject: str
    body: bytes
    reply: str
    headers: Headers = field(default_factory=dict)


class Wire:
    """One bare connection."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._inboxes = 0

    def hear(self, subject: str) -> list[Heard]:
        """The list that all that comes on a subject is put into."""
        heard: list[Heard] = []
        self.transport.subscribe(subject, lambda s, b, r, h: heard.append(Heard(s, b, r, dict(h or {}))))
        return heard

    async def ask(self, subject: str, body: bytes, headers: Headers | None = None) -> Heard:
        """A plain NATS request: the first answer, within 5 s."""
        self._inboxes += 1
        inbox = f"_INBOX.test.{id(self)}.{self._inboxes}"
        heard = self.hear(inbox)
        await self.transport.flush()
        self.transport.send(subject, body, inbox, headers)
        await until(lambda: heard)
        return heard[0]

    async def flush(self) -> None:
        """Returns when the broker has seen all that was said, and others have had a turn."""
        await self.transport.flush()
        await asyncio.sleep(0)


@asynccontextmanager
async def wire(url: str) -> AsyncIterator[Wire]:
    """A bare connection to where the nodes meet."""
    transport = open_transport(url, name="wire")
    await transport.connect()
    try:
        yield Wire(transport)
    finally:
        await transport.close()


def framed(*messages: Message, source: str = "somebody", first: int = 1, epoch: int = 1, hops: int = 0) -> bytes:
    """A frame of messages of one type as another node would send it."""
    payloads = [message.SerializeToString() for message in messages]
    frame = Frame(full_name(messages[0]), source, epoch, hops, first, 0, payloads, [], [], [])
    return PLAIN + encode_frame(frame)
