"""`Bucket`: what stands under a key, who may write it, and what is told of it, on both wires."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from agentbus.errors import ConfigurationError, Conflict, PayloadTooLarge, StorageFailed, SubjectError
from agentbus.storage import Bucket, Delete, Entry, Put, Store, Watch
from agentbus.transport import StoredMessage

from .conftest import Play, World

if TYPE_CHECKING:

    def is_a_store(bucket: Bucket) -> Store:
        return bucket


async def opened(world: World, **options: int) -> Bucket:
    return await Bucket.open(await world.link(), "things", realm="test", **options)


def test_what_is_written_is_read(play: Play) -> None:
    async def scenario(world: World) -> None:
        bucket, other = await opened(world), await opened(world)
        assert await bucket.get("a") is None
        assert await bucket.revision("a") == 0
        first = await bucket.put("a", b"1")
        assert await other.get("a") == Entry(key="a", value=b"1", revision=first)
        second = await other.put("a", b"")
        assert second > first
        assert await bucket.get("a") == Entry(key="a", value=b"", revision=second)

    play(scenario)


def test_create_and_update_are_compare_and_set(play: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world)
        first = await bucket.create("a", b"1")
        with pytest.raises(Conflict):
            await bucket.create("a", b"2")
        second = await bucket.update("a", b"2", first)
        with pytest.raises(Conflict):
            await bucket.update("a", b"3", first)
        with pytest.raises(Conflict):
            await bucket.delete("a", revision=first)
        gone = await bucket.delete("a", revision=second)
        assert await bucket.get("a") is None
        assert await bucket.revision("a") == gone
        again = await bucket.create("a", b"4")  # after a deletion there is room again
        assert await bucket.get("a") == Entry(key="a", value=b"4", revision=again)
        assert await bucket.purge("a") == 1
        assert await bucket.revision("a") == 0
        await bucket.create("a", b"5")

    play(scenario)


def test_a_commit_is_whole_or_not_at_all(play: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world)
        first = await bucket.put("a", b"1")
        await bucket.put("b", b"1")
        numbers = await bucket.commit([Put("a", b"2", expected=first), Delete("b"), Put("c", b"2", expected=0)])
        assert numbers == (numbers[0], numbers[0] + 1, numbers[0] + 2)
        assert await bucket.keys() == ("a", "c")
        for wrong in (Put("a", b"3", expected=first), Delete("a", expected=first)):
            with pytest.raises(Conflict):
                await bucket.commit([Put("c", b"3"), wrong, Put("d", b"3")])
        assert [entry.value for entry in await bucket.entries()] == [b"2", b"2"]
        with pytest.raises(ConfigurationError, match="twice"):
            await bucket.commit([Put("a", b"4"), Delete("a")])
        with pytest.raises(ConfigurationError, match="1 to 1000"):
            await bucket.commit([])

    play(scenario)


def test_commits_that_race_are_never_mixed(play: Play) -> None:
    async def scenario(world: World) -> None:
        buckets = [await opened(world) for _ in range(3)]
        keys = ("a", "b", "c")
        done = 0

        async def write(bucket: Bucket, who: int) -> None:
            nonlocal done
            for turn in range(10):
                seen = [await bucket.revision(key) for key in keys]
                value = b"%d.%d" % (who, turn)
                try:
                    await bucket.commit([Put(key, value, at) for key, at in zip(keys, seen, strict=True)])
                except Conflict:
                    continue
                done += 1

        async with asyncio.TaskGroup() as tasks:
            for who, bucket in enumerate(buckets):
                tasks.create_task(write(bucket, who))
        assert done >= 1
        entries = [await buckets[0].get(key) for key in keys]
        assert len({entry.value for entry in entries if entry}) == 1
        assert max(entry.revision for entry in entries if entry) == 3 * done

    play(scenario)


def test_no_increment_is_lost(play: Play) -> None:
    async def scenario(world: World) -> None:
        buckets = [await opened(world) for _ in range(4)]

        async def increment(bucket: Bucket) -> None:
            for _ in range(15):
                await bucket.modify("n", lambda old: b"%d" % (int(old or b"0") + 1), timeout_s=15.0)

        async with asyncio.TaskGroup() as tasks:
            for bucket in buckets * 2:
                tasks.create_task(increment(bucket))
        entry = await buckets[0].get("n")
        assert entry is not None
        assert entry.value == b"120"
        assert entry.revision == 120

    play(scenario)


def test_no_increment_is_lost_when_the_broker_is(play: Play) -> None:
    async def scenario(world: World) -> None:
        buckets = [await opened(world) for _ in range(2)]
        halfway = asyncio.Event()

        async def increment(bucket: Bucket) -> None:
            for number in range(60):
                await bucket.modify("n", lambda old: b"%d" % (int(old or b"0") + 1), timeout_s=15.0)
                if number == 20:
                    halfway.set()

        async with asyncio.TaskGroup() as tasks:
            for bucket in buckets:
                tasks.create_task(increment(bucket))
            await halfway.wait()
            await world.stop()
            await world.start()
        entry = await buckets[0].get("n")
        assert entry is not None
        assert (entry.value, entry.revision) == (b"120", 120)

    play(scenario)


def test_keys_and_entries_by_pattern(play: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world)
        assert await bucket.keys() == ()
        for key in ("b.1", "a.2", "a.1", "a.1.x"):
            await bucket.put(key, key.encode())
        await bucket.delete("a.2")
        assert await bucket.keys() == ("a.1", "a.1.x", "b.1")
        assert await bucket.keys("a.*") == ("a.1",)
        assert await bucket.keys("c.>") == ()
        assert [entry.key for entry in await bucket.entries("a.>")] == ["a.1", "a.1.x"]

    play(scenario)


def test_history_keeps_as_many_revisions_as_it_says(play: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world, history=3)
        for number in range(4):
            await bucket.put("a", b"%d" % number)
        await bucket.delete("a")
        found = await bucket.history("a")
        assert [(entry.value, entry.deleted) for entry in found] == [(b"2", False), (b"3", False), (b"", True)]

    play(scenario)


def test_a_watch_tells_what_is_there_and_what_comes(play: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world)
        await bucket.put("a.1", b"old")
        await bucket.put("b.1", b"other")
        async with bucket.watch("a.>") as changes:
            assert (await anext(changes)).value == b"old"
            await bucket.put("a.2", b"new")
            await bucket.put("b.1", b"other")
            await bucket.delete("a.1")
            told = [await anext(changes), await anext(changes)]
            assert [(entry.key, entry.value, entry.deleted) for entry in told] == [
                ("a.2", b"new", False),
                ("a.1", b"", True),
            ]
            assert await changes.next(timeout_s=0.2) is None
            seen = changes.revision
        await bucket.put("a.3", b"while away")
        async with bucket.watch("a.>", after=seen) as changes:
            assert (await anext(changes)).key == "a.3"

    play(scenario)


def test_a_watch_goes_on_across_a_broker_restart_without_gap_or_repeat(play: Play) -> None:
    async def scenario(world: World) -> None:
        bucket, other = await opened(world), await opened(world)
        told: list[int] = []
        written: list[int] = []
        async with other.watch("n.>") as changes:

            async def write() -> None:
                for number in range(90):
                    written.append(await bucket.modify(f"n.{number}", lambda _: b"x", timeout_s=15.0))

            writing = asyncio.create_task(write(), name="write")
            while len(told) < 90:
                told.append((await anext(changes)).revision)
                if len(told) in (20, 50):
                    await world.stop()
                    await world.start()
            await writing
        assert told == written

    play(scenario)


def test_a_watch_that_nobody_reads_holds_no_more_than_its_limit_and_loses_nothing(play: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world)

        def spell(message: StoredMessage) -> Entry:
            return Entry(key=message.subject, value=message.body, revision=message.sequence)

        link = await world.link()
        async with Watch(link, bucket.stream, f"$KV.{bucket.name}.>", spell, None, 5.0, most=10) as changes:
            for number in range(60):
                await bucket.put(f"k{number}", b"%d" % number)
            told = [await anext(changes) for _ in range(60)]
        assert [entry.value for entry in told] == [b"%d" % number for number in range(60)]

    play(scenario)


def test_a_value_lives_as_long_as_it_is_told_to(play: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world)
        await bucket.put("short", b"x", ttl_s=1.0)
        await bucket.put("long", b"x")
        assert await bucket.keys() == ("long", "short")
        async with asyncio.timeout(5.0):
            while await bucket.get("short") is not None:  # noqa: ASYNC110 - no watch is told
                await asyncio.sleep(0.1)
        assert await bucket.keys() == ("long",)
        await bucket.create("short", b"y")
        with pytest.raises(ConfigurationError, match="whole seconds"):
            await bucket.put("short", b"x", ttl_s=1.5)

    play(scenario)


def test_time_to_live_is_exact_in_virtual_time(play_in_memory: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world)
        await bucket.put("a", b"x", ttl_s=3600.0)
        await asyncio.sleep(3599.0)
        assert await bucket.get("a") is not None
        await asyncio.sleep(1.0)
        assert await bucket.get("a") is None

    play_in_memory(scenario)


def test_limits_refuse_and_drop_nothing(play: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world, max_bytes=20_000)
        with pytest.raises(PayloadTooLarge):
            await bucket.put("a", bytes(1 << 21))
        for number in range(4):
            await bucket.put(f"k{number}", bytes(4_000))
        with pytest.raises(StorageFailed):
            await bucket.put("k4", bytes(4_000))
        assert len(await bucket.keys()) == 4
        await bucket.put("k1", bytes(3_000))  # what replaces has room

    play(scenario)


def test_names_are_checked_and_realms_are_apart(play_in_memory: Play) -> None:
    async def scenario(world: World) -> None:
        bucket = await opened(world)
        for key in ("", "a b", "a..b", ".a", "a.", "a.*", ">"):
            with pytest.raises(SubjectError):
                await bucket.put(key, b"")
        with pytest.raises(SubjectError):
            await Bucket.open(await world.link(), "no.name")
        with pytest.raises(ConfigurationError, match="1 to 64"):
            await Bucket.open(await world.link(), "things", history=0)
        other = await Bucket.open(await world.link(), "things", realm="other")
        await bucket.put("a", b"1")
        assert await other.get("a") is None
        assert (bucket.stream, other.stream) == ("KV_test_things", "KV_other_things")

    play_in_memory(scenario)
