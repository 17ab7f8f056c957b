"""`Checkpoints` and `CheckpointedAgent`: what was saved comes back whole, or the one before does."""

from __future__ import annotations

from random import Random

import pytest
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

from agentbus import Context, on_start, rpc
from agentbus.errors import (
    CheckpointInvalid,
    ConfigurationError,
    Conflict,
    PayloadTooLarge,
    StorageFailed,
)
from agentbus.storage import Bucket, Checkpointed, CheckpointedAgent, Checkpoints, Put
from agentbus.testing import Simulation
from agentbus.wire.v1 import checkpoints_pb2 as wire

from .conftest import Play, World

BIG = Random(1).randbytes(400_000)
"""More than six values of the test's nats-server, whose max_payload is 64 KiB."""


async def opened(world: World) -> Bucket:
    return await Bucket.open(await world.link(), "checkpoints", realm="test")


async def state_of(checkpoints: Checkpoints, name: str = "a") -> bytes | None:
    found = await checkpoints.load(name)
    return None if found is None else found.state


def test_the_newest_comes_back_whatever_its_size(play: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world)
        mine = Checkpoints(bucket)
        assert await state_of(mine) is None
        for number, state in enumerate((b"", b"small", BIG, BIG[:70_000], BIG[::-1], b"small again"), 1):
            assert await mine.save("a", state) == number
            assert await state_of(Checkpoints(bucket)) == state
        assert await mine.save("b", b"another name") == 1
        assert len(await bucket.keys("a.*.>")) <= 7, "chunks of replaced checkpoints are left"
        await mine.forget("a")
        assert await bucket.keys() == ("b.1",)
        assert await state_of(mine) is None
        assert await mine.save("a", b"anew") == 1

    play(scenario)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(play: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world)
        one = Checkpoints(bucket)
        await one.save("a", b"before")
        for damage in ("truncated", "altered", "missing", "other format", "no head"):
            await Checkpoints(bucket).save("a", b"before")
            two = Checkpoints(bucket)
            number = await two.save("a", bytes(3 * bucket.max_value))
            slot = f"a.{number % 2}"
            if damage == "truncated":
                await bucket.put(f"{slot}.1", b"\0" * 10)
            elif damage == "altered":
                await bucket.put(f"{slot}.1", b"\1" * bucket.max_value)
            elif damage == "missing":
                await bucket.delete(f"{slot}.0")
            elif damage == "other format":
                entry = await bucket.get(slot)
                assert entry is not None
                head = wire.CheckpointHead.FromString(entry.value)
                head.format += 1
                await bucket.put(slot, head.SerializeToString())
            else:
                await bucket.put(slot, b"\xff\xff")
            assert await state_of(Checkpoints(bucket)) == b"before", damage

    play(scenario)


def test_of_other_versions_none_is_used_and_all_are_named(play_in_memory: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world)
        old = Checkpoints(bucket, version=1)
        await old.save("a", b"1")
        await old.save("a", b"2")
        new = Checkpoints(bucket, version=2)
        with pytest.raises(CheckpointInvalid, match="version 1, this program reads 2") as failure:
            await new.load("a")
        assert len(failure.value.reasons) == 2
        assert await new.save("a", b"3") == 3
        assert await state_of(new) == b"3"
        assert await state_of(old) == b"2", "an old program still finds its own"

    play_in_memory(scenario)


def test_of_two_savers_the_one_that_claimed_last_may_save(play: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world)
        zombie = Checkpoints(bucket)
        await zombie.save("a", b"1")
        await zombie.save("a", b"2")
        heir = Checkpoints(bucket)
        claimed = await heir.claim("a")
        assert claimed is not None
        assert (claimed.state, claimed.number) == (b"2", 3)
        for _ in range(3):
            with pytest.raises(Conflict):
                await zombie.save("a", b"zombie's")
        await heir.save("a", b"4")
        with pytest.raises(Conflict):
            await zombie.save("a", b"zombie's")
        assert await state_of(Checkpoints(bucket)) == b"4"

    play(scenario)


class Unanswered(Bucket):
    """A bucket whose next update is not answered: it was `done`, or not."""

    done: bool | None = None

    async def update(self, key: str, value: bytes, revision: int, *, ttl_s: float | None = None) -> int:
        done, self.done = self.done, None
        if done is None:
            return await super().update(key, value, revision, ttl_s=ttl_s)
        if done:
            await super().update(key, value, revision, ttl_s=ttl_s)
        raise StorageFailed("not acknowledged in time")


@pytest.mark.parametrize("done", [True, False])
def test_what_became_of_a_save_that_was_not_answered_is_found_out(play_in_memory: Play, done: bool) -> None:
    async def scenario(world: World) -> None:
        bucket = await Unanswered.open(await world.link(), "checkpoints", realm="test")
        assert isinstance(bucket, Unanswered)
        mine = Checkpoints(bucket)
        await mine.save("a", b"1")
        bucket.done = done
        with pytest.raises(StorageFailed):
            await mine.save("a", b"2")
        assert await mine.save("a", b"3") == (3 if done else 2)
        bucket.done = done
        with pytest.raises(StorageFailed):
            await mine.save("a", b"4")
        await Checkpoints(bucket).claim("a")  # a later saver, in between
        with pytest.raises(Conflict):
            await mine.save("a", b"5")
        assert await state_of(Checkpoints(bucket)) == (b"4" if done else b"3")

    play_in_memory(scenario)


def test_limits(play_in_memory: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world)
        with pytest.raises(ConfigurationError, match="at least 2"):
            Checkpoints(bucket, keep=1)
        with pytest.raises(PayloadTooLarge, match="1001 bytes"):
            await Checkpoints(bucket, max_bytes=1000).save("a", bytes(1001))
        await bucket.commit([Put("x", b"")])

    play_in_memory(scenario)


class Counter(CheckpointedAgent):
    """Counts what it is asked to."""

    checkpoint_every_s = 2.0

    def __init__(self) -> None:
        self.count = 0
        self.before: int | None = None

    def snapshot(self) -> Int64Value:
        return Int64Value(value=self.count)

    def restore(self, state: bytes) -> None:
        self.count = Int64Value.FromString(state).value

    @on_start
    async def look(self, ctx: Context) -> None:
        self.before = self.count  # what was restored is there when an agent's own start runs

    @rpc(StringValue, Int64Value)
    async def add(self, request: StringValue, ctx: Context) -> Int64Value:
        if request.value == "fail":
            raise RuntimeError("as it was asked to")
        self.count += request.value == "add"
        return Int64Value(value=self.count)


def test_an_agent_goes_on_from_its_checkpoint_elsewhere_and_here() -> None:
    async def scenario(sim: Simulation) -> None:
        assert isinstance(Counter(), Checkpointed)
        asker = await sim.node("asker")

        async def ask(what: str) -> int:
            reply = await asker.request(StringValue(value=what), Int64Value, to="counter", timeout_s=3.0)
            return reply.value

        await sim.node("a", agents=[Counter()])
        for _ in range(5):
            await ask("add")
        await sim.sleep(3.5)  # saved
        assert await ask("add") == 6
        sim.crash("a")  # the sixth is lost with it
        await sim.node("b", agents=[Counter()])
        assert await ask("look") == 5
        await ask("add")
        await sim.stop("b")  # saved at the end
        c = Counter()
        await sim.node("c", agents=[c])
        assert await ask("look") == 6
        assert c.before == 6

    Simulation(seed=3).run(scenario)
