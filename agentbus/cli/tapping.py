"""Listening as ``agentbus tap`` does: undecoded frames wait in a bounded backlog and are decoded when printed."""

from __future__ import annotations

import asyncio
import time
from argparse import Namespace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from agentbus.errors import DeadlineExceeded
from agentbus.subjects import check_name, check_subject
from agentbus.transport import Headers

from . import output
from .decoding import Seen, open_body
from .failures import printable
from .known_types import KnownTypes, load_types
from .link import linked

if TYPE_CHECKING:
    from .verifying import Onlooker

WAITING = 10_000
"""Undecoded frames kept for a slow reader; more drop the oldest."""


class Backlog:
    """What has come and is not shown yet: bounded, drops the oldest."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[float, str, bytes, str, Headers | None]] = asyncio.Queue(WAITING)
        self.dropped = 0

    def put(self, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        """What a transport's receiver is called with."""
        if self._queue.full():
            self._queue.get_nowait()
            self.dropped += 1
        self._queue.put_nowait((time.time(), subject, body, reply, headers))

    async def get(self) -> tuple[float, str, bytes, str, Headers | None]:
        """The oldest, and when it came."""
        return await self._queue.get()


async def tap(arguments: Namespace) -> None:
    """Shows what comes until enough has, the time is over, or it is cancelled."""
    realm = check_name(arguments.realm, "realm")
    subject = check_subject(arguments.subject or f"{realm}.ev.>", pattern=True)
    known = load_types(arguments.modules, arguments.descriptors, arguments.proto)
    backlog = Backlog()
    async with linked(arguments.url, realm, arguments.identity) as link:
        link.transport.subscribe(subject, backlog.put)
        await link.transport.flush()
        output.note(f"listening to {subject}")
        try:
            async with asyncio.timeout(arguments.timeout):
                await _show(arguments, backlog, known, _onlooker(arguments))
        except TimeoutError:
            if arguments.count:
                text = f"fewer than {arguments.count} messages on {subject!r} within {arguments.timeout:g} s"
                raise DeadlineExceeded(text) from None
        finally:
            if backlog.dropped:
                output.note(f"not shown: {backlog.dropped} frames that came faster than they could be printed")


def _onlooker(arguments: Namespace) -> Onlooker | None:
    if arguments.identity is None:
        return None  # the extra `security` is not needed then
    from .verifying import Onlooker

    return Onlooker(arguments.identity)


async def _show(arguments: Namespace, backlog: Backlog, known: KnownTypes, onlooker: Onlooker | None) -> None:
    shown = 0
    while True:
        at_s, subject, body, reply, headers = await backlog.get()
        look = partial(onlooker.look, at_s=at_s) if onlooker is not None else None
        for seen in open_body(subject, body, reply, headers, known, look):
            if arguments.types and not any(_called(seen.type, name) for name in arguments.types):
                continue
            _print(seen, arguments.json)
            shown += 1
            if shown == arguments.count:
                return


def _called(full_name: str, name: str) -> bool:
    return full_name == name or full_name.endswith(f".{name}")


def _print(seen: Seen, as_json: bool) -> None:
    if as_json:
        output.record(seen.as_json())
        return
    at = datetime.fromtimestamp(seen.time_us / 1e6, UTC) if 0 < seen.time_us < 1 << 57 else datetime.now(UTC)
    signed = (seen.signature.as_text(),) if seen.signature is not None else ()
    parts = (f"{at.astimezone():%H:%M:%S.%f}"[:-3], seen.subject, seen.source or "-", *signed, seen.as_text())
    output.line(printable("  ".join(parts)))
