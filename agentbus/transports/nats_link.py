"""One connection to a NATS server, from handshake to loss. A link that is lost is never repaired: it is replaced.

nats-py connects it (INFO, TLS, credentials, CONNECT); then the link takes the socket over and reads and writes by
itself, without nats-py's tasks and queues. So there is no read task that an exception could end in silence.

Invariants:

* No credentials leave before TLS is up where TLS is asked for.
* What `post` takes is written in order, in one piece at the end of a turn of the event loop, or when 256 KiB have come
  together. The first of a turn is written at once when the turn before had no second, and nobody has said with `hold`
  that there will be one: alone it gains the time of a turn; in a crowd it would cost a system call of its own (64
  requests at once: a fifth of the rate).
* A server that has been silent for two pings, one second apart, ends the link within 3 seconds. A turn of our own
  loop that came late is not counted as the server's silence.
* `Owner.link_lost` is called once, synchronously, whatever the end was, except after `close` and `abandon`.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any, Protocol

from ..errors import NotConnected, PayloadTooLarge
from .nats_wire import PING, PONG, Interest, Reader, View, WireError

PING_INTERVAL_S = 1.0
SILENT_PINGS = 2
LATE_S = 0.4
"""Seconds by which our own loop may be late before a silent interval is forgiven."""
UNANSWERED_S = 10.0
"""Seconds after which a ping without an answer ends a link on which data still comes."""
TURN_BYTES = 256 * 1024
HIGH_WATER = 1 << 20
LOW_WATER = 256 * 1024
WRITE_LIMIT = 64 << 20
"""Bytes that may wait for the socket; more is refused with `NotConnected`."""


class Owner(Protocol):
    """Who a link belongs to."""

    def link_lost(self, link: Link, reason: str) -> None:
        """The link is gone for good."""
        ...

    def server_error(self, text: str) -> None:
        """The server complained. If it closes the connection too, `link_lost` follows."""
        ...

    def receiver_failed(self, interest: Interest, error: Exception) -> None:
        """A receiver raised."""
        ...


class Link(asyncio.Protocol):
    """A connection that is up.

    Attributes:
        where: ``host:port``.
        info: what the server said of itself, most recently.
        alive: false once it is lost.
        congested: more than 1 MiB waits for the socket, and has not yet fallen below 256 KiB.
        rtt_s: seconds, of the latest ping; 0.0 before the first.
        written: bytes handed to the socket.
    """

    def __init__(self, where: str, info: dict[str, Any], interests: View, owner: Owner) -> None:
        self.where = where
        self.info = info
        self.alive = True
        self.congested = False
        self.rtt_s = 0.0
        self.written = 0
        self.reader = Reader(interests, self)
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._room.set()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._pings: deque[tuple[asyncio.Future[None], float]] = deque()
        self._turn: list[bytes] = []
        self._turn_size = 0
        self._back: list[bytes] | None = None
        self._in_turn = False
        self._crowded = False
        self._held = False
        self._heard = True
        self._silent = 0
        self._error = ""
        self._quiet = False
        self._wire: asyncio.Transport | None = None
        self._due = self._loop.time() + PING_INTERVAL_S
        self._timer = self._loop.call_at(self._due, self._tick)

    def take_over(self, wire: asyncio.Transport, early: bytes) -> None:
        """Becomes the protocol of a connected socket; `early` are bytes that were read from it already."""
        self._wire = wire
        wire.set_protocol(self)
        wire.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)
        if early:
            self.data_received(early)
        if not wire.is_reading():
            wire.resume_reading()

    # writing

    def post(self, data: bytes) -> None:
        """Writes whole protocol lines."""
        if not self._in_turn:
            self._in_turn = True
            self._loop.call_soon(self._end_turn)
            if not self._crowded:
                self._write(data)
                return
        self._turn.append(data)
        self._turn_size += len(data)
        if self._turn_size > TURN_BYTES:
            self._flush()

    def hold(self) -> None:
        """Lets what is posted in this turn wait for its end, also the first."""
        if not self._in_turn:
            self._in_turn = self._held = True
            self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._in_turn = False
        waiting = len(self._turn)
        if waiting:
            self._flush()
        if not self._held:
            self._crowded = waiting > self._crowded
        self._held = False

    def _flush(self) -> None:
        data = b"".join(self._turn)
        self._turn.clear()
        self._turn_size = 0
        self._write(data)

    def _write(self, data: bytes) -> None:
        wire = self._wire
        if wire is None or not self.alive:
            return
        if self._back is not None:
            self._back.append(data)
            return
        wire.write(data)
        self.written += len(data)

    def hold_back(self) -> None:
        """Writes nothing until `let_go`."""
        self._back = []

    def let_go(self) -> None:
        """Writes what was held back, in order."""
        back, self._back = self._back, None
        if back:
            self._write(b"".join(back))

    def check_room(self) -> None:
        """Raises `NotConnected` when so much waits for the socket that nothing but control lines is taken."""
        if self._wire is not None and self._wire.get_write_buffer_size() > WRITE_LIMIT:
            raise NotConnected(f"{WRITE_LIMIT} bytes wait for {self.where}: await writable() before sending more")

    async def writable(self, timeout_s: float) -> None:
        """Waits until `congested` is false. Raises `NotConnected`: lost, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._room.wait()
        except TimeoutError:
            raise NotConnected(f"{self.where} took too little in {timeout_s} s: send less, or wait longer") from None
        if not self.alive:
            raise NotConnected(f"the link to {self.where} was lost: {self._error}")

    def ping(self) -> asyncio.Future[None]:
        """Done when the server has answered a PING sent now. Ends with `NotConnected` when the link is lost."""
        answered: asyncio.Future[None] = self._loop.create_future()
        answered.add_done_callback(_retrieve)
        if not self.alive:
            answered.set_exception(NotConnected(f"the link to {self.where} was lost: {self._error}"))
            return answered
        self._pings.append((answered, self._loop.time()))
        self.post(PING)
        return answered

    # the watchdog

    def _tick(self) -> None:
        now = self._loop.time()
        late = now - self._due
        self._due = now + PING_INTERVAL_S
        self._timer = self._loop.call_at(self._due, self._tick)
        if self._heard:
            self._heard = False
            self._silent = 0
        elif late < LATE_S:
            self._silent += 1
        if self._silent >= SILENT_PINGS:
            self.lose(f"no answer to {SILENT_PINGS} pings in {SILENT_PINGS * PING_INTERVAL_S:g} s")
        elif self._pings and now - self._pings[0][1] - late > UNANSWERED_S:
            self.lose(f"no answer to a ping in {UNANSWERED_S:g} s")
        else:
            self.ping()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        self._heard = True
        try:
            self.reader.feed(data)
        except WireError as error:
            self.lose(f"not understood: {error}")
        except Exception as error:
            self.lose(f"reading failed: {type(error).__name__}: {error}")

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self.congested = True
        self._room.clear()

    def resume_writing(self) -> None:
        self.congested = False
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        self.lose(f"{type(exc).__name__}: {exc}" if exc else "the server closed the connection")

    # Events of the reader

    def ping_received(self) -> None:
        self.post(PONG)

    def pong_received(self) -> None:
        if not self._pings:
            return
        answered, sent = self._pings.popleft()
        self.rtt_s = self._loop.time() - sent
        if not answered.done():
            answered.set_result(None)

    def info_received(self, body: bytes) -> None:
        try:
            self.info.update(json.loads(body))
        except (ValueError, TypeError) as error:
            raise WireError("INFO that is not a JSON object") from error

    def error_received(self, text: str) -> None:
        self._error = text
        self._owner.server_error(text)

    def receiver_failed(self, interest: Interest, error: Exception) -> None:
        self._owner.receiver_failed(interest, error)

    # the end

    def lose(self, reason: str) -> None:
        """Ends the link now; nothing more is written. A second call does nothing."""
        if not self.alive:
            return
        self._error = f"{self._error}; {reason}" if self._error else reason
        quiet = self._quiet
        self.abandon()
        if not quiet:
            self._owner.link_lost(self, self._error)

    def abandon(self) -> None:
        """Ends the link now, without telling the owner."""
        self.alive = False
        self._quiet = True
        self._timer.cancel()
        self._turn.clear()
        self._turn_size = 0
        self.congested = False
        self._room.set()
        while self._pings:
            answered, _ = self._pings.popleft()
            if not answered.done():
                answered.set_exception(NotConnected(f"the link to {self.where} was lost: {self._error}"))
        if self._wire is not None:
            self._wire.abort()

    async def close(self, timeout_s: float) -> None:
        """Writes what is pending and closes, in `timeout_s` at most. The owner is not told."""
        self._quiet = True
        try:
            async with asyncio.timeout(timeout_s):
                await self.ping()
                if self._wire is not None:
                    self._wire.close()
                    await self._gone
        except (TimeoutError, NotConnected):
            pass
        finally:
            self.abandon()
        if self._wire is not None and not self._gone.done():
            await asyncio.wait((self._gone,), timeout=0.1)


def _retrieve(answered: asyncio.Future[None]) -> None:
    """Marks the error of a ping as seen: not everybody who pings waits for the answer."""
    if not answered.cancelled():
        answered.exception()


def too_large(size: int, limit: int, subject: str) -> PayloadTooLarge:
    """The error for a message of `size` bytes, headers included."""
    return PayloadTooLarge(
        f"{size} bytes, headers included, to {subject!r} exceed the broker's max_payload of {limit}: "
        "send less in one message, or raise max_payload in its configuration"
    )
