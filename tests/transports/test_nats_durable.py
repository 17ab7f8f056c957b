"""JetStream: what nats-py lets happen to durable messages, and what the transport makes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from agentbus.errors import Closed, NotConnected, StorageFailed
from agentbus.transport import ConsumerSpec, Job, Stored, StreamLimits, StreamSpec
from agentbus.transports import nats_consumer
from agentbus.transports.nats import NatsTransport
from agentbus.transports.nats_consumer import HEARTBEAT_S, acknowledgement
from agentbus.transports.nats_wire import unsub_line
from tests.nats_server import NatsServer

from .conftest import Connect
from .nats_world import Proxy, until

SMALL = StreamLimits(max_bytes=1 << 22)
STREAM = StreamSpec(name="log", subjects=("log.>",), limits=SMALL)


def consumer(**options: Any) -> ConsumerSpec:
    return ConsumerSpec(**{"stream": "log", "name": "billing", "filters": ("log.>",), **options})


class Jobs:
    """Keeps jobs; acknowledges them unless told not to."""

    def __init__(self, *, ack: bool = True) -> None:
        self.jobs: list[Job] = []
        self._ack = ack

    def __call__(self, job: Job) -> None:
        self.jobs.append(job)
        if self._ack:
            job.ack()

    @property
    def bodies(self) -> list[bytes]:
        return [job.body for job in self.jobs]


async def api(transport: NatsTransport, call: str) -> dict[str, Any]:
    return await transport._stream.api(call, {}, "test", asyncio.get_running_loop().time() + 5.0)


async def test_row_publish_has_a_deadline_and_one_id(nats_server: NatsServer, connect: Connect) -> None:
    """nats-py: publish_async futures never time out, permits are lost."""
    transport = await connect(nats_server.url)
    await transport.ensure_stream(STREAM)
    nats_server.pause()
    started = time.monotonic()
    with pytest.raises(StorageFailed, match=r"'log\.a' was not stored in time"):
        await transport.store("log.a", b"x", message_id="one", timeout_s=0.5)
    assert time.monotonic() - started < 1.0
    assert transport._stream.inbox.waiting == 0
    storing = asyncio.create_task(transport.store("log.a", b"x", message_id="one", timeout_s=15.0))
    await until(lambda: transport.statistics().sent >= 4, "tried twice without an answer")
    nats_server.resume()
    await storing
    assert (await api(transport, "STREAM.INFO.log"))["state"]["messages"] == 1, "tried several times, stored once"


async def test_store_goes_on_across_a_reconnect(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    await transport.ensure_stream(STREAM)
    stored: list[Stored] = []

    async def keep_storing(first: int) -> None:
        for number in range(first, first + 100):
            stored.append(await transport.store("log.a", b"", message_id=str(number), timeout_s=15.0))

    storing = [asyncio.create_task(keep_storing(first)) for first in range(0, 800, 100)]
    while len(stored) < 100:  # noqa: ASYNC110 - the moment at which the others are under way
        await asyncio.sleep(0)
    nats_server.kill()
    await until(lambda: not transport.connected, "noticed")
    assert transport._stream.inbox.waiting == 0, "nobody waits for an answer that can't come"
    await asyncio.to_thread(nats_server.start)
    await asyncio.gather(*storing)
    assert transport.statistics().reconnects == 1
    assert len({each.sequence for each in stored}) == 800
    assert (await api(transport, "STREAM.INFO.log"))["state"]["messages"] == 800


async def test_store_without_a_link_or_after_close(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    nats_server.kill()
    await until(lambda: not transport.connected, "noticed")
    with pytest.raises(StorageFailed, match=r"not stored in 0\.2 s: no link"):
        await transport.store("log.a", b"x", message_id="1", timeout_s=0.2)
    with pytest.raises(NotConnected):
        await transport.consume(consumer(), Jobs(), timeout_s=0.2)
    storing = asyncio.create_task(transport.store("log.a", b"x", message_id="1", timeout_s=10.0))
    await asyncio.sleep(0)
    await transport.close()
    with pytest.raises(Closed):
        await storing


async def test_closing_ends_what_waits_for_an_answer(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    await transport.ensure_stream(STREAM)
    nats_server.pause()
    storing = asyncio.create_task(transport.store("log.a", b"x", message_id="1", timeout_s=10.0))
    await until(lambda: transport._stream.inbox.waiting, "asked")
    await transport.close(timeout_s=0.1)
    with pytest.raises(Closed):
        await storing


async def test_jetstream_that_is_not_enabled_is_told_of(
    nats_servers: Callable[..., NatsServer], connect: Connect
) -> None:
    transport = await connect(nats_servers(jetstream=False).start().url)
    with pytest.raises(StorageFailed, match="enable jetstream"):
        await transport.ensure_stream(STREAM, timeout_s=0.5)


async def test_something_else_that_answers_is_told_of(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    for answer in (b"hello", b"[1]", b"{}"):
        echo = transport.subscribe("odd", lambda s, b, r, h, answer=answer: transport.send(r, answer))
        with pytest.raises(StorageFailed, match="something other"):
            await transport.store("odd", b"", message_id="1", timeout_s=1.0)
        echo.unsubscribe()


async def test_row_fractions_of_seconds_reach_the_server(nats_server: NatsServer, connect: Connect) -> None:
    """nats-py: msg_ttl is cut to whole seconds."""
    transport = await connect(nats_server.url)
    limits = StreamLimits(max_bytes=1 << 20, max_age_s=90.25, duplicate_window_s=0.15, max_messages=7)
    await transport.ensure_stream(StreamSpec(name="log", subjects=("log.>",), limits=limits))
    found = (await api(transport, "STREAM.INFO.log"))["config"]
    assert (found["max_age"], found["duplicate_window"], found["max_msgs"]) == (90_250_000_000, 150_000_000, 7)
    await transport.consume(consumer(ack_wait_s=1.25), Jobs())
    assert (await api(transport, "CONSUMER.INFO.log.billing"))["config"]["ack_wait"] == 1_250_000_000


async def test_ensure_stream_changes_what_differs_and_nothing_else(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    await transport.ensure_stream(STREAM)
    wider = StreamSpec(
        name="log", subjects=("log.a", "dead.>"), limits=StreamLimits(max_bytes=1 << 21, duplicate_window_s=5)
    )
    await transport.ensure_stream(wider)
    await transport.ensure_stream(wider)
    found = (await api(transport, "STREAM.INFO.log"))["config"]
    assert found["subjects"] == ["log.>", "dead.>"]
    assert found["max_bytes"] == 1 << 21
    with pytest.raises(StorageFailed, match="overlap"):
        await transport.ensure_stream(StreamSpec(name="other", subjects=("log.b",), limits=SMALL))


async def test_a_consumer_whose_times_differ_is_changed(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    await transport.ensure_stream(STREAM)
    (await transport.consume(consumer(), Jobs())).stop()
    await transport.consume(consumer(ack_wait_s=2.5), Jobs())
    assert (await api(transport, "CONSUMER.INFO.log.billing"))["config"]["ack_wait"] == 2_500_000_000
    with pytest.raises(StorageFailed, match=r"'billing' of stream 'log' hears \['log.>'\], not \['log.a', 'log.b'\]"):
        await transport.consume(consumer(filters=("log.a", "log.b")), Jobs())
    await transport.consume(consumer(name="two", filters=("log.a", "log.b")), Jobs())
    await transport.consume(consumer(name="two", filters=("log.b", "log.a")), Jobs())


async def test_row_a_consumer_survives_being_away(nats_server: NatsServer, connect: Connect) -> None:
    """nats-py: ephemeral consumers are deleted by the server after about 5 s away, and stay silent (#234, #510)."""
    storing = await connect(nats_server.url)
    await storing.ensure_stream(STREAM)
    async with Proxy(nats_server.port) as proxy:
        transport = await connect(f"nats://127.0.0.1:{proxy.port}")
        jobs = Jobs()
        await transport.consume(consumer(), jobs)
        await storing.store("log.a", b"1", message_id="1")
        await until(lambda: jobs.bodies == [b"1"], "the first job")
        proxy.cut()
        await until(lambda: not transport.connected, "cut off")
        await storing.store("log.a", b"2", message_id="2")
        await asyncio.sleep(6.0)  # the server's own inactivity limit is what passes here
        proxy.mend()
        await until(lambda: jobs.bodies == [b"1", b"2"], "goes on", within_s=4.0)
        await transport.close()


async def test_row_missed_heartbeats_are_noticed(nats_server: NatsServer, connect: Connect) -> None:
    """The server forgets what was asked for, and nothing says so: the interest in the jobs ends behind our back."""
    transport, jobs = await connect(nats_server.url), Jobs()
    await transport.ensure_stream(STREAM)
    consumption = await transport.consume(consumer(), jobs)
    await transport.flush()
    link = transport._links.link
    assert link is not None
    link.post(unsub_line(consumption._interest.number))  # type: ignore[attr-defined]
    await transport.store("log.a", b"1", message_id="1")
    await until(lambda: jobs.bodies == [b"1"], "asked anew", within_s=4 * HEARTBEAT_S)
    assert transport.statistics().errors == {"heartbeats_missed": 1}


async def test_what_was_asked_for_expires_and_is_asked_for_anew(
    nats_server: NatsServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_consumer, "EXPIRES_S", 0.2)
    monkeypatch.setattr(nats_consumer, "HEARTBEAT_S", 0.1)
    transport, jobs = await connect(nats_server.url), Jobs(ack=False)
    await transport.ensure_stream(STREAM)
    consumption = await transport.consume(consumer(max_in_flight=5), jobs)
    await until(lambda: consumption._pulls > 4, "asked anew")  # type: ignore[attr-defined]
    for number in range(10):
        await transport.store("log.a", b"%d" % number, message_id=str(number))
    await until(lambda: len(jobs.jobs) >= 5, "five jobs")
    for job in list(jobs.jobs):
        job.ack()
    await until(lambda: len(jobs.jobs) >= 10, "ten jobs")
    await transport.flush()
    assert jobs.bodies == [b"%d" % number for number in range(10)]
    assert transport.statistics().errors == {}


async def test_a_deleted_consumer_is_made_again(nats_server: NatsServer, connect: Connect) -> None:
    transport, jobs = await connect(nats_server.url), Jobs()
    await transport.ensure_stream(STREAM)
    await transport.consume(consumer(), jobs)
    await transport.store("log.a", b"1", message_id="1")
    await until(lambda: jobs.bodies == [b"1"], "the first job")
    await api(transport, "CONSUMER.DELETE.log.billing")
    await transport.store("log.a", b"2", message_id="2")
    await until(lambda: b"2" in jobs.bodies, "made again")
    assert transport.statistics().errors["consumer"] == 1


async def test_a_deleted_stream_is_waited_for(nats_server: NatsServer, connect: Connect) -> None:
    transport, jobs = await connect(nats_server.url), Jobs()
    maker = await connect(nats_server.url)  # whoever has made a stream makes it again
    await maker.ensure_stream(STREAM)
    consumption = await transport.consume(consumer(), jobs)
    await api(transport, "STREAM.DELETE.log")
    await until(lambda: transport.statistics().errors.get("consumer", 0) >= 2, "no such stream", within_s=8.0)
    await maker.ensure_stream(STREAM)
    await transport.store("log.a", b"1", message_id="1")
    await until(lambda: jobs.bodies == [b"1"], "consumes the new one", within_s=8.0)
    await api(transport, "STREAM.DELETE.log")
    await until(lambda: consumption._repairing is not None, "repairing")  # type: ignore[attr-defined]
    consumption.stop()
    await until(lambda: not [t for t in asyncio.all_tasks() if t.get_name().startswith("nats-consumer")], "ended")


async def test_what_a_killed_client_asked_for_swallows_nothing(nats_server: NatsServer, connect: Connect) -> None:
    storing = await connect(nats_server.url)
    await storing.ensure_stream(STREAM)
    async with Proxy(nats_server.port) as proxy:
        leaving = await connect(f"nats://127.0.0.1:{proxy.port}")
        lost, got = Jobs(ack=False), Jobs()
        await leaving.consume(consumer(ack_wait_s=1.0), lost)
        await storing.store("log.a", b"0", message_id="0")
        await until(lambda: lost.jobs, "a job under way")
        proxy.cut()
        await storing.consume(consumer(ack_wait_s=1.0), got)
        for number in range(1, 21):
            await storing.store("log.a", b"%d" % number, message_id=str(number))
        await until(lambda: sorted(map(int, got.bodies)) == list(range(21)), "all of it, each once", within_s=4.0)
        await until(lambda: not leaving.connected, "noticed")
        lost.jobs[0].ack()
        lost.jobs[0].ack()
        assert leaving.statistics().dropped_settlements == 1
        await leaving.close()


async def test_what_arrives_after_stop_goes_to_another_at_once(nats_server: NatsServer, connect: Connect) -> None:
    one, two = await connect(nats_server.url), await connect(nats_server.url)
    await two.ensure_stream(STREAM)
    await asyncio.gather(*(two.store("log.a", b"%d" % n, message_id=str(n)) for n in range(100)))
    spec = consumer(ack_wait_s=30.0, max_in_flight=50)
    first, second = Jobs(), Jobs()

    def stops(job: Job) -> None:
        first(job)
        if len(first.jobs) == 5:
            consumption.stop()

    consumption = await one.consume(spec, stops)
    await until(lambda: len(first.jobs) == 5, "five jobs, of fifty under way")
    await two.consume(spec, second)
    await until(lambda: len(set(first.bodies + second.bodies)) == 100, "all, long before ack_wait_s")
    assert len(first.jobs) == 5


async def test_an_unsettled_job_does_not_block_for_ever(nats_server: NatsServer, connect: Connect) -> None:
    """A job that the application lost is the server's again after ack_wait_s, and no longer counts as in flight."""
    transport, jobs = await connect(nats_server.url), Jobs(ack=False)
    await transport.ensure_stream(STREAM)
    await transport.consume(consumer(ack_wait_s=0.5, max_in_flight=1), jobs)
    await transport.store("log.a", b"1", message_id="1")
    await until(lambda: len(jobs.jobs) >= 2, "delivered again", within_s=8.0)
    assert jobs.jobs[1].attempt >= 2


async def test_at_rate_each_job_comes_once(nats_server: NatsServer, connect: Connect) -> None:
    transport, jobs = await connect(nats_server.url), Jobs()
    await transport.ensure_stream(STREAM)
    await transport.consume(consumer(max_in_flight=64), jobs)
    limit = asyncio.Semaphore(64)

    async def store(number: int) -> None:
        async with limit:
            await transport.store("log.a", b"%d" % number, message_id=str(number), timeout_s=15.0)

    await asyncio.gather(*(store(number) for number in range(3000)))
    await until(lambda: len(jobs.jobs) >= 3000, "all jobs", within_s=10.0)
    await transport.flush()
    assert sorted(map(int, jobs.bodies)) == list(range(3000))
    assert {job.attempt for job in jobs.jobs} == {1}
    info = await api(transport, "CONSUMER.INFO.log.billing")
    assert (info["num_ack_pending"], info["num_pending"], info["num_redelivered"]) == (0, 0, 0)


@pytest.mark.parametrize(
    "reply",
    [
        "$JS.ACK.log.billing.3.17.9.1700000000000000000.0",
        "$JS.ACK.hub.ACCHASH.log.billing.3.17.9.1700000000000000000.0",
        "$JS.ACK._.ACCHASH.log.billing.3.17.9.1700000000000000000.0.random",
    ],
)
def test_acknowledgement_subjects(reply: str) -> None:
    assert acknowledgement(reply) == (17, 3)


async def test_a_stream_that_was_deleted_is_made_again(nats_server: NatsServer, connect: Connect) -> None:
    transport, jobs = await connect(nats_server.url), Jobs()
    await transport.ensure_stream(STREAM)
    await transport.consume(consumer(), jobs)
    await transport.store("log.a", b"1", message_id="1")
    await until(lambda: jobs.bodies == [b"1"], "the first")
    await api(transport, "STREAM.DELETE.log")
    await transport.store("log.a", b"2", message_id="2")
    await until(lambda: jobs.bodies == [b"1", b"2"], "the second", within_s=8.0)
