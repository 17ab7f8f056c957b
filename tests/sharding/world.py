"""A job with a known answer: a chain of digests, so that one record lost, doubled or moved changes all that follow."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from agentbus.peers import PeerId, Standing
from agentbus.sharding import Journal, Outcome, ShardConfig, ShardJob, ShardWorker, collect, local
from agentbus.transport import Transport

JOB = ShardJob(name="chain", shards=4)
CONFIG = local()


class Chain(ShardWorker):
    """The state is a digest; each input is digested into it; the result is its first half."""

    def begin(self, shard: int) -> bytearray:
        return bytearray(hashlib.sha256(b"%d" % shard).digest())

    def step(self, state: bytearray, batch: bytes) -> bytes:
        state[:] = hashlib.sha256(bytes(state) + batch).digest()
        return bytes(state[:16])

    def snapshot(self, state: bytearray) -> bytes:
        return bytes(state)

    def restore(self, data: bytes) -> bytearray:
        if len(data) != 32:
            raise ValueError(f"{len(data)} bytes are no state")
        return bytearray(data)


class Judge:
    """A `StandingView` that a test writes."""

    def __init__(self) -> None:
        self.bad: dict[PeerId, Standing] = {}

    def standing(self, peer: PeerId) -> Standing:
        return self.bad.get(peer, Standing.TRUSTED)


def plain_loop(batches: Iterable[tuple[int, bytes]], job: ShardJob = JOB) -> list[bytes]:
    """The answer, by a loop that knows nothing of agentbus."""
    work = Chain(job)
    states: dict[int, Any] = {shard: work.begin(shard) for shard in range(job.shards)}
    return [work.step(states[shard], body) for shard, body in batches]


def batches(count: int, job: ShardJob = JOB) -> list[tuple[int, bytes]]:
    """Inputs, in order, each with its shard."""
    return [(index * 7 % job.shards, b"record %d" % index) for index in range(count)]


async def feed(transport: Transport, inputs: Iterable[tuple[int, bytes]], job: ShardJob = JOB) -> None:
    """Stores the inputs."""
    journal = Journal(transport, "default", job, timeout_s=60.0)
    await journal.ensure()
    for index, (shard, body) in enumerate(inputs):
        await journal.put(shard, body, message_id=f"{job.name}/{body.decode()}/{index}")


async def outcome(transport: Transport, job: ShardJob = JOB, config: ShardConfig = CONFIG) -> Outcome:
    """What has come out until now."""
    return await collect(transport, job, liars=config.liars)
