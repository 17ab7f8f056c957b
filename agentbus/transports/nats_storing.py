"""Stores in JetStream: one message or a batch, with or without an expectation, and once however often it is tried.

Invariants: a message is stored under one id; a batch that is tried again is a new batch of the same ids; what the
server refuses because an earlier attempt was stored, its acknowledgement lost, is told as stored. A server asks first
whether it knows an id and then what is expected, except for a stream without copies: there the id is looked up with an
expectation that is checked after it and never holds. (With copies that same expectation would cost the stream its
leader: it is checked only once every copy has the message.)

Reference: NATS ADR-50 (atomic batches), ADR-43 (time to live); tried with nats-server 2.15.1 alone and in threes.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from ..errors import Conflict, NotConnected, StorageFailed
from ..transport import Headers, Stored, Write
from .nats_jetstream import ApiError, JetStream
from .nats_link import too_large
from .nats_wire import encode_headers
from .stored import MESSAGE_ID, stamped_batch

_WRONG_LAST = (10071, 10164)
_WRONG_LAST_ID = 10070
_KNOWN_ID = 10201
_NEVER = "9223372036854775807"


class Storing:
    """The writing side of one transport's JetStream."""

    __slots__ = ("_stream",)

    def __init__(self, stream: JetStream) -> None:
        self._stream = stream

    async def store(self, subject: str, body: bytes, marks: Headers, timeout_s: float) -> Stored:
        """See `Transport.store`; `marks` as `stamped` gives them."""
        what = f"a message to {subject!r} was not stored"
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            reply = await self._stream.tried(subject, body, marks, what, deadline)
        except ApiError as error:
            if error.number not in _WRONG_LAST:
                raise
            sequence = await self._known(subject, marks[MESSAGE_ID], error.stream, what, deadline)
            if sequence:
                return Stored(stream=error.stream, sequence=sequence, duplicate=True)
            raise _conflict(what, error) from None
        except NotConnected as error:
            raise StorageFailed(f"{what} in {timeout_s:g} s: {error}") from None
        if "stream" not in reply:
            raise StorageFailed(f"{what}: something other than a stream answered; let only streams listen there")
        return Stored(stream=reply["stream"], sequence=reply["seq"], duplicate=bool(reply.get("duplicate", False)))

    async def store_all(self, writes: Sequence[Write], message_id: str, timeout_s: float) -> tuple[Stored, ...]:
        """See `Transport.store_all`."""
        batch = stamped_batch(writes, message_id)
        self._check_sizes(batch)
        *_, (last, marks) = batch
        what = f"a batch of {len(batch)} messages, the last to {last.subject!r}, was not stored"
        deadline = asyncio.get_running_loop().time() + timeout_s

        def begin() -> Headers:
            """Sends all but the last, which commits them; returns its headers."""
            name = secrets.token_hex(8)
            numbered = {"Nats-Batch-Id": name}
            for number, (write, headers) in enumerate(batch[:-1], 1):
                self._stream.wire.send(
                    write.subject, write.body, "", {**headers, **numbered, "Nats-Batch-Sequence": str(number)}
                )
            return {**marks, **numbered, "Nats-Batch-Sequence": str(len(batch)), "Nats-Batch-Commit": "1"}

        try:
            reply = await self._stream.tried(last.subject, last.body, begin, what, deadline)
        except ApiError as error:
            if error.number not in (*_WRONG_LAST, _KNOWN_ID):
                raise
            sequence = await self._known(last.subject, marks[MESSAGE_ID], error.stream, what, deadline)
            if sequence:
                return _adjacent(error.stream, sequence, len(batch), duplicate=True)
            if error.number == _KNOWN_ID:
                raise StorageFailed(f"{what}: one of its ids was stored by itself; use a new message_id") from None
            raise _conflict(what, error) from None
        except NotConnected as error:
            raise StorageFailed(f"{what} in {timeout_s:g} s: {error}") from None
        if reply.get("count") != len(batch):
            raise StorageFailed(f"{what} as one: the server knows no batches; nats-server 2.12 and later do")
        return _adjacent(reply["stream"], reply["seq"], len(batch), duplicate=False)

    async def _known(self, subject: str, message_id: str, stream: str, what: str, deadline: float) -> int:
        """The sequence under which an id was stored, 0 if it was not. Stores nothing."""
        alone = await self._stream.replicas(stream, deadline) == 1
        never = {"Nats-Expected-Last-Msg-Id": f"never-{_NEVER}"} if alone else {"Nats-Expected-Last-Sequence": _NEVER}
        try:
            reply = await self._stream.tried(subject, b"", {MESSAGE_ID: message_id, **never}, what, deadline)
        except ApiError as error:
            if error.number in (*_WRONG_LAST, _WRONG_LAST_ID):
                return 0
            raise
        return int(reply.get("seq", 0)) if reply.get("duplicate") else 0

    def _check_sizes(self, batch: Sequence[tuple[Write, Headers]]) -> None:
        """So that no batch is begun that can't be sent whole."""
        room = self._stream.wire.max_payload - 128
        for write, headers in batch:
            size = len(write.body) + len(encode_headers(headers))
            if size > room:
                raise too_large(size, room, write.subject)


def _conflict(what: str, error: ApiError) -> Conflict:
    return Conflict(f"{what}, as another write came first ({error.reason}): read it again, and decide anew")


def _adjacent(stream: str, last: int, number: int, *, duplicate: bool) -> tuple[Stored, ...]:
    first = last - number + 1
    return tuple(Stored(stream=stream, sequence=first + index, duplicate=duplicate) for index in range(number))
