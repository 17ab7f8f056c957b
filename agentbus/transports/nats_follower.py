"""Follows a stream by push consumers that are thrown away and made anew, each where the one before had got to.

Invariants: what the receiver is told has growing sequences; a consumer's own numbers have no gap, or it is replaced; so
is one that has not been heard for two heartbeats, whose link was lost, or that the server ended. Nothing that comes for
a replaced consumer is looked at.

Reference: NATS ADR-17 (ordered consumers), ADR-9 (heartbeats and flow control).
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from typing import Any

from ..errors import AgentBusError, NotConnected, StorageFailed
from ..transport import Headers, StoredMessage, Subscription
from .nats_consumer import HEARTBEAT_S, LONGEST_PAUSE_S, REPAIR_S, TICK_S
from .nats_inbox import Wire
from .nats_jetstream import STREAM_MISSING, ApiError, JetStream, nanoseconds
from .stored import own_headers

FORGOTTEN_S = 10.0
"""Seconds after which the server drops a consumer that nobody listens to."""


class NatsFollowing:
    """A running follower. See `agentbus.transport.Consumption`."""

    __slots__ = (
        "_arrived",
        "_begun",
        "_due",
        "_ended",
        "_expected",
        "_filters",
        "_heard_at",
        "_inbox",
        "_interest",
        "_loop",
        "_name",
        "_receiver",
        "_renewing",
        "_rng",
        "_stopped",
        "_stream",
        "_timer",
        "_wire",
        "stream",
    )

    def __init__(
        self,
        jetstream: JetStream,
        stream: str,
        filters: tuple[str, ...],
        receiver: Callable[[StoredMessage], None],
        after: int | None,
        *,
        number: int,
        rng: random.Random,
        ended: Callable[[NatsFollowing], object],
    ) -> None:
        self.stream = stream
        self._stream = jetstream
        self._wire: Wire = jetstream.wire
        self._filters = filters
        self._receiver = receiver
        self._arrived = after
        self._rng = rng
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._begun = False
        self._stopped = False
        self._expected = 1
        self._heard_at = 0.0
        self._name = ""
        self._inbox = f"{self._wire.inbox}.f{number}"
        self._interest: Subscription | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._due = self._loop.time() + TICK_S
        self._timer = self._loop.call_at(self._due, self._tick)

    async def begin(self, deadline: float) -> None:
        """Makes the first consumer. Raises `StorageFailed`, `NotConnected`."""
        try:
            await self._renew(deadline)
        except ApiError as error:
            if error.number != STREAM_MISSING or not await self._stream.make_again(self.stream, deadline):
                raise
            await self._renew(deadline)
        self._begun = True

    def resume(self) -> None:
        """There is a new link: goes on with a new consumer."""
        if self._begun:
            self._replace("a new link")

    def stop(self) -> None:
        """See `Consumption.stop`."""
        if self._stopped:
            return
        self._stopped = True
        self._timer.cancel()
        self._leave()
        if self._renewing is not None:
            self._renewing.cancel()
        self._ended(self)

    async def finish(self) -> None:
        """Stops, and waits for the task that makes a consumer to end."""
        self.stop()
        if self._renewing is not None:
            await asyncio.wait((self._renewing,), timeout=1.0)

    # receiving

    def _receive(self, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        self._heard_at = self._loop.time()
        if headers is not None and "Status" in headers and subject.startswith(self._inbox):
            self._status(headers, reply)
            return
        sequence, number, time_s = _place(reply)
        if number != self._expected:
            self._replace(f"message {number} of the consumer came in place of {self._expected}")
            return
        self._expected += 1
        if self._arrived is not None and sequence <= self._arrived:
            return
        self._arrived = sequence
        self._receiver(
            StoredMessage(subject=subject, body=body, headers=own_headers(headers), sequence=sequence, time_s=time_s)
        )

    def _status(self, headers: Headers, reply: str) -> None:
        if headers["Status"] != "100":
            self._replace(f"{headers['Status']} {headers.get('Description', '')}".strip())
            return
        if answer := reply or headers.get("Nats-Consumer-Stalled", ""):
            self._wire.settle(answer, b"")
        last = headers.get("Nats-Last-Consumer", "")
        if last.isdigit() and int(last) != self._expected - 1:
            self._replace(f"{int(last) - self._expected + 1} messages were lost")

    def _tick(self) -> None:
        now = self._loop.time()
        late = now - self._due
        self._due = now + TICK_S
        self._timer = self._loop.call_at(self._due, self._tick)
        if not self._begun or self._renewing is not None or not self._wire.connected:
            return
        if late < TICK_S / 2 and now - self._heard_at > 2 * HEARTBEAT_S:
            self._replace("two heartbeats missed")

    # consumers

    def _replace(self, why: str) -> None:
        """Makes another consumer, in a task of its own."""
        if self._stopped:
            return
        self._leave()
        if self._renewing is None:
            self._wire.note("follower", f"following {self.stream!r} was interrupted: {why}")
            self._renewing = self._loop.create_task(self._renewed(), name=f"nats-follower:{self.stream}")

    async def _renewed(self) -> None:
        pause = 0.1
        while True:
            try:
                await self._renew(self._loop.time() + REPAIR_S)
                break
            except NotConnected:
                pass
            except Exception as error:
                self._wire.note("follower", f"{error}", error=error)
            await asyncio.sleep(self._rng.uniform(0.0, pause))
            pause = min(2 * pause, LONGEST_PAUSE_S)
        self._renewing = None

    async def _renew(self, deadline: float) -> None:
        """Listens on a fresh subject and makes a consumer that delivers to it."""
        self._leave()
        self._name = secrets.token_hex(8)
        inbox = f"{self._inbox}.{self._name}"
        self._expected = 1
        self._heard_at = self._loop.time()
        self._interest = self._wire.subscribe(inbox, self._receive)
        what = f"stream {self.stream!r} could not be followed"
        request = {"stream_name": self.stream, "config": self._configuration(inbox), "action": "create"}
        await self._stream.api(f"CONSUMER.CREATE.{self.stream}.{self._name}", request, what, deadline)
        if not self._listening:
            raise StorageFailed(f"{what}: interrupted, try again")
        if self._arrived is None:
            self._arrived = 0  # what comes next must not be skipped if this consumer is lost before it brings it

    def _configuration(self, inbox: str) -> dict[str, Any]:
        beginning: dict[str, Any] = (
            {"deliver_policy": "last_per_subject"}
            if self._arrived is None
            else {"deliver_policy": "by_start_sequence", "opt_start_seq": self._arrived + 1}
        )
        return {
            **beginning,
            "name": self._name,
            "deliver_subject": inbox,
            "filter_subjects": list(self._filters),
            "ack_policy": "none",
            "max_deliver": 1,
            "replay_policy": "instant",
            "flow_control": True,
            "idle_heartbeat": nanoseconds(HEARTBEAT_S),
            "inactive_threshold": nanoseconds(FORGOTTEN_S),
            "mem_storage": True,
            "num_replicas": 1,
        }

    @property
    def _listening(self) -> bool:
        """False once the consumer being made has been given up."""
        return self._interest is not None

    def _leave(self) -> None:
        """Ends the consumer there is, here at once and at the server when it hears of it, or by itself soon."""
        if self._interest is None:
            return
        self._interest.unsubscribe()
        self._interest = None
        if self._wire.connected and self._wire.makes_streams:
            try:
                self._wire.send(f"$JS.API.CONSUMER.DELETE.{self.stream}.{self._name}", b"")
            except AgentBusError:
                return  # the server forgets it by itself


def _place(reply: str) -> tuple[int, int, float]:
    """The sequence in the stream, the number in the consumer and the time that an acknowledgement subject tells. See
    `nats_consumer.acknowledgement`."""
    tokens = reply.split(".")
    at = 5 if len(tokens) < 11 else 7
    return int(tokens[at]), int(tokens[at + 1]), int(tokens[at + 2]) / 1e9
