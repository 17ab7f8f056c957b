"""Calls that wait for an answer, by the sequence number of their request.

Invariant: a call leaves `Calls` when it ends, however it ends: answered, failed, expired or cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from .errors import AgentBusError, DeadlineExceeded, NoResponders, SchemaMismatch
from .messages import FAILURE_TYPE, MAX_FRAME_MESSAGES, Frame, as_error

R = TypeVar("R", bound=Message)


@dataclass(frozen=True, slots=True)
class Reply(Generic[R]):
    """One agent's answer to a `gather`."""

    sender: str
    message: R


class Replies(list[Reply[R]], Generic[R]):
    """The answers to a `gather`, as they came.

    Attributes:
        failures: who answered with an error, by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failures: dict[str, AgentBusError] = {}


class Call:
    """A request that waits for one answer, its bytes and their type.

    Attributes:
        of: whose answer counts; empty for anybody's.
        plain: whether it was asked in plain protobuf.
    """

    __slots__ = ("future", "of", "plain", "sequence", "timeout_s", "what")

    def __init__(self, future: asyncio.Future[tuple[str, bytes]], what: str, timeout_s: float) -> None:
        self.future = future
        self.what = what
        self.timeout_s = timeout_s
        self.sequence = -1
        self.of = ""
        self.plain = False

    def answer(self, kind: str, source: str, payload: bytes) -> None:
        """The answer has come: bytes of type `kind`."""
        if not self.future.done():
            if kind == FAILURE_TYPE:
                self.future.set_exception(as_error(payload))
            else:
                self.future.set_result((kind, payload))

    def fail(self, error: AgentBusError) -> None:
        """No answer will come."""
        if not self.future.done():
            self.future.set_exception(error)

    def refused(self, error: AgentBusError) -> None:
        """Somebody who speaks no frames answered with an error."""
        self.fail(error)

    def nobody(self) -> None:
        """Nobody listens."""
        self.fail(NoResponders(f"nobody answers {self.what}: is the agent running, in this realm?"))

    def expire(self) -> None:
        """The deadline has passed."""
        self.fail(DeadlineExceeded(f"{self.what}: no answer within {self.timeout_s:g} s"))


class GatherCall(Call, Generic[R]):
    """A request that waits for many answers, until its deadline or `at_most`."""

    __slots__ = ("at_most", "parse", "replies")

    def __init__(
        self,
        future: asyncio.Future[tuple[str, bytes]],
        what: str,
        timeout_s: float,
        parse: Callable[[str, bytes], R],
        at_most: int | None,
    ) -> None:
        super().__init__(future, what, timeout_s)
        self.parse = parse
        self.at_most = at_most
        self.replies: Replies[R] = Replies()

    def answer(self, kind: str, source: str, payload: bytes) -> None:
        if self.future.done():
            return
        if kind == FAILURE_TYPE:
            self.replies.failures[source] = as_error(payload)
            return
        try:
            self.replies.append(Reply(source, self.parse(kind, payload)))
        except SchemaMismatch as error:
            self.replies.failures[source] = error
            return
        if self.at_most is not None and len(self.replies) >= self.at_most:
            self._end()

    def refused(self, error: AgentBusError) -> None:
        self.replies.failures[""] = error

    def nobody(self) -> None:
        self._end()

    def expire(self) -> None:
        self._end()

    def _end(self) -> None:
        if not self.future.done():
            self.future.set_result(("", b""))


def parse_reply(kind: type[R], name: str, type_name: str, payload: bytes) -> R:
    """A reply of type `kind`. An empty `type_name`, from a foreign agent, is taken for it. Raises `SchemaMismatch`."""
    if type_name and type_name != name:
        raise SchemaMismatch(f"the reply is a {type_name}, not a {name}")
    try:
        return kind.FromString(payload)
    except DecodeError as error:
        raise SchemaMismatch(f"the reply can't be parsed as {name}: {error}") from None


class Calls:
    """The open calls of one node."""

    def __init__(self) -> None:
        self._open: dict[int, Call] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, sequence: int, call: Call) -> None:
        """The call has been sent as the message of that number."""
        call.sequence = sequence
        self._open[sequence] = call

    def remove(self, call: Call) -> None:
        """The call has ended."""
        self._open.pop(call.sequence, None)

    def answered(self, frame: Frame) -> int:
        """A frame of replies has come; answers to nothing, late ones for example, are ignored. Returns how many were
        to what another was asked, and so are ignored, too."""
        strangers = 0
        calls = self._open
        kind, sources = frame.type, frame.sources or repeat(frame.source)
        for sequence, source, payload in zip(frame.answers, sources, frame.payloads, strict=False):
            call = calls.get(sequence)
            if call is None:
                continue
            if call.of and call.of != source:
                strangers += 1
            else:
                call.answer(kind, source, payload)
        return strangers

    def get(self, sequence: int) -> Call | None:
        """The open call of that number."""
        return self._open.get(sequence)

    def nobody(self, first: int, count: int) -> None:
        """Nobody listened to the `count` requests from number `first` on."""
        for sequence in range(first, first + min(count, MAX_FRAME_MESSAGES)):
            call = self._open.get(sequence)
            if call is not None:
                call.nobody()

    def failed(self, first: int, count: int, error: AgentBusError) -> None:
        """The `count` requests from number `first` on, of one frame, were answered with an error."""
        for sequence in range(first, first + min(count, MAX_FRAME_MESSAGES)):
            call = self._open.get(sequence)
            if call is not None:
                call.refused(error)

    def close(self, error: AgentBusError) -> None:
        """Ends every call with `error`."""
        for call in list(self._open.values()):
            call.fail(error)
        self._open.clear()
