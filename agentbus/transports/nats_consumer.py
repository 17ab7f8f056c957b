"""Consumes a stream by a durable pull consumer that stays consumed: across reconnects, leaders and deletion.

Invariants: jobs delivered and not settled, plus jobs asked for, never exceed `max_in_flight` (a job older than
``ack_wait_s`` is the server's again, and not counted); while anything is asked for, the server is heard every
heartbeat, or it is asked anew through a subject of its own, so that nothing asked for earlier arrives beside it; what
arrives after `stop` is handed back to the server at once.

Reference: NATS ADR-9 (heartbeats), ADR-13 (pull consumers), ADR-15 (acknowledgement subjects).
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

from ..errors import AgentBusError, NotConnected, StorageFailed
from ..transport import ConsumerSpec, Headers, Job, Subscription
from .nats_inbox import Wire
from .nats_jetstream import CONSUMER_EXISTS, STREAM_MISSING, ApiError, JetStream, nanoseconds

HEARTBEAT_S = 2.0
TICK_S = 1.0
"""Seconds between two looks at what is missing or too old."""
EXPIRES_S = 20.0
"""Seconds after which a request for jobs ends and is made anew."""
REPAIR_S = 5.0
"""Seconds that one attempt to make the consumer again may take."""
LONGEST_PAUSE_S = 2.0

_ACK, _NAK, _TERM, _PROGRESS = b"+ACK", b"-NAK", b"+TERM", b"+WPI"


class NatsJob:
    """One delivery. See `agentbus.transport.Job`."""

    __slots__ = ("_owner", "_reply", "_settled", "body", "headers", "subject")

    def __init__(self, owner: NatsConsumption, subject: str, body: bytes, headers: Headers | None, reply: str) -> None:
        self.subject = subject
        self.body = body
        self.headers = headers
        self._reply = reply
        self._owner = owner
        self._settled = False

    @property
    def sequence(self) -> int:
        return acknowledgement(self._reply)[0]

    @property
    def attempt(self) -> int:
        return acknowledgement(self._reply)[1]

    def ack(self) -> None:
        self._settle(_ACK)

    def retry(self, delay_s: float = 0.0) -> None:
        self._settle(b'-NAK {"delay": %d}' % nanoseconds(delay_s) if delay_s > 0 else _NAK)

    def discard(self) -> None:
        self._settle(_TERM)

    def progress(self) -> None:
        if not self._settled:
            self._owner.prolong(self, self._reply)

    def _settle(self, word: bytes) -> None:
        if not self._settled:
            self._settled = True
            self._owner.settle(self, self._reply, word)


def acknowledgement(reply: str) -> tuple[int, int]:
    """The sequence number in the stream and the attempt that an acknowledgement subject tells.

    ``$JS.ACK.stream.consumer.attempt.sequence...`` has 9 tokens; with a domain and an account's hash after ``ACK``,
    and perhaps a random token at the end, it has 11 or more.
    """
    tokens = reply.split(".")
    at = 4 if len(tokens) < 11 else 6
    return int(tokens[at + 1]), int(tokens[at])


class NatsConsumption:
    """A running consumer. See `agentbus.transport.Consumption`."""

    __slots__ = (
        "_asked",
        "_begun",
        "_due",
        "_ended",
        "_generation",
        "_heard_at",
        "_inbox",
        "_interest",
        "_loop",
        "_pull_soon",
        "_pulls",
        "_receiver",
        "_repairing",
        "_rng",
        "_stopped",
        "_stream",
        "_timer",
        "_unsettled",
        "_wire",
        "spec",
    )

    def __init__(
        self,
        stream: JetStream,
        spec: ConsumerSpec,
        receiver: Callable[[Job], None],
        *,
        number: int,
        rng: random.Random,
        ended: Callable[[NatsConsumption], object],
    ) -> None:
        self.spec = spec
        self._stream = stream
        self._wire: Wire = stream.wire
        self._receiver = receiver
        self._rng = rng
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._begun = False
        self._stopped = False
        self._pull_soon = False
        self._unsettled: dict[NatsJob, float] = {}
        self._asked = 0
        self._heard_at = 0.0
        self._generation = 0
        self._pulls = 0
        self._inbox = f"{self._wire.inbox}.c{number}"
        self._interest: Subscription | None = None
        self._repairing: asyncio.Task[None] | None = None
        self._due = self._loop.time() + TICK_S
        self._timer = self._loop.call_at(self._due, self._tick)

    async def ensure(self, deadline: float) -> None:
        """Makes the consumer, or checks the one that is there. Raises `StorageFailed`, `NotConnected`."""
        spec = self.spec
        call = f"{spec.stream}.{spec.name}"
        what = f"consumer {spec.name!r} of stream {spec.stream!r} could not be made"
        wanted = _configuration(spec)
        request = {"stream_name": spec.stream, "config": wanted, "action": "create"}
        try:
            await self._stream.api(f"CONSUMER.CREATE.{call}", request, what, deadline)
            return
        except ApiError as error:
            if error.number == STREAM_MISSING:
                if not await self._stream.make_again(spec.stream, deadline):
                    raise StorageFailed(f"{what}: no such stream; make it with ensure_stream first") from None
                await self._stream.api(f"CONSUMER.CREATE.{call}", request, what, deadline)
                return
            if error.number not in CONSUMER_EXISTS:
                raise
        found = (await self._stream.api(f"CONSUMER.INFO.{call}", {}, what, deadline))["config"]
        filters = found.get("filter_subjects") or [found[key] for key in ("filter_subject",) if found.get(key)]
        if set(filters) != set(spec.filters):
            raise StorageFailed(
                f"consumer {spec.name!r} of stream {spec.stream!r} hears {sorted(filters)}, "
                f"not {sorted(spec.filters)}: use another name, or delete it if its position may be lost"
            )
        request = {"stream_name": spec.stream, "config": {**found, **wanted}, "action": "update"}
        if request["config"] != found:
            await self._stream.api(f"CONSUMER.CREATE.{call}", request, what, deadline)

    # pulling

    def begin(self) -> None:
        """Begins to ask for jobs."""
        self._begun = True
        self.resume()

    def resume(self) -> None:
        """Begins anew: a fresh subject, nothing asked for, then asks. Nothing before `begin`."""
        if self._stopped or not self._begun:
            return
        self._retire()
        self._generation += 1
        self._interest = self._wire.subscribe(f"{self._inbox}.{self._generation}.*", self._receive)
        self._asked = 0
        self._heard_at = self._loop.time()
        self._pull()

    def _pull(self) -> None:
        most = self.spec.max_in_flight
        credit = most - len(self._unsettled) - self._asked
        if credit <= 0 or (self._asked and credit * 2 < most):
            return
        if self._stopped or not self._begun or self._repairing is not None or not self._wire.connected:
            return
        self._pulls += 1
        request = {
            "batch": credit,
            "expires": nanoseconds(EXPIRES_S),
            "idle_heartbeat": nanoseconds(HEARTBEAT_S),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.spec.stream}.{self.spec.name}"
        try:
            self._wire.send(subject, json.dumps(request).encode(), f"{self._inbox}.{self._generation}.{self._pulls}")
        except AgentBusError:
            return  # no link: `resume` comes with the next one
        if not self._asked:
            self._heard_at = self._loop.time()
        self._asked += credit

    def _receive(self, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        self._heard_at = self._loop.time()
        if headers is not None and "Status" in headers and subject.startswith(self._inbox):
            self._status(headers)
            return
        self._asked = max(0, self._asked - 1)
        job = NatsJob(self, subject, body, headers, reply)
        self._unsettled[job] = self._heard_at + self.spec.ack_wait_s
        try:
            self._receiver(job)
        finally:
            self._pull()

    def _status(self, headers: Headers) -> None:
        status, text = headers["Status"], headers.get("Description", "")
        if status == "100":
            return
        if status in ("404", "408"):
            rest = headers.get("Nats-Pending-Messages", "")
            self._asked = max(0, self._asked - int(rest)) if rest.isdigit() else 0
            self._pull()
        else:
            self._repair(f"{status} {text}".strip())

    def _tick(self) -> None:
        now = self._loop.time()
        late = now - self._due
        self._due = now + TICK_S
        self._timer = self._loop.call_at(self._due, self._tick)
        while self._unsettled:
            job, until = next(iter(self._unsettled.items()))
            if until > now:
                break
            del self._unsettled[job]
        if self._asked and late < TICK_S / 2 and now - self._heard_at > 2 * HEARTBEAT_S and self._wire.connected:
            self._wire.note("heartbeats_missed", f"consumer {self.spec.name!r}: two heartbeats missed; asking anew")
            self.resume()
        else:
            self._pull()

    # repairing

    def _repair(self, why: str) -> None:
        """Makes sure of the consumer, in a task of its own, then begins anew."""
        if self._stopped or self._repairing is not None:
            return
        self._asked = 0
        self._wire.note("consumer", f"consumer {self.spec.name!r} of {self.spec.stream!r} was interrupted: {why}")
        name = f"nats-consumer:{self.spec.name}"
        self._repairing = self._loop.create_task(self._repaired(why), name=name)

    async def _repaired(self, why: str) -> None:
        pause = 0.1
        while True:
            await asyncio.sleep(self._rng.uniform(0.0, pause))
            pause = min(2 * pause, LONGEST_PAUSE_S)
            try:
                await self.ensure(self._loop.time() + REPAIR_S)
                break
            except NotConnected:
                continue
            except Exception as error:
                self._wire.note("consumer", f"{error} (after: {why})", error=error)
        self._repairing = None
        self.resume()

    # settling

    def settle(self, job: NatsJob, reply: str, word: bytes) -> None:
        """Tells the server what became of a job."""
        self._unsettled.pop(job, None)
        self._wire.settle(reply, word)
        if not self._pull_soon:
            self._pull_soon = True
            self._loop.call_soon(self._pull_after_turn)

    def _pull_after_turn(self) -> None:
        """One request for all that was settled within a turn of the loop."""
        self._pull_soon = False
        self._pull()

    def prolong(self, job: NatsJob, reply: str) -> None:
        """Starts the job's ``ack_wait_s`` anew."""
        self._wire.settle(reply, _PROGRESS)
        self._unsettled.pop(job, None)
        self._unsettled[job] = self._loop.time() + self.spec.ack_wait_s

    # the end

    def stop(self) -> None:
        """See `Consumption.stop`."""
        if self._stopped:
            return
        self._stopped = True
        self._timer.cancel()
        self._retire()
        if self._repairing is not None:
            self._repairing.cancel()
        self._ended(self)

    async def finish(self) -> None:
        """Stops, and waits for the task of a repair to end."""
        self.stop()
        if self._repairing is not None:
            await asyncio.wait((self._repairing,), timeout=1.0)

    def _retire(self) -> None:
        if self._interest is not None:
            self._wire.retire(self._interest, self._refuse)
            self._interest = None

    def _refuse(self, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        """Hands back what was under way when the interest in it ended, so that another member gets it at once."""
        if not subject.startswith(self._inbox):
            self._wire.settle(reply, _NAK)


def _configuration(spec: ConsumerSpec) -> dict[str, Any]:
    return {
        "durable_name": spec.name,
        "name": spec.name,
        "deliver_policy": "all",
        "replay_policy": "instant",
        "ack_policy": "explicit",
        "ack_wait": nanoseconds(spec.ack_wait_s),
        "max_deliver": -1,
        "max_ack_pending": -1,
        "filter_subjects": list(spec.filters),
    }
