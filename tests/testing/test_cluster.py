"""`Cluster`: real brokers that are killed and come back, and what is stored in them meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from agentbus.errors import ServerFailed
from agentbus.storage import Bucket
from agentbus.testing import Cluster
from agentbus.transports.nats import NatsTransport


@pytest.mark.timeout(60)
async def test_no_write_is_lost_with_the_leader_and_no_change_is_left_out() -> None:
    async with Cluster(3) as cluster:
        transports = [NatsTransport(cluster.url_of(index), name=f"n{index}") for index in range(3)]
        transports += [NatsTransport(cluster.url, name="all")]
        for transport in transports:
            await transport.connect()
        buckets = [
            await Bucket.open(transport, "numbers", replicas=3, max_bytes=1 << 22, timeout_s=20.0)
            for transport in transports
        ]
        leader = await cluster.leader(buckets[0].stream)
        alive = [bucket for index, bucket in enumerate(buckets) if index != leader]
        halfway = asyncio.Event()

        async def increment(bucket: Bucket) -> None:
            for number in range(40):
                await bucket.modify("n", lambda old: b"%d" % (int(old or b"0") + 1), timeout_s=30.0)
                if number == 10:
                    halfway.set()

        told: list[int] = []
        async with alive[0].watch("n") as changes, asyncio.TaskGroup() as tasks:
            for bucket in alive[:2]:
                tasks.create_task(increment(bucket))
            await halfway.wait()
            cluster.kill(leader)
            assert leader not in cluster.running
            while not told or told[-1] < 80:
                told.append((await anext(changes)).revision)
        entry = await alive[-1].get("n")
        assert entry is not None
        assert (entry.value, entry.revision) == (b"80", 80)
        assert told == sorted(set(told))
        assert await cluster.leader(buckets[0].stream) != leader
        await cluster.restart(leader)
        assert cluster.running == (0, 1, 2)
        assert (await buckets[leader].get("n")) == entry
        for transport in transports:
            await transport.close()


async def test_a_cluster_of_one_and_its_errors() -> None:
    async with Cluster(1, settings={"max_payload": 4096}) as cluster:
        transport = NatsTransport(cluster.url, name="one")
        await transport.connect()
        assert transport.max_payload == 4096
        bucket = await Bucket.open(transport, "things", max_bytes=1 << 20)
        assert await cluster.leader(bucket.stream) == 0
        with pytest.raises(ServerFailed, match="nowhere"):
            await cluster.leader("nowhere", timeout_s=0.5)
        await bucket.put("a", b"1")
        cluster.kill(0)
        cluster.kill(0)
        with pytest.raises(ServerFailed, match="no server runs"):
            await cluster.leader(bucket.stream, timeout_s=0.1)
        await cluster.restart(0)
        assert await bucket.get("a") is not None
        cluster.freeze(0)
        cluster.thaw(0)
        await transport.close()
    assert cluster.running == ()
