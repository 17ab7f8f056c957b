"""The worker of an `@rpc`: every request is answered, and its handler ends when its requester stops waiting."""

from __future__ import annotations

import asyncio

from .behaviors import RpcSpec
from .context import Context
from .errors import AgentBusError, Busy, HandlerFailed
from .inbound import Inbound
from .messages import full_name
from .middleware import Handler
from .worker import SLICE_S, Host, Worker, answer


class _Running:
    """A request in its handler, until its requester's deadline."""

    __slots__ = ("expired", "task")

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.expired = False

    def expire(self) -> None:
        self.expired = True
        self.task.cancel()


class RequestWorker(Worker):
    """Runs an `@rpc`."""

    __slots__ = ("reply_type",)

    def __init__(self, host: Host, spec: RpcSpec, handler: Handler) -> None:
        super().__init__(host, spec, handler)
        self.reply_type = spec.reply

    async def _run(self) -> None:
        loop = self.host.port.bus.loop
        start = loop.time()
        while self.mailbox.size and self.host.running:
            inbound, index = self.mailbox.take()
            began = loop.time()
            try:
                await self._until_deadline(inbound, index, began)
            except asyncio.CancelledError:
                stopped = HandlerFailed("the agent was stopped meanwhile", error_type="Cancelled")
                answer(self.host, inbound, index, stopped)
                raise
            finally:
                now = loop.time()
                self.counters.busy_s += now - began
            if now - start > SLICE_S:
                await asyncio.sleep(0)
                start = loop.time()

    async def _until_deadline(self, inbound: Inbound, index: int, now: float) -> None:
        deadlines = inbound.frame.deadlines_ms
        if not deadlines or not deadlines[index]:
            await self._answer(inbound, index)
            return
        deadline = inbound.received_s + deadlines[index] / 1000
        if now >= deadline:
            self.counters.expired += 1
            return
        running = _Running()
        bucket = self.host.port.bus.deadlines.add(running, deadline)
        try:
            await self._answer(inbound, index)
        except asyncio.CancelledError:
            if not running.expired or running.task.uncancel() > 0:
                raise
            self.counters.expired += 1
        finally:
            bucket.pop(running, None)

    async def _answer(self, inbound: Inbound, index: int) -> None:
        counters = self.counters
        try:
            message = self.parse(inbound, index)
        except AgentBusError as error:
            answer(self.host, inbound, index, error)
            return
        try:
            reply = await self.handler(message, Context(self.host, inbound, index))
            if not isinstance(reply, self.reply_type):
                raise TypeError(
                    f"{self.spec.name} returned a {type(reply).__name__}, not a {full_name(self.reply_type)}"
                )
        except AgentBusError as error:
            counters.refused += 1
            answer(self.host, inbound, index, error)
            self.failed(error)
        except Exception as error:
            counters.failed += 1
            answer(self.host, inbound, index, error)
            self.failed(error)
        else:
            counters.handled += 1
            answer(self.host, inbound, index, reply)

    def reject(self, inbound: Inbound, places: range, why: str) -> None:
        super().reject(inbound, places, why)
        for index in places:
            answer(self.host, inbound, index, Busy(f"{self.host.name}.{self.spec.name}: {why}"))
