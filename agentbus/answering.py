"""The worker of an `@rpc`: every request is answered, and its handler ends when its requester stops waiting."""

from __future__ import annotations

import asyncio

from .context import Context
from .errors import AgentBusError, Busy, HandlerFailed
from .inbound import Inbound
from .limits import Bucket
from .messages import full_name
from .middleware import Handler
from .specs import RpcSpec
from .worker import SLICE_S, Host, Worker, answer, failure_of


class _Alarm:
    """Cancels a task when the deadline of the request in its handler passes."""

    __slots__ = ("rang", "task")

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.rang = False

    def expire(self) -> None:
        self.rang = True
        self.task.cancel()

    def reset(self) -> bool:
        """Takes the cancellation back, if it rang; returns whether it did."""
        if not self.rang:
            return False
        self.rang = False
        self.task.uncancel()
        return True


def _stopped() -> HandlerFailed:
    return HandlerFailed("the agent was stopped meanwhile", error_type="Cancelled")


class RequestWorker(Worker):
    """Runs an `@rpc`."""

    __slots__ = ("reply_type",)

    def __init__(self, host: Host, spec: RpcSpec, handler: Handler) -> None:
        super().__init__(host, spec, handler)
        self.reply_type = spec.reply

    async def _run(self) -> None:
        host, counters = self.host, self.counters
        bus = host.port.bus
        time = bus.loop.time
        alarm = _Alarm()
        start = now = time()
        while self.mailbox.size and host.running:
            inbound, index = self.mailbox.take()
            began = now
            frame = inbound.frame
            deadlines = frame.deadlines_ms
            deadline = inbound.received_s + deadlines[index] / 1000 if deadlines and deadlines[index] else None
            late = deadline is not None and now >= deadline
            engagement = inbound.engagement
            if engagement is not None:
                late = not engagement.begin(alarm.expire, late=late)
            if late:
                counters.expired += 1
                continue
            bucket = bus.deadlines.add(alarm, deadline) if deadline is not None else None
            message = None
            try:
                message = self.parse(inbound, index)
                reply = await self.handler(message, Context(host, inbound, index))
                if not isinstance(reply, self.reply_type):
                    raise self._wrong_type(reply)
            except BaseException as raised:
                if self._broke_off(inbound, index, raised, alarm, parsed=message is not None):
                    raise
            else:
                counters.handled += 1
                if inbound.foreign:
                    answer(host, inbound, index, reply)
                elif inbound.reply:
                    host.port.reply(inbound.inbox, frame.sequence + index, reply, frame.hops + 1)
            finally:
                if bucket is not None:
                    bucket.pop(alarm, None)
                if engagement is not None:
                    engagement.end()
                now = time()
                counters.busy_s += now - began
            alarm.reset()  # the handler went on all the same; what became of it is counted
            if now - start > SLICE_S:
                await asyncio.sleep(0)
                start = now = time()

    def _broke_off(self, inbound: Inbound, index: int, raised: BaseException, alarm: _Alarm, *, parsed: bool) -> bool:
        """What becomes of a request whose handler raised. Returns whether the worker ends with it."""
        rang = alarm.reset()
        error = None if rang and isinstance(raised, asyncio.CancelledError) else failure_of(raised)
        if error is not None:
            self._answer_error(inbound, index, error, parsed=parsed)
        elif rang and not alarm.task.cancelling():
            self.counters.expired += 1
        else:
            answer(self.host, inbound, index, _stopped())
            self.counters.dropped += 1
            return True
        return False

    def _answer_error(self, inbound: Inbound, index: int, error: Exception, *, parsed: bool) -> None:
        answer(self.host, inbound, index, error)
        if not parsed:
            return  # what can't be parsed is counted as malformed, and nobody's failure here
        if isinstance(error, AgentBusError):
            self.counters.refused += 1
        else:
            self.counters.failed += 1
        self.failed(error)

    def _wrong_type(self, reply: object) -> TypeError:
        return TypeError(f"{self.spec.name} returned a {type(reply).__name__}, not a {full_name(self.reply_type)}")

    def limited(self, inbound: Inbound, places: range, bucket: Bucket) -> None:
        super().limited(inbound, places, bucket)
        told = bucket.answers(len(places))
        for index in places[:told] if told else ():
            text = f"more than {bucket.rate.per_s:g} a second from one sender: try again in {bucket.retry_s():.3g} s"
            answer(self.host, inbound, index, Busy(f"{self.host.name}.{self.spec.name}: {text}"))

    def reject(self, inbound: Inbound, places: range, why: str) -> None:
        super().reject(inbound, places, why)
        if inbound.engagement is not None:
            inbound.engagement.end()
        for index in places:
            answer(self.host, inbound, index, Busy(f"{self.host.name}.{self.spec.name}: {why}"))
