"""Tells the servers of the operator's acts, as the system account, so that they count at once: an account's new JWT,
and new certificates.

A server alone, which holds accounts in memory, takes a JWT for this account only, and reads ``accounts.conf`` when it
is started again; servers of a cluster keep it and tell one another.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ...errors import NotConnected, ServerFailed, Unauthorized
from ...transport import Headers
from ...transports.nats import Endpoint, NatsTransport
from ..trust import trusting
from .folder import RealmFolder

QUIET_S = 0.3
"""Seconds without a further server's answer after which all have answered."""


async def push(realm: RealmFolder, jwt: str, now_s: int, *, timeout_s: float = 5.0) -> list[str]:
    """Pushes the account's JWT; returns the names of the servers that have taken it.

    Raises:
        NotConnected: no server is there, or none answered.
        Unauthorized: a server did not take it; the text says why.
    """
    public = realm.public
    full = realm.state.servers > 1
    subject = "$SYS.REQ.CLAIMS.UPDATE" if full else f"$SYS.REQ.ACCOUNT.{public.account}.CLAIMS.UPDATE"
    async with _system(realm, now_s, timeout_s) as transport:
        answers = await _asked(transport, subject, jwt.encode(), realm.state.servers, timeout_s)
    taken: list[str] = []
    for answer in answers:
        told: dict[str, Any] = answer.get("error") or answer.get("data") or {}
        if told.get("code") != 200:
            raise Unauthorized(f"a server did not take the account: {told.get('description', 'no reason given')}")
        taken.append(_name(answer))
    return sorted(taken)


async def reload(realm: RealmFolder, now_s: int, *, timeout_s: float = 5.0) -> list[str]:
    """Has the servers read their configuration and certificates anew, and tells them of the account as it stands: what
    a server's own files say of it may be older. Nobody is cut off. Returns the names of the servers that have done so.

    Raises:
        NotConnected: no server is there, or none answered.
        ServerFailed: a server did not do so; the text says why.
        Unauthorized: as `push`.
    """
    done: list[str] = []
    async with _system(realm, now_s, timeout_s) as transport:
        servers = await _asked(transport, "$SYS.REQ.SERVER.PING", b"", realm.state.servers, timeout_s)
        for server in servers:
            subject = f"$SYS.REQ.SERVER.{server['server']['id']}.RELOAD"
            for answer in await _asked(transport, subject, b"", 1, timeout_s):
                if error := answer.get("error"):
                    why = str(error.get("description", "no reason given"))[:200]
                    raise ServerFailed(f"server {_name(answer)} goes on as it was, start it again: {why}")
                done.append(_name(answer))
    await push(realm, realm.account_jwt(now_s), now_s, timeout_s=timeout_s)
    return sorted(done)


@asynccontextmanager
async def _system(realm: RealmFolder, now_s: int, timeout_s: float) -> AsyncGenerator[NatsTransport]:
    """A connection of the system account. Raises `NotConnected`, `Unauthorized`."""
    public = realm.public
    pair, user = realm.system_user(now_s)

    async def endpoint() -> Endpoint:
        return Endpoint(url=public.url, jwt=user, sign=pair.sign, tls=trusting(public), tls_first=public.tls_first)

    transport = NatsTransport(public.url, name="operator", tls=trusting(public), resolve=endpoint)
    await transport.connect(timeout_s=timeout_s)
    try:
        yield transport
    finally:
        await transport.close()


def _name(answer: Mapping[str, Any]) -> str:
    return str(answer.get("server", {}).get("name", ""))


async def _asked(
    transport: NatsTransport, subject: str, body: bytes, expected: int, timeout_s: float
) -> list[dict[str, Any]]:
    """What the servers answer, `expected` of them. Raises `NotConnected` when none does."""
    answers: list[dict[str, Any]] = []
    news = asyncio.Event()

    def receive(_subject: str, body: bytes, _reply: str, headers: Headers | None) -> None:
        if body:
            answers.append(json.loads(body))
        news.set()

    listening = transport.subscribe(f"{transport.inbox}.push", receive)
    transport.send(subject, body, f"{transport.inbox}.push")
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    try:
        while len(answers) < expected:
            news.clear()
            async with asyncio.timeout_at(min(deadline, loop.time() + QUIET_S) if answers else deadline):
                await news.wait()
    except TimeoutError:
        pass  # those that have answered have taken it; the others hear of it from these
    finally:
        listening.unsubscribe()
    if not answers:
        raise NotConnected(
            f"no server answered within {timeout_s:g} s: is the realm's system account that of {transport.url}?"
        )
    return answers
