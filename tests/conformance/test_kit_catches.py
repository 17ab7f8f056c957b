"""The kit catches broken transports: for each check there is one here that breaks its promise, and fails that check."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from agentbus.errors import AgentBusError, PayloadTooLarge, StorageFailed, SubjectError
from agentbus.testing.conformance import CHECKS, OUTAGE_CHECKS, Check
from agentbus.transport import ConsumerSpec, Headers, Job, Receiver, Stored, StoredMessage, StreamSpec, Write
from agentbus.transports.memory import MemoryBroker, MemoryTransport
from agentbus.transports.memory_link import header_bytes
from tests.virtual_loop import run_virtually


class Nothing:
    """Stands in for a subscription or a consumption."""

    def unsubscribe(self) -> None: ...

    def drain(self) -> None: ...

    def stop(self) -> None: ...


class Broken(MemoryTransport):
    """A transport whose receivers and jobs can be tampered with."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.sent = 0

    def received(self, receiver: Receiver, *message: Any) -> None:
        receiver(*message)

    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Any:
        return super().subscribe(subject, lambda *message: self.received(receiver, *message), queue)

    def job(self, job: Job) -> Job:
        return job

    async def consume(self, spec: ConsumerSpec, receiver: Callable[[Job], None], *, timeout_s: float = 5.0) -> Any:
        return await super().consume(spec, lambda job: receiver(self.job(job)), timeout_s=timeout_s)


class TamperedJob:
    """A job some of whose attributes are replaced."""

    def __init__(self, job: Job, **replaced: Any) -> None:
        self._job = job
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)


class StarIsTail(Broken):
    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Any:
        return super().subscribe(f"{subject[:-1]}>" if subject.endswith("*") else subject, receiver, queue)


class Duplicates(Broken):
    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None:
        super().send(subject, body, reply, headers)
        super().send(subject, body, reply, headers)


class IgnoresQueueGroups(Broken):
    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Any:
        return super().subscribe(subject, receiver)


class GroupPerPattern(Broken):
    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Any:
        return super().subscribe(subject, receiver, f"{queue}-{ord(subject[-1])}" if queue else "")


class KeepsMembersThatLeft(Broken):
    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Any:
        active = True

        def received(*message: Any) -> None:
            if active:
                receiver(*message)

        class Left(Nothing):
            def unsubscribe(self) -> None:
                nonlocal active
                active = False

        super().subscribe(subject, received, queue)
        return Left()


class DrainsDeaf(Broken):
    """Keeps the broker's interest and drops what comes."""

    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Any:
        active = True

        def received(*message: Any) -> None:
            if active:
                receiver(*message)

        class Deaf(Nothing):
            def drain(self) -> None:
                nonlocal active
                active = False

        super().subscribe(subject, received, queue)
        return Deaf()


class SwallowsNoResponders(Broken):
    def received(self, receiver: Receiver, *message: Any) -> None:
        if message[3] != {"Status": "503"}:
            receiver(*message)


class AlwaysNoResponders(Broken):
    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None:
        super().send(subject, body, reply, headers)
        if reply:
            super().send(reply, b"", "", {"Status": "503"})


class LosesReply(Broken):
    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None:
        super().send(subject, body, "", headers)


class LosesOrder(Broken):
    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None:
        self.sent += 1
        if self.sent % 777:
            super().send(subject, body, reply, headers)
        else:
            asyncio.get_running_loop().call_soon(super().send, subject, body, reply, headers)


class CallsFromSend(Broken):
    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None:
        super().send(subject, body, reply, headers)
        self._exchange._drain()


class EndsWhatRaises(Broken):
    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Any:
        def received(*message: Any) -> None:
            try:
                receiver(*message)
            except RuntimeError:
                subscription.unsubscribe()

        subscription = super().subscribe(subject, received, queue)
        return subscription


class UnsubscribesLater(Broken):
    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Any:
        subscription = super().subscribe(subject, receiver, queue)

        class Later(Nothing):
            def unsubscribe(self) -> None:
                asyncio.get_running_loop().call_soon(subscription.unsubscribe)

        return Later()


class FlushesNothing(Broken):
    async def flush(self, *, timeout_s: float = 5.0) -> None: ...


class AllowsLess(Broken):
    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None:
        if len(body) >= self.max_payload:
            raise PayloadTooLarge(subject)
        super().send(subject, body, reply, headers)


class CountsNoHeaders(Broken):
    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None:
        self._largest += header_bytes(headers or {})
        super().send(subject, body, reply, headers)


class LowersHeaders(Broken):
    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None:
        super().send(subject, body, reply, headers and {name.lower(): value for name, value in headers.items()})


class StripsBodies(Broken):
    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None:
        super().send(subject, body.strip(), reply, headers)


class TakesAnyPattern(Broken):
    def subscribe(self, subject: str, receiver: Receiver, queue: str = "") -> Any:
        try:
            return super().subscribe(subject, receiver, queue)
        except SubjectError:
            return Nothing()


class SilentAfterClose(Broken):
    def send(self, subject: str, body: bytes, reply: str = "", headers: Headers | None = None) -> None:
        if self.connected:
            super().send(subject, body, reply, headers)


class LosesStoredHeaders(Broken):
    def job(self, job: Job) -> Any:
        return TamperedJob(job, headers=None)


class StoresTwice(Broken):
    async def store(self, subject: str, body: bytes, *, message_id: str, **more: Any) -> Stored:
        self.sent += 1
        return await super().store(subject, body, message_id=f"{id(self)}-{self.sent}", **more)


class RemembersForEver(Broken):
    async def ensure_stream(self, spec: StreamSpec, *, timeout_s: float = 5.0) -> None:
        limits = replace(spec.limits, duplicate_window_s=spec.limits.max_age_s)
        await super().ensure_stream(replace(spec, limits=limits), timeout_s=timeout_s)


class StoresNowhere(Broken):
    async def store(self, subject: str, body: bytes, *, message_id: str, **more: Any) -> Stored:
        try:
            return await super().store(subject, body, message_id=message_id, **more)
        except StorageFailed:
            return Stored(stream="nowhere", sequence=1)


class StoresAnySize(Broken):
    async def store(self, subject: str, body: bytes, *, message_id: str, **more: Any) -> Stored:
        return await super().store(subject, body[:1000], message_id=message_id, **more)


class TellsOthersWhatIsStored(Broken):
    async def store(self, subject: str, body: bytes, *, message_id: str, **more: Any) -> Stored:
        self.send(subject.replace(".log.", ".live."), body)
        return await super().store(subject, body, message_id=message_id, **more)


class KeepsFirstLimits(Broken):
    async def ensure_stream(self, spec: StreamSpec, *, timeout_s: float = 5.0) -> None:
        if spec.limits.max_messages < 0:
            await super().ensure_stream(spec, timeout_s=timeout_s)


def without_limit(**changes: Any) -> type[Broken]:
    class NoLimit(Broken):
        async def ensure_stream(self, spec: StreamSpec, *, timeout_s: float = 5.0) -> None:
            await super().ensure_stream(replace(spec, limits=replace(spec.limits, **changes)), timeout_s=timeout_s)

    return NoLimit


def consuming(change: Callable[[ConsumerSpec], dict[str, Any]]) -> type[Broken]:
    class Changed(Broken):
        async def consume(self, spec: ConsumerSpec, receiver: Callable[[Job], None], *, timeout_s: float = 5.0) -> Any:
            return await super().consume(replace(spec, **change(spec)), receiver, timeout_s=timeout_s)

    return Changed


def handing_out(change: Callable[[Job], dict[str, Any]]) -> type[Broken]:
    class Changed(Broken):
        def job(self, job: Job) -> Any:
            return TamperedJob(job, **change(job))

    return Changed


class AcknowledgesWhatRaises(Broken):
    async def consume(self, spec: ConsumerSpec, receiver: Callable[[Job], None], *, timeout_s: float = 5.0) -> Any:
        def received(job: Job) -> None:
            try:
                receiver(job)
            except RuntimeError:
                job.ack()

        return await super().consume(spec, received, timeout_s=timeout_s)


class NeverStops(Broken):
    async def consume(self, spec: ConsumerSpec, receiver: Callable[[Job], None], *, timeout_s: float = 5.0) -> Any:
        await super().consume(spec, receiver, timeout_s=timeout_s)
        return Nothing()


class AcknowledgesAtClose(Broken):
    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.jobs: list[Job] = []

    def job(self, job: Job) -> Job:
        self.jobs.append(job)
        return job

    async def close(self, *, timeout_s: float = 1.0) -> None:
        for job in self.jobs:
            job.ack()
        await super().close(timeout_s=timeout_s)


class BuffersWithoutLink(Broken):
    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.buffer: list[Any] = []

    def send(self, *message: Any) -> None:
        if self.connected:
            super().send(*message)
        else:
            self.buffer.append(message)

    def link_back(self) -> None:
        super().link_back()
        while self.buffer:
            super().send(*self.buffer.pop(0))


class ForgetsSubscriptions(Broken):
    def link_lost(self, reason: str) -> None:
        for interest in list(self._interests):
            interest.unsubscribe()
        super().link_lost(reason)


class StopsConsumingAtOutage(Broken):
    def link_lost(self, reason: str) -> None:
        self._exchange.detach(self._link)
        super().link_lost(reason)


class StoresOnlyWithLink(Broken):
    async def store(self, subject: str, body: bytes, *, message_id: str, **more: Any) -> Stored:
        if not self.connected:
            raise StorageFailed("no link")
        return await super().store(subject, body, message_id=message_id, **more)


class ExpectsNothing(Broken):
    async def store(self, subject: str, body: bytes, *, message_id: str, **more: Any) -> Stored:
        return await super().store(subject, body, message_id=message_id, **{**more, "expected": None})


class ExpectsOfTheSubject(Broken):
    async def store(self, subject: str, body: bytes, *, message_id: str, **more: Any) -> Stored:
        return await super().store(subject, body, message_id=message_id, **{**more, "among": ""})


class LivesForEver(Broken):
    async def store(self, subject: str, body: bytes, *, message_id: str, **more: Any) -> Stored:
        return await super().store(subject, body, message_id=message_id, **{**more, "ttl_s": None})


class StoresInParts(Broken):
    async def store_all(self, writes: Sequence[Write], *, message_id: str, timeout_s: float = 5.0) -> Any:
        return [
            await self.store(
                write.subject,
                write.body,
                message_id=f"{message_id}.{number}",
                headers=write.headers,
                expected=write.expected,
            )
            for number, write in enumerate(writes)
        ]


class ExpectsNothingOfBatches(Broken):
    async def store_all(self, writes: Sequence[Write], *, message_id: str, timeout_s: float = 5.0) -> Any:
        free = [replace(write, expected=None) for write in writes]
        return await super().store_all(free, message_id=message_id, timeout_s=timeout_s)


def with_stream(**changes: Any) -> type[Broken]:
    class OtherStream(Broken):
        async def ensure_stream(self, spec: StreamSpec, *, timeout_s: float = 5.0) -> None:
            await super().ensure_stream(replace(spec, **changes), timeout_s=timeout_s)

    return OtherStream


class ReadsTheFirst(Broken):
    async def last(self, stream: str, subject: str, *, timeout_s: float = 5.0) -> StoredMessage | None:
        return await super().after(stream, subject, 0, timeout_s=timeout_s)


class PurgesAll(Broken):
    async def purge(self, stream: str, subject: str, *, before: int | None = None, timeout_s: float = 5.0) -> int:
        return await super().purge(stream, subject, timeout_s=timeout_s)


def following(change: Callable[[int | None], int | None]) -> type[Broken]:
    class Elsewhere(Broken):
        async def follow(
            self,
            stream: str,
            filters: Sequence[str],
            receiver: Callable[[StoredMessage], None],
            *,
            after: int | None = None,
            timeout_s: float = 5.0,
        ) -> Any:
            return await super().follow(stream, filters, receiver, after=change(after), timeout_s=timeout_s)

    return Elsewhere


class StopsFollowingWhenItRaises(Broken):
    async def follow(self, stream: str, filters: Sequence[str], receiver: Any, **more: Any) -> Any:
        def told(message: StoredMessage) -> None:
            try:
                receiver(message)
            except RuntimeError:
                consumption.stop()

        consumption = await super().follow(stream, filters, told, **more)
        return consumption


class RepeatsAfterAnOutage(Broken):
    def link_back(self) -> None:
        super().link_back()
        for following in self._exchange._storage._followings:
            following._arrived = following._sent = max(0, following._arrived - 1)


class RetriesUnderNewIds(Broken):
    """Has a write whose acknowledgement was lost: it tries again as if it were another."""

    async def store(self, subject: str, body: bytes, *, message_id: str, **more: Any) -> Stored:
        self.sent += 1
        if self.sent == 40:
            await super().store(subject, body, message_id=f"{message_id}-lost", **more)
        return await super().store(subject, body, message_id=message_id, **more)


def do_nothing(*_: Any) -> None: ...


BROKEN: dict[str, type[Broken]] = {
    "wildcards": StarIsTail,
    "fan-out": Duplicates,
    "queue-group": IgnoresQueueGroups,
    "queue-group-of-patterns": GroupPerPattern,
    "queue-group-without-a-member": KeepsMembersThatLeft,
    "drain": DrainsDeaf,
    "no-responders": SwallowsNoResponders,
    "no-false-no-responders": AlwaysNoResponders,
    "request-and-reply": LosesReply,
    "order": LosesOrder,
    "not-reentrant": CallsFromSend,
    "receiver-that-raises": EndsWhatRaises,
    "unsubscribe-stops": UnsubscribesLater,
    "flush": FlushesNothing,
    "payload-limit": AllowsLess,
    "payload-limit-with-headers": CountsNoHeaders,
    "headers-round-trip": LowersHeaders,
    "bodies": StripsBodies,
    "bad-patterns": TakesAnyPattern,
    "closed": SilentAfterClose,
    "store-and-consume": LosesStoredHeaders,
    "duplicate-ids": StoresTwice,
    "duplicate-window": RemembersForEver,
    "store-nowhere": StoresNowhere,
    "store-too-large": StoresAnySize,
    "stored-apart-from-live": TellsOthersWhatIsStored,
    "ensure-stream": KeepsFirstLimits,
    "max-messages": without_limit(max_messages=-1),
    "max-bytes": without_limit(max_bytes=1 << 30),
    "max-age": without_limit(max_age_s=3600.0),
    "filters": consuming(lambda spec: {"filters": spec.filters[:1]}),
    "independent-consumers": consuming(lambda spec: {"name": "one"}),
    "redelivery": handing_out(lambda job: {"attempt": 1}),
    "settled-for-good": handing_out(lambda job: {"ack": do_nothing, "discard": job.ack}),
    "retry": handing_out(lambda job: {"retry": lambda delay_s=0.0: job.retry()}),
    "progress": handing_out(lambda job: {"progress": do_nothing}),
    "job-receiver-that-raises": AcknowledgesWhatRaises,
    "competing-consumers": consuming(
        lambda spec: {"name": f"{spec.name}-{Random().random():.9f}"[2:].replace(".", "")}
    ),
    "max-in-flight": consuming(lambda spec: {"max_in_flight": 256}),
    "position-survives-stop": NeverStops,
    "unsettled-at-close": AcknowledgesAtClose,
    "consume-refused": consuming(lambda spec: {"name": f"{spec.name}-{abs(hash(spec.filters))}"}),
    "nothing-is-buffered": BuffersWithoutLink,
    "subscriptions-outlive-the-link": ForgetsSubscriptions,
    "consuming-goes-on": StopsConsumingAtOutage,
    "store-across-an-outage": StoresOnlyWithLink,
    "compare-and-set": ExpectsNothing,
    "compare-and-set-among": ExpectsOfTheSubject,
    "expectation-again": StoresTwice,
    "time-to-live": LivesForEver,
    "per-subject": with_stream(per_subject=-1),
    "refuse-when-full": with_stream(refuse_when_full=False),
    "batches": StoresInParts,
    "batches-at-once": ExpectsNothingOfBatches,
    "batches-refused": with_stream(batches=True),
    "reads": ReadsTheFirst,
    "purge": PurgesAll,
    "follow-after": following(lambda after: after and after + 1),
    "follow-newest": following(lambda after: after or 0),
    "follow-receiver-that-raises": StopsFollowingWhenItRaises,
    "follow-goes-on": RepeatsAfterAnOutage,
    "compare-and-set-across-an-outage": RetriesUnderNewIds,
}


class Switch:
    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def stop(self) -> None:
        self._broker.stop_broker()

    async def start(self) -> None:
        self._broker.start_broker()


def test_every_check_has_a_transport_that_breaks_it() -> None:
    assert sorted(BROKEN) == sorted(check.name for check in (*CHECKS, *OUTAGE_CHECKS))


@pytest.mark.parametrize("check", [*CHECKS, *OUTAGE_CHECKS], ids=str)
def test_a_broken_transport_fails(check: Check) -> None:
    async def run() -> None:
        broker = MemoryBroker(rng=Random(7), reconnect_s=(1.0, 1.0))

        async def factory() -> MemoryTransport:
            transport = BROKEN[check.name](broker)
            await transport.connect()
            return transport

        with pytest.raises(AssertionError) as failure:
            await check.run(factory, broker=Switch(broker))
        assert str(failure.value).startswith(f"{check.name}: {check.promise}: ")
        assert not isinstance(failure.value.__cause__, TypeError | AttributeError)

    run_virtually(run())


def test_a_failure_of_the_transport_itself_is_a_broken_promise() -> None:
    async def factory() -> MemoryTransport:
        raise AgentBusError("no broker today")

    with pytest.raises(AssertionError, match=r"wildcards: .*no broker today"):
        run_virtually(CHECKS[0].run(factory))
