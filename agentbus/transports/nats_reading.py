"""Reads what a JetStream stream keeps, and drops from it. Answers come from the stream's leader, never from a copy.

Reference: https://docs.nats.io/reference/reference-protocols/nats_api_reference (STREAM.MSG.GET, STREAM.PURGE).
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..errors import NotConnected, StorageFailed
from ..subjects import check_subject
from ..transport import StoredMessage
from .nats_jetstream import ApiError, JetStream
from .nats_wire import parse_headers
from .stored import own_headers

_NO_MESSAGE = 10037


class Reading:
    """The reading side of one transport's JetStream. See `Transport` for each."""

    __slots__ = ("_stream",)

    def __init__(self, stream: JetStream) -> None:
        self._stream = stream

    async def last(self, stream: str, subject: str, timeout_s: float) -> StoredMessage | None:
        return await self._get(stream, {"last_by_subj": subject}, timeout_s)

    async def after(self, stream: str, subject: str, sequence: int, timeout_s: float) -> StoredMessage | None:
        return await self._get(stream, {"next_by_subj": subject, "seq": sequence + 1}, timeout_s)

    async def subjects(self, stream: str, pattern: str, timeout_s: float) -> Mapping[str, int]:
        check_subject(pattern, pattern=True)
        deadline = asyncio.get_running_loop().time() + timeout_s
        found: dict[str, int] = {}
        while True:
            request = {"subjects_filter": pattern, "offset": len(found)}
            reply = await self._call(f"STREAM.INFO.{stream}", request, f"subjects of {stream!r}", deadline)
            page: dict[str, int] = reply.get("state", {}).get("subjects") or {}
            found |= page
            if not page or len(found) >= reply.get("total", 0):
                return dict(sorted(found.items()))

    async def purge(self, stream: str, subject: str, before: int | None, timeout_s: float) -> int:
        check_subject(subject, pattern=True)
        if before is not None and before <= 1:
            return 0
        request: dict[str, Any] = {"filter": subject, **({} if before is None else {"seq": before})}
        deadline = asyncio.get_running_loop().time() + timeout_s
        reply = await self._call(f"STREAM.PURGE.{stream}", request, f"{subject!r} could not be purged", deadline)
        return int(reply.get("purged", 0))

    async def _get(self, stream: str, request: dict[str, Any], timeout_s: float) -> StoredMessage | None:
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            reply = await self._call(f"STREAM.MSG.GET.{stream}", request, f"{stream!r} could not be read", deadline)
        except ApiError as error:
            if error.number == _NO_MESSAGE:
                return None
            raise
        return _message(reply["message"])

    async def _call(self, call: str, request: dict[str, Any], what: str, deadline: float) -> dict[str, Any]:
        try:
            return await self._stream.api(call, request, what, deadline)
        except NotConnected as error:
            raise StorageFailed(f"{what} in time: {error}") from None


def _message(told: Mapping[str, Any]) -> StoredMessage:
    return StoredMessage(
        subject=told["subject"],
        body=b64decode(told.get("data", "")),
        headers=own_headers(parse_headers(b64decode(told["hdrs"]))) if told.get("hdrs") else None,
        sequence=told["seq"],
        time_s=_seconds(told["time"]),
    )


def _seconds(text: str) -> float:
    """Seconds since 1970 of a time as Go writes it, whose nanoseconds `datetime` does not take."""
    whole, _, rest = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + (float(f"0.{rest}") if rest else 0.0)
