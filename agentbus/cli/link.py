"""A connection for one command: asks, and gathers answers, as any NATS client would.

Invariant: every wait ends; at most `MAX_ANSWERS` answers are kept.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from agentbus.errors import DeadlineExceeded, NoResponders, Unauthorized
from agentbus.identity import NodeIdentity
from agentbus.observability import logs
from agentbus.subjects import Subjects
from agentbus.transport import Denial, Headers, LinkState, Transport
from agentbus.transports import open_transport

from .output import note

CONNECT_S = 3.0
"""Seconds to connect in."""
START_S = 10.0
"""Seconds to connect in where a server may have to be started first."""
MAX_ANSWERS = 100_000
QUIET_S = 0.3
"""Gathering ends when for so many seconds no further answer has come."""


class Link:
    """A connected transport, and an inbox on it."""

    def __init__(self, transport: Transport, name: str, realm: str) -> None:
        self.transport = transport
        self._inbox = f"{Subjects(realm).realm}.in.{name}"
        self._asked = 0

    async def ask(
        self, subject: str, body: bytes, headers: Headers | None, *, timeout_s: float
    ) -> tuple[bytes, Headers]:
        """The first answer: its body and headers.

        Raises:
            NoResponders: nobody listens on the subject.
            DeadlineExceeded: no answer in time.
        """
        answers = await self._gather(subject, body, headers, timeout_s=timeout_s, quiet_s=timeout_s, at_most=1)
        if not answers:
            raise DeadlineExceeded(f"no answer on {subject!r} within {timeout_s:g} s: ask for more with --timeout")
        reply, told = answers[0]
        if told.get("Status") == "401" and not reply:
            raise Unauthorized(told.get("Nats-Service-Error", f"this identity may not ask on {subject!r}"))
        if told.get("Status") == "503" and not reply:
            raise NoResponders(f"nobody listens on {subject!r}: is the agent running, in this realm?")
        return reply, told

    async def collect(self, subject: str, body: bytes = b"", *, timeout_s: float) -> list[bytes]:
        """All answers that come until it has been quiet for `QUIET_S`, or the time is over.

        Raises:
            Unauthorized: this identity may not ask there.
        """
        answers = await self._gather(subject, body, None, timeout_s=timeout_s, quiet_s=QUIET_S, at_most=MAX_ANSWERS)
        for _, headers in answers:
            if isinstance(headers, Denial):
                raise Unauthorized(f"{headers.get('Nats-Service-Error', subject)}; that of an operator does")
        return [body for body, headers in answers if "Status" not in headers]

    async def _gather(
        self, subject: str, body: bytes, headers: Headers | None, *, timeout_s: float, quiet_s: float, at_most: int
    ) -> list[tuple[bytes, Headers]]:
        loop = asyncio.get_running_loop()
        answers: list[tuple[bytes, Headers]] = []
        news = asyncio.Event()

        def receive(_subject: str, body: bytes, _reply: str, headers: Headers | None) -> None:
            if len(answers) < at_most:
                answers.append((body, headers or {}))
            news.set()

        self._asked += 1
        reply = f"{self._inbox}.{self._asked}"
        subscription = self.transport.subscribe(reply, receive)
        deadline = loop.time() + timeout_s
        try:
            self.transport.send(subject, body, reply, headers)
            while len(answers) < at_most and not (answers and "Status" in answers[-1][1]):
                news.clear()
                until = min(deadline, loop.time() + quiet_s) if answers else deadline
                async with asyncio.timeout_at(until):
                    await news.wait()
        except TimeoutError:
            pass  # the time is over: what has come is the answer
        finally:
            subscription.unsubscribe()
        return answers


def own_name() -> str:
    """A name that no other command has, which can't be guessed: answers come to it."""
    return f"cli-{os.getpid()}-{secrets.token_hex(8)}"


@asynccontextmanager
async def linked(url: str | None, realm: str, identity: NodeIdentity | None = None) -> AsyncGenerator[Link]:
    """A link to a broker, closed at the end. Says on standard error when it is lost, and when it is back.

    Args:
        url: where the broker is.
        realm: the realm's name.
        identity: who to be.

    Raises:
        UnknownScheme, NotConnected, Unauthorized, ServerFailed, SubjectError.
    """
    logs.configure("error")
    name = own_name()
    transport = identity.connection(url) if identity else open_transport(url, name=name)
    if identity is not None:
        name = f"{identity.node}.{name}"  # the broker lets it hear what is for its node only
    link = Link(transport, name, realm)
    was = [LinkState.CONNECTING]

    def watch(state: LinkState, why: str) -> None:
        if state is LinkState.RECONNECTING or was[-1] is LinkState.RECONNECTING:
            note(f"{state.value}: {why}" if why else state.value)
        was[-1] = state

    starts = transport.url.startswith("embedded:")
    await transport.connect(timeout_s=START_S if starts else CONNECT_S, watcher=watch)
    try:
        yield link
    finally:
        await transport.close()
