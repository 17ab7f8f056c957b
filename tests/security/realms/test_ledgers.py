"""Logs in a bucket of a realm of identities: each is written by the agent that keeps it, and by no other."""

from __future__ import annotations

import pytest

from agentbus.errors import Unauthorized
from agentbus.ledger import Ed25519, InBucket, Kind, Ledger, Record
from agentbus.storage import Bucket

from .world import Worlds

SIGNER = Ed25519("example.org/plant/hall")


def ledger() -> Ledger:
    return Ledger(InBucket("ledger", under="ledger"), SIGNER, witnesses={})


async def test_a_log_is_written_by_its_agent_and_read_again(worlds: Worlds) -> None:
    world = worlds(buckets={"ledger": ("{agent}.>",)})
    async with world.enroller():
        first, again = ledger(), ledger()
        async with world.node("hall", {"ledger": first}, names=("ledger",)):
            for number in range(3):
                record = Record(at_us=0, kind=Kind.DECIDED, agent="x", type="t", outcome=str(number))
                assert await first.append(record) is not None
            size = first.log.size
        async with world.node("hall", {"ledger": again}, names=("ledger",)):
            assert again.log.size >= size >= 3
            async with world.node("spy", names=("spy",)) as spy:
                bucket = await Bucket.open(spy.transport, "ledger", realm="plant")
                assert await bucket.get("ledger.checkpoint") is not None
                for key in ("ledger.checkpoint", f"ledger.journal/{again.log.size:020}", "checkpoint"):
                    with pytest.raises(Unauthorized):
                        await bucket.put(key, b"forged")
