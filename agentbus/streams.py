"""The realm's two streams of durable events: what was published, and the dead letters.

Both are made when they are first needed. Their names follow the realm's; their subjects are ``{realm}.log.>`` and
``{realm}.dead.>``.
"""

from __future__ import annotations

import asyncio

from .errors import PayloadTooLarge
from .inbound import Inbound
from .messages import said
from .subjects import Subjects
from .transport import StreamLimits, StreamSpec, Transport

DEAD_REASON = "Agentbus-Dead-Reason"
DEAD_BEHAVIOR = "Agentbus-Dead-Behavior"
DEAD_ATTEMPTS = "Agentbus-Dead-Attempts"
DEAD_SEQUENCE = "Agentbus-Dead-Sequence"
DEAD_BODY = "Agentbus-Dead-Body"
"""Set when the event was too large to travel with the reason: it stands in the log, at its sequence."""


class DurableStreams:
    """The durable side of one realm, as one node sees it.

    Args:
        transport: the wire.
        subjects: the realm's.
        limits: of each of the two streams.
    """

    def __init__(self, transport: Transport, subjects: Subjects, limits: StreamLimits) -> None:
        self._transport = transport
        self._subjects = subjects
        self._limits = limits
        self._lock = asyncio.Lock()
        self._ready = False
        self.log = f"agentbus_{subjects.realm}_log"
        self.dead = f"agentbus_{subjects.realm}_dead"

    @property
    def ready(self) -> bool:
        """Whether the streams are known to be there."""
        return self._ready

    async def ensure(self) -> None:
        """Makes the streams unless they are known to be there. Raises `StorageFailed`, `NotConnected`."""
        if self._ready:
            return
        async with self._lock:
            if self._ready:
                return
            realm = self._subjects.realm
            for name, subject in ((self.log, f"{realm}.log.>"), (self.dead, f"{realm}.dead.>")):
                await self._transport.ensure_stream(StreamSpec(name=name, subjects=(subject,), limits=self._limits))
            self._ready = True

    async def bury(self, inbound: Inbound, agent: str, behavior: str, error: BaseException) -> None:
        """Stores a durable event among the dead letters, as it came, with the reason in its headers; then discards
        its job. Raises `StorageFailed`, `NotConnected`."""
        job = inbound.job
        assert job is not None
        # A header of NATS's own would be an order to the second stream: an id of its own, an expected sequence.
        headers = {name: value for name, value in (job.headers or {}).items() if not name.lower().startswith("nats-")}
        headers[DEAD_REASON] = " ".join(f"{type(error).__name__}: {said(error)}".split())[:400]
        headers[DEAD_BEHAVIOR] = f"{agent}.{behavior}"
        headers[DEAD_ATTEMPTS] = str(job.attempt)
        headers[DEAD_SEQUENCE] = str(job.sequence)
        identity = f"dead:{agent}.{behavior}:{job.sequence}"
        subject = self._subjects.dead(job.subject)
        try:
            await self._transport.store(subject, job.body, message_id=identity, headers=headers)
        except PayloadTooLarge:
            # The event alone filled a message: the letter says where it stands in the log.
            short = {name: value for name, value in headers.items() if name.startswith("Agentbus-Dead-")}
            await self._transport.store(subject, b"", message_id=identity, headers={**short, DEAD_BODY: "in the log"})
        job.discard()
