"""The worker of a durable `@on`: at least once, acknowledged after the handler returns.

A job is settled in one of three ways: acknowledged; tried again after a backoff; or, when every attempt has failed
or its bytes can never be parsed, kept with the dead letters. A process that dies settles nothing: its jobs are
delivered again. While a job waits or runs here the stream is told so, that it is given to nobody else.
"""

from __future__ import annotations

import asyncio

from .context import Context
from .errors import AgentBusError, HandlerFailed, SchemaMismatch, StorageFailed, Unauthorized
from .inbound import Inbound
from .middleware import Handler
from .specs import OnSpec
from .worker import SLICE_S, Host, Worker, failure_of

MAX_IN_FLIGHT = 256
"""Jobs a worker holds at most, waiting or running, when its mailbox allows more."""
TRANSFER_S = 5.0
"""Seconds within which a dead letter must have been stored."""


class DurableWorker(Worker):
    """Runs a durable `@on`."""

    __slots__ = ("_held", "_watching", "on_spec")

    def __init__(self, host: Host, spec: OnSpec, handler: Handler) -> None:
        super().__init__(host, spec, handler)
        self.on_spec = spec
        self._held: dict[Inbound, None] = {}
        self._watching = False

    @property
    def max_in_flight(self) -> int:
        """Jobs to pull at most."""
        return min(MAX_IN_FLIGHT, self.spec.mailbox)

    def offer(self, inbound: Inbound) -> None:
        if not self._watching:
            self._watch()
        self._held[inbound] = None
        super().offer(inbound)

    def refuse_unsigned(self, inbound: Inbound) -> None:
        self._held.pop(inbound, None)
        self.counters.refused += 1
        self.give_up_unread(inbound, Unauthorized(f"{self.host.name}.{self.spec.name} takes only what is signed"))

    def expire(self) -> None:
        """Tells the stream that what is held is being worked on; called by the node's deadlines."""
        self._watching = False
        for inbound in self._held:
            if inbound.job is not None:
                inbound.job.progress()
        if self._held:
            self._watch()

    def _watch(self) -> None:
        self._watching = True
        bus = self.host.port.bus
        bus.deadlines.add(self, bus.loop.time() + self.on_spec.ack_wait_s / 3)

    def reject(self, inbound: Inbound, places: range, why: str) -> None:
        super().reject(inbound, places, why)
        self._retry(inbound, 0.0)

    async def _run(self) -> None:
        loop = self.host.port.bus.loop
        start = loop.time()
        while self.mailbox.size and self.host.running:
            inbound, _ = self.mailbox.take()
            began = loop.time()
            try:
                await self._attempt(inbound)
            finally:
                self._held.pop(inbound, None)
                self.counters.busy_s += loop.time() - began
            if loop.time() - start > SLICE_S:
                await asyncio.sleep(0)
                start = loop.time()

    async def _attempt(self, inbound: Inbound) -> None:
        job = inbound.job
        assert job is not None
        spec = self.on_spec
        if job.attempt > spec.max_deliver:
            died = HandlerFailed("no attempt came to an end: its process died, or was cut off", error_type="Lost")
            await self._give_up(inbound, died)
            return
        try:
            message = self.parse(inbound, 0)
        except SchemaMismatch as error:
            await self._give_up(inbound, error)
            return
        try:
            await self.handler(message, Context(self.host, inbound, 0, spec.max_deliver))
        except BaseException as raised:
            error = failure_of(raised)
            if error is None:
                self.counters.dropped += 1
                self._retry(inbound, 0.0)
                raise
            await self._failed(inbound, error)
        else:
            job.ack()
            self.counters.handled += 1

    async def _failed(self, inbound: Inbound, error: Exception) -> None:
        """The handler raised: it is tried again, later, or kept with the dead letters."""
        job, spec = inbound.job, self.on_spec
        assert job is not None
        if isinstance(error, AgentBusError):
            self.counters.refused += 1
        else:
            self.counters.failed += 1
        if job.attempt >= spec.max_deliver:
            await self._give_up(inbound, error)
        else:
            self._retry(inbound, spec.backoff.delay_s(job.attempt))
        self.failed(error)

    def give_up_unread(self, inbound: Inbound, error: Exception) -> None:
        """Keeps what can't be read, and so never comes to a handler, with the dead letters."""
        self.counters.received += 1
        self.malformed()
        task = self.host.port.bus.loop.create_task(self._give_up(inbound, error), name=f"{self.spec.name}: unread")
        self.keep(task)

    async def _give_up(self, inbound: Inbound, error: Exception) -> None:
        """Keeps it with the dead letters; what can't be stored there now is tried again, later."""
        try:
            async with asyncio.timeout(TRANSFER_S):
                await self.host.dead_letter(inbound, self.spec.name, error)
        except asyncio.CancelledError:
            self._retry(inbound, 0.0)
            raise
        except (AgentBusError, TimeoutError) as failure:
            self._retry(inbound, self.on_spec.backoff.max_s)
            text = f"a dead letter was not stored: {type(failure).__name__}: {failure}"
            self.host.failed(self.spec.name, StorageFailed(text))
        else:
            self.counters.dead_lettered += 1

    def _retry(self, inbound: Inbound, delay_s: float) -> None:
        self._held.pop(inbound, None)
        if inbound.job is not None:
            inbound.job.retry(delay_s)
