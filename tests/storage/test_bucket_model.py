"""`Bucket` against a dict that remembers revisions, whatever is done in whatever order (Hypothesis)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agentbus.errors import Conflict
from agentbus.storage import Bucket, Delete, Put, Watch
from agentbus.testing import VirtualTimeLoop
from agentbus.transports.memory import MemoryBroker, MemoryTransport

KEYS = st.sampled_from(["a", "b", "a.c"])
VALUES = st.binary(max_size=3)
OFFSETS = st.integers(-1, 1)
"""What is added to the right revision: only 0 may succeed."""

T = TypeVar("T")


class BucketMachine(RuleBasedStateMachine):
    """`last`: of each key its last write, (revision, value or None for a deletion, when it ends)."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualTimeLoop(limit_s=1e6)
        self.last: dict[str, tuple[int, bytes | None, float]] = {}
        self.writes = 0
        self.told: dict[str, tuple[int, bytes | None]] = {}
        self.expired: set[str] = set()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize()
    def open(self) -> None:
        async def begin() -> None:
            self.transport = MemoryTransport(MemoryBroker())
            await self.transport.connect()
            self.bucket = await Bucket.open(self.transport, "model")
            self.changes: Watch = self.bucket.watch()
            await self.changes.__aenter__()

        self.run(begin())

    def teardown(self) -> None:
        if hasattr(self, "transport"):
            self.run(self.changes.__aexit__(None, None, None))
            self.run(self.transport.close())
        self.loop.close()

    def revision(self, key: str) -> int:
        return self.last[key][0] if key in self.last else 0

    def value(self, key: str) -> bytes | None:
        return self.last[key][1] if key in self.last else None

    def wrote(self, key: str, value: bytes | None, revision: int, ttl_s: float = float("inf")) -> None:
        self.writes += 1
        assert revision == self.writes, "revisions are the numbers of the writes"
        self.last[key] = (revision, value, self.loop.time() + ttl_s)
        self.expired.discard(key)

    def attempt(self, work: Coroutine[Any, Any, T], allowed: bool) -> T | None:
        try:
            done = self.run(work)
        except Conflict:
            assert not allowed, "a conflict where there is none"
            return None
        assert allowed, "no conflict where there is one"
        return done

    @rule(key=KEYS, value=VALUES, ttl=st.sampled_from([None, 2.0]))
    def put(self, key: str, value: bytes, ttl: float | None) -> None:
        self.wrote(key, value, self.run(self.bucket.put(key, value, ttl_s=ttl)), ttl or float("inf"))

    @rule(key=KEYS, value=VALUES)
    def create(self, key: str, value: bytes) -> None:
        revision = self.attempt(self.bucket.create(key, value), self.value(key) is None)
        if revision is not None:
            self.wrote(key, value, revision)

    @rule(key=KEYS, value=VALUES, offset=OFFSETS)
    def update(self, key: str, value: bytes, offset: int) -> None:
        expected = max(0, self.revision(key) + offset)
        allowed = expected == self.revision(key)
        revision = self.attempt(self.bucket.update(key, value, expected), allowed)
        if revision is not None:
            self.wrote(key, value, revision)

    @rule(key=KEYS, offset=OFFSETS)
    def delete(self, key: str, offset: int) -> None:
        expected = max(0, self.revision(key) + offset)
        revision = self.attempt(self.bucket.delete(key, revision=expected), expected == self.revision(key))
        if revision is not None:
            self.wrote(key, None, revision)

    @rule(puts=st.dictionaries(KEYS, st.tuples(st.none() | VALUES, st.none() | OFFSETS), min_size=1))
    def commit(self, puts: dict[str, tuple[bytes | None, int | None]]) -> None:
        changes: list[Put | Delete] = []
        allowed = True
        for key, (value, offset) in puts.items():
            expected = None if offset is None else max(0, self.revision(key) + offset)
            allowed = allowed and expected in (None, self.revision(key))
            changes.append(Delete(key, expected) if value is None else Put(key, value, expected))
        revisions = self.attempt(self.bucket.commit(changes), allowed)
        for (key, (value, _)), revision in zip(puts.items(), revisions or (), strict=False):
            self.wrote(key, value, revision)

    @rule(key=KEYS)
    def purge(self, key: str) -> None:
        assert self.run(self.bucket.purge(key)) == (key in self.last)
        self.last.pop(key, None)
        self.expired.add(key)

    @rule(seconds=st.sampled_from([1.0, 1.5]))
    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))
        for key in [key for key, (_, _, ends) in self.last.items() if ends <= self.loop.time()]:
            del self.last[key]
            self.expired.add(key)

    @rule()
    def read_the_watch(self) -> None:
        self.run(self.take_changes())
        for key, (revision, value, _) in self.last.items():
            assert self.told[key] == (revision, value)

    @precondition(lambda self: self.writes > 0)
    @rule()
    def watch_from_where_it_was(self) -> None:
        async def again() -> None:
            after = self.changes.revision
            await self.take_changes()
            await self.changes.__aexit__(None, None, None)
            self.changes = self.bucket.watch(after=after or 0)
            await self.changes.__aenter__()

        self.run(again())

    async def take_changes(self) -> None:
        newest = max((revision for revision, _ in self.told.values()), default=0)
        while (entry := await self.changes.next(timeout_s=0.01)) is not None:
            if entry.revision > newest:
                newest = entry.revision
                self.told[entry.key] = (entry.revision, None if entry.deleted else entry.value)

    @invariant()
    def reads_are_what_was_written(self) -> None:
        async def read() -> None:
            for key in ("a", "b", "a.c"):
                entry = await self.bucket.get(key)
                assert (None if entry is None else entry.value) == self.value(key)
                assert await self.bucket.revision(key) == self.revision(key)

        if hasattr(self, "bucket"):
            self.run(read())

    @rule()
    def list_the_keys(self) -> None:
        live = tuple(sorted(key for key in self.last if self.value(key) is not None))
        assert self.run(self.bucket.keys()) == live


TestBucket = BucketMachine.TestCase
TestBucket.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
