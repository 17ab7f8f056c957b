"""Asks the broker itself (JetStream) and matches the answers: one subscription for all, one deadline structure.

Invariants: an inbox's subjects are unguessable and of this connection alone; every question ends, with an answer, at
its deadline, with the loss of the link or with the inbox; nothing is kept of one that has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from ..errors import StorageFailed
from ..transport import Denial, Headers, Receiver, Subscription

SWEEP_S = 0.05
"""Seconds between two looks at the deadlines; an answer may be waited for by so much longer."""
MOST = 65536
"""Questions that may wait at once; one more is refused with `StorageFailed`."""


class Wire(Protocol):
    """What JetStream needs of the transport."""

    @property
    def connected(self) -> bool: ...
    @property
    def inbox(self) -> str:
        """The prefix of this connection's own subjects."""
        ...

    @property
    def max_payload(self) -> int: ...
    @property
    def makes_streams(self) -> bool:
        """False: others make streams, and delete what there is in them."""
        ...

    async def until_connected(self, deadline: float) -> None:
        """Raises `NotConnected` at `deadline` (the loop's time), and `Closed`."""
        ...

    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None: ...

    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Subscription: ...

    def settle(self, subject: str, word: bytes) -> None:
        """Sends a settlement if there is a link; counts it as dropped if there is none."""
        ...

    def retire(self, subscription: Subscription, refuse: Receiver) -> None:
        """Unsubscribes; what the server had sent by then goes to `refuse`."""
        ...

    def note(self, kind: str, text: str, *, error: BaseException | None = None) -> None:
        """Counts and logs a fault."""
        ...


class Outcome(Enum):
    """How a question ended."""

    ANSWERED = "answered"
    NO_RESPONDERS = "nobody answers there"
    LATE = "no answer in time"
    LOST = "the link was lost"
    DENIED = "the broker does not allow it"
    CLOSED = "the transport was closed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    outcome: Outcome
    body: bytes = b""


_LATE, _LOST, _CLOSED = Answer(Outcome.LATE), Answer(Outcome.LOST), Answer(Outcome.CLOSED)
_NOBODY = Answer(Outcome.NO_RESPONDERS)


class Inbox:
    """The questions that wait for an answer."""

    __slots__ = ("_next", "_prefix", "_sweeper", "_waiting", "_wire")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._prefix = f"{wire.inbox}.r."
        self._waiting: dict[str, tuple[asyncio.Future[Answer], float]] = {}
        self._next = 0
        self._sweeper: asyncio.TimerHandle | None = None
        wire.subscribe(f"{self._prefix}*", self._receive)

    @property
    def waiting(self) -> int:
        """Questions without an answer so far."""
        return len(self._waiting)

    async def ask(self, subject: str, body: bytes, headers: Headers | None, until: float) -> Answer:
        """Sends `body` and waits until the loop's time `until`. Raises what `send` does, and `StorageFailed`."""
        if len(self._waiting) >= MOST:
            raise StorageFailed(f"{MOST} messages wait to be stored: store fewer at once")
        loop = asyncio.get_running_loop()
        self._next += 1
        token = str(self._next)
        self._wire.send(subject, body, self._prefix + token, headers)
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting[token] = (answer, until)
        if self._sweeper is None:
            self._sweeper = loop.call_later(SWEEP_S, self._sweep, loop.time)
        try:
            return await answer
        finally:
            self._waiting.pop(token, None)

    def lose(self) -> None:
        """The link was lost: no answer will come."""
        self._end(_LOST)

    def close(self) -> None:
        """Ends all questions."""
        self._end(_CLOSED)
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def _end(self, answer: Answer) -> None:
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_result(answer)
        self._waiting.clear()

    def _receive(self, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        waiting = self._waiting.pop(subject[len(self._prefix) :], None)
        if waiting is None or waiting[0].done():
            return
        if isinstance(headers, Denial):
            waiting[0].set_result(Answer(Outcome.DENIED, headers.get("Nats-Service-Error", "").encode()))
            return
        nobody = headers is not None and not body and headers.get("Status") == "503"
        waiting[0].set_result(_NOBODY if nobody else Answer(Outcome.ANSWERED, body))

    def _sweep(self, clock: Callable[[], float]) -> None:
        now = clock()
        for future, until in self._waiting.values():
            if until <= now and not future.done():
                future.set_result(_LATE)
        self._sweeper = None
        if self._waiting:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep, clock)
