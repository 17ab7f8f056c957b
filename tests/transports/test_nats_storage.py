"""Compare and set over JetStream when acknowledgements are lost: a success is never told as a `Conflict`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from agentbus.errors import Conflict, StorageFailed
from agentbus.transport import Stored, StoredMessage, StreamLimits, StreamSpec, Write
from agentbus.transports.nats import NatsTransport
from tests.nats_server import NatsServer

from .conftest import Connect
from .nats_world import Proxy, until

STREAM = StreamSpec(
    name="kv",
    subjects=("kv.>",),
    limits=StreamLimits(max_bytes=1 << 22, max_age_s=0.0),
    per_subject=1,
    batches=True,
    message_ttl=True,
)


class MuteProxy(Proxy):
    """Carries nothing to its clients while `mute`; counts the bytes that it kept from them."""

    mute = False
    swallowed = b""

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        to_client = sink.transport.get_extra_info("sockname")[1] == self.port
        try:
            while data := await source.read(65536):
                if self.mute and to_client:
                    self.swallowed += data
                else:
                    sink.write(data)
        except ConnectionError:
            pass
        finally:
            sink.transport.abort()
            self._open.discard(sink)


async def unanswered(
    proxy: MuteProxy, write: Callable[[], Awaitable[object]], meanwhile: Callable[[], Awaitable[object]]
) -> object:
    """Writes; the acknowledgement is kept back and the link is cut, something else happens, the link comes back."""
    proxy.mute, proxy.swallowed = True, b""
    writing = asyncio.ensure_future(write())
    await until(lambda: b'"seq":' in proxy.swallowed, "the server did not acknowledge")
    await meanwhile()
    proxy.cut()
    proxy.mute = False
    proxy.mend()
    return await writing


async def nothing() -> None: ...


async def test_a_lost_acknowledgement_is_no_conflict(nats_server: NatsServer, connect: Connect) -> None:
    other = await connect(nats_server.url)
    await other.ensure_stream(STREAM)
    async with MuteProxy(nats_server.port) as proxy:
        transport = await connect(f"nats://127.0.0.1:{proxy.port}")
        stored = await unanswered(
            proxy, lambda: transport.store("kv.a", b"mine", message_id="m1", expected=0, timeout_s=15.0), nothing
        )
        assert stored == Stored(stream="kv", sequence=1, duplicate=True)
        # also when somebody else's write has replaced it by the time it is tried again
        stored = await unanswered(
            proxy,
            lambda: transport.store("kv.a", b"mine", message_id="m2", expected=1, timeout_s=15.0),
            lambda: other.store("kv.a", b"theirs", message_id="m3", expected=2),
        )
        assert stored == Stored(stream="kv", sequence=2, duplicate=True)
        last = await transport.last("kv", "kv.a")
        assert last is not None
        assert (last.sequence, last.body) == (3, b"theirs")
        await transport.close()


async def test_a_lost_acknowledgement_of_a_batch_is_no_conflict(nats_server: NatsServer, connect: Connect) -> None:
    other = await connect(nats_server.url)
    await other.ensure_stream(STREAM)
    batch = [Write(subject=f"kv.{name}", body=b"mine", expected=0) for name in "abc"]
    async with MuteProxy(nats_server.port) as proxy:
        transport = await connect(f"nats://127.0.0.1:{proxy.port}")
        stored = await unanswered(
            proxy,
            lambda: transport.store_all(batch, message_id="batch", timeout_s=15.0),
            lambda: other.store("kv.c", b"theirs", message_id="m", expected=3),
        )
        assert stored == tuple(Stored(stream="kv", sequence=number, duplicate=True) for number in (1, 2, 3))
        await transport.close()


async def test_a_batch_of_which_a_part_is_lost_is_sent_again_whole(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    await transport.ensure_stream(STREAM)
    send, sent = transport.send, 0

    def lossy(subject: str, *rest: object) -> None:
        nonlocal sent
        sent += 1
        if sent != 2:
            send(subject, *rest)  # pyright: ignore[reportArgumentType]

    transport.send = lossy  # pyright: ignore[reportAttributeAccessIssue]
    batch = [Write(subject=f"kv.{name}", body=b"", expected=0) for name in "abc"]
    stored = await transport.store_all(batch, message_id="batch")
    assert [each.sequence for each in stored] == [1, 2, 3]
    assert sent > 4


async def test_a_conflict_does_not_cost_a_stream_with_copies_its_leader(connect: Connect, one_of_three: str) -> None:
    """An expectation that is only checked when the copies have the message halts the stream for seconds."""
    transport = await connect(one_of_three)
    spec = replace(STREAM, limits=replace(STREAM.limits, replicas=3))
    await transport.ensure_stream(spec)
    first = await transport.store("kv.a", b"1", message_id="m1", expected=0)
    again = await transport.store("kv.a", b"1", message_id="m1", expected=0)
    assert again == Stored(stream="kv", sequence=first.sequence, duplicate=True)
    started = asyncio.get_running_loop().time()
    for number in range(5):
        with pytest.raises(Conflict):
            await transport.store("kv.a", b"2", message_id=f"x{number}", expected=0)
        with pytest.raises(Conflict):
            await transport.store_all([Write(subject="kv.a", body=b"", expected=0)], message_id=f"b{number}")
    await transport.store("kv.a", b"2", message_id="m2", expected=first.sequence)
    assert asyncio.get_running_loop().time() - started < 2.0
    batch = [Write(subject=f"kv.{name}", body=b"") for name in "bc"]
    assert await transport.store_all(batch, message_id="batch") != ()
    assert all(each.duplicate for each in await transport.store_all(batch, message_id="batch"))


async def test_with_copies_too_writers_of_different_subjects_are_held_apart(
    connect: Connect, one_of_three: str
) -> None:
    one, other = await connect(one_of_three), await connect(one_of_three)
    await one.ensure_stream(replace(STREAM, limits=replace(STREAM.limits, replicas=3)))
    last, started = 0, asyncio.get_running_loop().time()
    for turn in range(10):
        results = await asyncio.gather(
            *(
                link.store(subject, b"", message_id=f"{turn}{subject}", expected=last, among="kv.*.x")
                for link, subject in ((one, "kv.a.x"), (other, "kv.b.x"), (one, "kv.c.x"))
            ),
            return_exceptions=True,
        )
        won = [result for result in results if isinstance(result, Stored)]
        assert len(won) == 1
        assert sum(isinstance(result, Conflict) for result in results) == 2
        last = won[0].sequence
    assert asyncio.get_running_loop().time() - started < 5.0


async def test_the_follower_replaces_a_consumer_that_was_deleted(nats_server: NatsServer, connect: Connect) -> None:
    transport: NatsTransport = await connect(nats_server.url)
    await transport.ensure_stream(replace(STREAM, per_subject=-1))
    told: list[StoredMessage] = []
    await transport.follow("kv", ["kv.>"], told.append, after=0)
    await transport.store("kv.a", b"1", message_id="m1")
    await until(lambda: told, "the first message")
    deadline = asyncio.get_running_loop().time() + 5.0
    for name in (await transport._stream.api("CONSUMER.NAMES.kv", {}, "test", deadline))["consumers"]:
        await transport._stream.api(f"CONSUMER.DELETE.kv.{name}", {}, "test", deadline)
    await transport.store("kv.a", b"2", message_id="m2")
    await until(lambda: len(told) == 2, "the message after the consumer was deleted", within_s=10.0)
    assert [message.body for message in told] == [b"1", b"2"]


async def test_nothing_is_left_of_a_follower(nats_server: NatsServer, connect: Connect) -> None:
    transport = await connect(nats_server.url)
    await transport.ensure_stream(STREAM)
    told: list[StoredMessage] = []
    following = await transport.follow("kv", ["kv.>"], told.append)
    following.stop()
    following.stop()
    await transport.flush()
    deadline = asyncio.get_running_loop().time() + 5.0
    names = (await transport._stream.api("CONSUMER.NAMES.kv", {}, "test", deadline))["consumers"]
    assert not names
    with pytest.raises(StorageFailed, match="nowhere"):
        await transport.follow("nowhere", ["kv.>"], told.append)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("nats-follower")]
