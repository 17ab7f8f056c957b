"""The memory wire's stores and followers when messages are lost, late or cut off, in virtual time, seeded."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from agentbus.errors import Conflict, StorageFailed
from agentbus.transport import StoredMessage, StreamLimits, StreamSpec, Write
from agentbus.transports.memory import MemoryBroker, MemoryTransport
from tests.virtual_loop import run_virtually

STREAM = StreamSpec(name="kv", subjects=("kv.>",), limits=StreamLimits(max_bytes=1 << 20, max_age_s=0.0), batches=True)


async def connected(broker: MemoryBroker, name: str) -> MemoryTransport:
    transport = MemoryTransport(broker, name=name)
    await transport.connect()
    return transport


@pytest.mark.parametrize("seed", range(5))
def test_a_lossy_wire_makes_no_false_conflict_and_no_gap(seed: int) -> None:
    async def scenario() -> None:
        broker = MemoryBroker(rng=Random(seed))
        writer, reader = await connected(broker, "writer"), await connected(broker, "reader")
        await writer.ensure_stream(STREAM)
        told: list[StoredMessage] = []
        await reader.follow("kv", ["kv.*"], told.append, after=0)
        broker.link(loss=0.3, delay_s=(0.0, 0.02))
        last = {"kv.a": 0, "kv.b": 0}
        for number in range(40):
            writes = [Write(subject=key, body=b"%d" % number, expected=seen) for key, seen in last.items()]
            stored = await writer.store_all(writes, message_id=f"b{number}", timeout_s=60.0)
            last = dict(zip(last, (each.sequence for each in stored), strict=True))
            one = await writer.store("kv.a", b"x", message_id=f"m{number}", expected=last["kv.a"], timeout_s=60.0)
            last["kv.a"] = one.sequence
        assert last == {"kv.a": 120, "kv.b": 119}
        async with asyncio.timeout(120.0):
            while len(told) < 120:  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(1.0)
        assert [message.sequence for message in told] == list(range(1, 121))
        for transport in (writer, reader):
            await transport.close()

    run_virtually(scenario())


def test_a_follower_that_is_cut_off_goes_on_after_the_partition() -> None:
    async def scenario() -> None:
        broker = MemoryBroker(rng=Random(1))
        broker.link(delay_s=(0.01, 0.05))
        writer, reader = await connected(broker, "writer"), await connected(broker, "reader")
        await writer.ensure_stream(STREAM)
        told: list[int] = []
        following = await reader.follow("kv", ["kv.*"], lambda message: told.append(message.sequence), after=0)
        for number in range(60):
            if number in (10, 30):
                broker.partition({"reader"}, {"writer", "broker"})
            if number in (20, 40):
                broker.heal()
            if number == 50:
                broker.freeze("reader")
            await writer.store(f"kv.{number % 3}", b"", message_id=str(number))
        await asyncio.sleep(5.0)
        broker.thaw("reader")
        await asyncio.sleep(5.0)
        assert told == list(range(1, 61))
        following.stop()
        await writer.store("kv.a", b"", message_id="after")
        await asyncio.sleep(5.0)
        assert len(told) == 60
        for transport in (writer, reader):
            await transport.close()

    run_virtually(scenario())


def test_what_was_cut_off_reads_and_writes_in_vain_until_its_time_is_over() -> None:
    async def scenario() -> None:
        broker = MemoryBroker(rng=Random(1))
        transport = await connected(broker, "one")
        await transport.ensure_stream(STREAM)
        broker.partition({"one"}, {"broker"})
        loop = asyncio.get_running_loop()
        for call in (
            transport.last("kv", "kv.a", timeout_s=3.0),
            transport.after("kv", "kv.a", 0, timeout_s=3.0),
            transport.subjects("kv", ">", timeout_s=3.0),
            transport.purge("kv", ">", timeout_s=3.0),
            transport.store("kv.a", b"", message_id="m", expected=0, timeout_s=3.0),
            transport.store_all([Write(subject="kv.a", body=b"")], message_id="b", timeout_s=3.0),
            transport.follow("kv", [">"], print, timeout_s=3.0),
        ):
            started = loop.time()
            with pytest.raises(StorageFailed):
                await call
            assert loop.time() - started == pytest.approx(3.0)
        broker.heal()
        await transport.store("kv.a", b"", message_id="m", expected=0)
        with pytest.raises(Conflict):
            await transport.store("kv.a", b"", message_id="n", expected=0)
        await transport.close()

    run_virtually(scenario())
