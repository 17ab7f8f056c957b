"""Tells the servers of an account's new JWT, as the system account: the operator's act reaches them at once.

A server alone, which holds accounts in memory, takes it for this account only, and reads ``accounts.conf`` when it is
started again; servers of a cluster keep it and tell one another.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ...errors import NotConnected, Unauthorized
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
    pair, user = realm.system_user(now_s)

    async def endpoint() -> Endpoint:
        return Endpoint(url=public.url, jwt=user, sign=pair.sign, tls=trusting(public), tls_first=public.tls_first)

    transport = NatsTransport(public.url, name="operator", tls=trusting(public), resolve=endpoint)
    await transport.connect(timeout_s=timeout_s)
    try:
        full = realm.state.servers > 1
        subject = "$SYS.REQ.CLAIMS.UPDATE" if full else f"$SYS.REQ.ACCOUNT.{public.account}.CLAIMS.UPDATE"
        answers = await _asked(transport, subject, jwt.encode(), realm.state.servers, timeout_s)
    finally:
        await transport.close()
    taken: list[str] = []
    for answer in answers:
        told: dict[str, Any] = answer.get("error") or answer.get("data") or {}
        if told.get("code") != 200:
            raise Unauthorized(f"a server did not take the account: {told.get('description', 'no reason given')}")
        taken.append(str(answer.get("server", {}).get("name", "")))
    if not taken:
        raise NotConnected(
            f"no server answered within {timeout_s:g} s: is the realm's system account that of {public.url}?"
        )
    return sorted(taken)


async def _asked(
    transport: NatsTransport, subject: str, body: bytes, expected: int, timeout_s: float
) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    news = asyncio.Event()

    def receive(_subject: str, body: bytes, _reply: str, headers: Headers | None) -> None:
        if body:
            answers.append(json.loads(body))
        news.set()

    transport.subscribe(f"{transport.inbox}.push", receive)
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
    return answers
