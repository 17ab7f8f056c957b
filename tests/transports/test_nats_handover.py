"""Changing the link while it is used, against a real server: nothing is lost, nothing comes twice, the order stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agentbus.errors import Closed, ConfigurationError, NotConnected, Unauthorized
from agentbus.transport import ConsumerSpec, Headers, Job, StreamSpec
from agentbus.transports.nats import Endpoint, NatsTransport
from tests.nats_server import NatsServer

from .conftest import Connect
from .nats_world import Heard, until

Servers = Callable[..., NatsServer]


async def test_what_is_heard_meanwhile(nats_server: NatsServer, connect: Connect) -> None:
    listener, sender = await connect(nats_server.url), await connect(nats_server.url)
    plain, grouped = Heard(), Heard()
    listener.subscribe("a.*", plain)
    listener.subscribe("a.*", grouped, "group")
    await listener.flush()
    stop = asyncio.Event()
    sent = 0

    async def send() -> None:
        nonlocal sent
        while not stop.is_set():
            for _ in range(20):
                sender.send("a.b", b"%d" % sent)
                sent += 1
            await asyncio.sleep(0)

    sending = asyncio.create_task(send())
    for _ in range(5):
        await listener.renew()
        await asyncio.sleep(0.02)
    stop.set()
    await sending
    await sender.flush()
    await listener.flush()
    await until(lambda: len(plain.bodies) >= sent and len(grouped.bodies) >= sent, "all has come")
    assert plain.bodies == [b"%d" % number for number in range(sent)]
    assert sorted(grouped.bodies) == sorted(plain.bodies), "in a group the order may change just then"
    assert listener.statistics().reconnects == 5
    assert listener.statistics().errors == {}
    assert sent > 100


async def test_what_is_sent_meanwhile(nats_server: NatsServer, connect: Connect) -> None:
    listener, sender = await connect(nats_server.url), await connect(nats_server.url)
    heard = Heard()
    listener.subscribe("a", heard)
    await listener.flush()
    renewing = asyncio.create_task(sender.renew())
    sent = 0
    while not renewing.done():
        sender.send("a", b"%d" % sent)
        sent += 1
        await asyncio.sleep(0)
    await renewing
    sender.send("a", b"last")
    await until(lambda: heard.bodies[-1:] == [b"last"], "all has come")
    assert heard.bodies == [*(b"%d" % number for number in range(sent)), b"last"]


async def test_durable_work_goes_on_without_being_delivered_again(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    await transport.ensure_stream(StreamSpec(name="work", subjects=("w.>",)))
    jobs: list[tuple[int, int]] = []

    def take(job: Job) -> None:
        jobs.append((job.sequence, job.attempt))
        job.ack()

    followed: list[int] = []
    await transport.consume(ConsumerSpec(stream="work", name="c", filters=("w.>",), ack_wait_s=30.0), take)
    await transport.follow("work", ("w.>",), lambda message: followed.append(message.sequence), after=0)
    for number in range(1, 61):
        await transport.store("w.x", b"x", message_id=str(number))
        if number % 20 == 0:
            await transport.renew()
    await until(lambda: len(jobs) >= 60 and len(followed) >= 60, "all is done")
    assert jobs == [(number, 1) for number in range(1, 61)]
    assert followed == list(range(1, 61))


async def test_subscriptions_that_come_and_go_meanwhile(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    goes, comes, retired = Heard(), Heard(), Heard()
    going = transport.subscribe("a", goes)
    retiring = transport.subscribe("c", retired)
    renewing = asyncio.create_task(transport.renew())
    await asyncio.sleep(0)
    going.unsubscribe()
    retiring.drain()
    transport.subscribe("b", comes)
    await renewing
    await transport.flush()
    for subject in "abc":
        transport.send(subject, b"x")
    await transport.flush()
    assert (goes.bodies, comes.bodies, retired.bodies) == ([], [b"x"], [])


async def test_a_receiver_that_raises_meanwhile_harms_nobody(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    heard = Heard()

    def fail(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        raise ValueError("always")

    transport.subscribe("a", fail)
    transport.subscribe("a", heard)
    renewing = asyncio.create_task(transport.renew())
    sent = 0
    while not renewing.done():
        transport.send("a", b"%d" % sent)
        sent += 1
        await asyncio.sleep(0)
    await renewing
    await transport.flush()
    assert len(heard.bodies) == sent == transport.statistics().receiver_errors


async def test_without_a_second_link_the_first_stays(nats_servers: Servers) -> None:
    server = nats_servers(extra="authorization { user: node, password: right-secret }").start()
    word = "right-secret"

    async def resolve() -> Endpoint:
        return Endpoint(url=server.url, user="node", password=word)

    transport = NatsTransport(server.url, resolve=resolve)
    await transport.connect()
    try:
        word = "wrong-secret"
        heard = Heard()
        transport.subscribe("a", heard)
        with pytest.raises(Unauthorized):
            await transport.renew()
        transport.send("a", b"x")
        await transport.flush()
        assert heard.bodies == [b"x"]
        assert transport.connected
    finally:
        await transport.close()


async def test_a_server_that_dies_meanwhile(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    heard = Heard()
    transport.subscribe("a", heard)
    await transport.renew()
    await asyncio.to_thread(nats_server.restart)
    await until(lambda: transport.connected, "back")
    transport.send("a", b"x")
    await transport.flush()
    assert heard.bodies == [b"x"]
    nats_server.stop(kill=True)
    await until(lambda: not transport.connected, "lost")
    await transport.renew()  # nothing to leave: the supervisor is at it already
    with pytest.raises(NotConnected):
        transport.send("a", b"x")


async def test_after_close_nothing_is_left(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    before = asyncio.all_tasks()
    await transport.renew()
    await transport.close()
    assert asyncio.all_tasks() < before
    await transport.renew()
    with pytest.raises((Closed, ConfigurationError)):
        await transport.connect()
