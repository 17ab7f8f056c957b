"""A holder that wakes after its lease is gone and writes is refused by the server: in memory, and by a nats-server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentbus import Node
from agentbus.errors import Conflict
from agentbus.peers import PeerId
from agentbus.sharding import Claim, Journal, Segment, ShardJob, collect
from agentbus.sharding.model import digest_of
from agentbus.storage import Bucket
from agentbus.storage.leases import Holder, LeaseConfig, Leases
from tests.nats_server import NatsServer
from tests.waiting import until

from .world import CONFIG, Chain, batches, feed, outcome, plain_loop

JOB = ShardJob(name="chain", shards=2)


@pytest.fixture(params=["memory", "nats"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "memory":
        yield "memory://fencing"
        return
    server = NatsServer(tmp_path).start()
    try:
        yield server.url
    finally:
        server.kill()


def commit(token: int, previous: int, *inputs: int) -> Segment:
    results = tuple(b"r" for _ in inputs)
    return Segment(
        token=token, previous=previous, inputs=inputs, results=results, digest=digest_of(b""), checkpoint=b""
    )


async def test_a_zombie_is_refused(url: str) -> None:
    async with Node(url, name="one") as one, Node(url, name="two") as two:
        journals = [Journal(node.transport, "default", JOB) for node in (one, two)]
        for journal in journals:
            await journal.ensure()
        buckets = [await Bucket.open(node.transport, "leases", realm="default") for node in (one, two)]
        first, second = Holder(name="a", epoch=1), Holder(name="b", epoch=1)
        async with Leases(buckets[1], second, judge=lambda holder: holder == first) as successor:
            zombie = Leases(buckets[0], first, config=LeaseConfig(renew_s=3.0))
            held = await zombie.acquire("shard.0", timeout_s=5.0)
            assert held.token is not None
            claimed = await journals[0].append(
                0, Claim(holder=PeerId("a", 1), node="one", token=held.token, rewind_to=0), expected=0, message_id="a0"
            )
            last = await journals[0].append(0, commit(held.token, 0, 1), expected=claimed, message_id="a1")
            # It stops: nothing of it is written for a while, and somebody says that its life is over.
            taken = await successor.acquire("shard.0", timeout_s=5.0)
            assert taken.token is not None
            assert taken.token > held.token
            await journals[1].append(
                0,
                Claim(holder=PeerId("b", 1), node="two", token=taken.token, rewind_to=last),
                expected=last,
                message_id="b0",
            )
            # It wakes, believes that it holds the shard, and writes.
            assert held.token is not None
            with pytest.raises(Conflict):
                await journals[0].append(0, commit(held.token, last, 2), expected=last, message_id="a2")
            held.nudge()
            await zombie.abandon()
            found = await collect(two.transport, JOB)
            assert [number for number, _ in found.shards[0].results] == [1]
            assert found.shards[0].ignored == 0


async def test_two_workers_do_what_a_loop_does(url: str) -> None:
    inputs = batches(60, JOB)
    worker = Chain(JOB, config=CONFIG)
    one = Node(url, name="one", agents={"w1": worker})
    two = Node(url, name="two", agents={"w2": Chain(JOB, config=CONFIG)})
    async with one, two, Node(url, name="feeder") as feeder:
        await feed(feeder.transport, inputs, JOB)
        await until(lambda: sum(shard.committed for shard in worker.progress()) == len(inputs))
        found = await outcome(feeder.transport, JOB)
        assert found.complete
        assert found.results() == plain_loop(inputs, JOB)
