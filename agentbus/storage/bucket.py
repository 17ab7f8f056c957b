"""A key-value store over a stream of any transport, laid out as NATS's own, so that any NATS client can read it.

Invariants: a key's value is the last message of its subject; a deletion is a message too, with the header
``KV-Operation: DEL``; a revision is a sequence of the stream. A stream that is full refuses writes: nothing that was
acknowledged is dropped but what a newer write of the same key replaces.

Reference: NATS ADR-8 (key-value store).
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Sequence

from ..errors import ConfigurationError, Conflict, StorageFailed, SubjectError
from ..subjects import check_name, check_subject
from ..transport import StoredMessage, StreamLimits, StreamSpec, Transport, Write
from .model import Delete, Entry, Put
from .watch import Watch

OPERATION = "KV-Operation"
_DELETED = ("DEL", "PURGE")
_KEY = re.compile(r"[A-Za-z0-9_=/-]+(\.[A-Za-z0-9_=/-]+)*")
HEADER_ROOM = 1024
"""Bytes of the broker's largest message that are left for headers."""
LOOK_S = 1.0
"""Seconds after which a listing looks whether the last entry it waits for is still there."""


class Bucket:
    """A `Store` in a stream. Made by `open`.

    Attributes:
        name: with the realm's.
        stream: the stream's name, ``KV_`` and the name.
    """

    def __init__(self, transport: Transport, name: str, *, timeout_s: float, new_id: Callable[[], str]) -> None:
        self.name = name
        self.stream = f"KV_{name}"
        self._prefix = f"$KV.{name}."
        self._transport = transport
        self._timeout_s = timeout_s
        self._new_id = new_id

    @classmethod
    async def open(
        cls,
        transport: Transport,
        name: str,
        *,
        realm: str = "agentbus",
        history: int = 1,
        replicas: int = 1,
        max_bytes: int = 64 << 20,
        timeout_s: float = 5.0,
        new_id: Callable[[], str] | None = None,
    ) -> Bucket:
        """Finds the bucket, or makes it.

        Args:
            transport: the wire; `Context.transport` and `Node.transport` are one.
            name: ``[A-Za-z0-9_-]+``; two realms' buckets of one name are two.
            realm: `Context.realm`.
            history: revisions that are kept of each key, 1 to 64.
            replicas: copies in a cluster, 1 to 5.
            max_bytes: what it may hold; above it writes are refused. -1 for no limit.
            timeout_s: seconds that each operation may take. Losing a leader takes up to 10.
            new_id: makes the ids of messages. By default they are random.

        Raises:
            ConfigurationError: a name that is not one, or a history out of range.
            StorageFailed: the stream could not be made.
            NotConnected: no link within the time.
        """
        if not 1 <= history <= 64:
            raise ConfigurationError(f"history={history}: a bucket keeps 1 to 64 revisions of a key")
        full_name = f"{check_name(realm, 'realm')}_{check_name(name, 'bucket')}"
        bucket = cls(transport, full_name, timeout_s=timeout_s, new_id=new_id or _random_id)
        spec = StreamSpec(
            name=bucket.stream,
            subjects=(f"$KV.{full_name}.>",),
            limits=StreamLimits(max_bytes=max_bytes, max_age_s=0.0, replicas=replicas),
            per_subject=history,
            batches=True,
            message_ttl=True,
            refuse_when_full=True,
        )
        await transport.ensure_stream(spec, timeout_s=timeout_s)
        return bucket

    @property
    def max_value(self) -> int:
        """Bytes: the largest value."""
        return self._transport.max_payload - HEADER_ROOM

    async def get(self, key: str) -> Entry | None:
        """See `Store.get`."""
        entry = await self._last(key)
        return None if entry is None or entry.deleted else entry

    async def revision(self, key: str) -> int:
        """See `Store.revision`."""
        entry = await self._last(key)
        return 0 if entry is None else entry.revision

    async def put(self, key: str, value: bytes, *, ttl_s: float | None = None) -> int:
        """See `Store.put`."""
        return await self._write(Put(key, value, ttl_s=ttl_s))

    async def create(self, key: str, value: bytes, *, ttl_s: float | None = None) -> int:
        """See `Store.create`."""
        try:
            return await self._write(Put(key, value, 0, ttl_s))
        except Conflict:
            entry = await self._last(key)
            if entry is None or not entry.deleted:
                raise
        return await self._write(Put(key, value, entry.revision, ttl_s))

    async def update(self, key: str, value: bytes, revision: int, *, ttl_s: float | None = None) -> int:
        """See `Store.update`."""
        return await self._write(Put(key, value, revision, ttl_s))

    async def delete(self, key: str, *, revision: int | None = None) -> int:
        """See `Store.delete`. The deletion itself stays, some hundred bytes, until the key is written or purged."""
        return await self._write(Delete(key, revision))

    async def modify(self, key: str, change: Callable[[bytes | None], bytes], *, timeout_s: float | None = None) -> int:
        """Reads, changes and writes, again and again until no other write comes between.

        Args:
            key: the key.
            change: what to write in place of what stands there (None: nothing); called once for each attempt.
            timeout_s: seconds for all attempts. Default: as the bucket's operations.

        Raises:
            Conflict: others always came first, until the time was over.
        """
        deadline = asyncio.get_running_loop().time() + (self._timeout_s if timeout_s is None else timeout_s)
        while True:
            entry = await self._last(key)
            old = None if entry is None or entry.deleted else entry.value
            try:
                return await self._write(Put(key, change(old), 0 if entry is None else entry.revision))
            except Conflict:
                if asyncio.get_running_loop().time() >= deadline:
                    raise

    async def commit(self, changes: Sequence[Put | Delete]) -> tuple[int, ...]:
        """See `Store.commit`. At most 1,000 changes, each key once."""
        writes = [self._spelled(change) for change in changes]
        stored = await self._transport.store_all(writes, message_id=self._new_id(), timeout_s=self._timeout_s)
        return tuple(each.sequence for each in stored)

    async def purge(self, key: str) -> int:
        """Drops all revisions of a key, its deletion too, as if it had never been; returns how many. No watch is
        told."""
        return await self._transport.purge(self.stream, self._subject(key), timeout_s=self._timeout_s)

    async def history(self, key: str) -> tuple[Entry, ...]:
        """The revisions of a key that are kept, deletions too, the oldest first."""
        found: list[Entry] = []
        subject = self._subject(key)
        while True:
            after = found[-1].revision if found else 0
            message = await self._transport.after(self.stream, subject, after, timeout_s=self._timeout_s)
            if message is None:
                return tuple(found)
            found.append(self._entry(message))

    async def entries(self, pattern: str = ">") -> tuple[Entry, ...]:
        """See `Store.entries`."""
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        subject = self._pattern(pattern)
        found: dict[str, Entry] = {}
        async with self.watch(pattern) as changes:
            while (newest := await self._transport.last(self.stream, subject)) is not None:
                if await _reached(changes, newest.sequence, found):
                    break
                if asyncio.get_running_loop().time() >= deadline:
                    raise StorageFailed(f"bucket {self.name}: not all of {pattern!r} came in {self._timeout_s:g} s")
        return tuple(sorted((e for e in found.values() if not e.deleted), key=lambda entry: entry.revision))

    async def keys(self, pattern: str = ">") -> tuple[str, ...]:
        """See `Store.keys`."""
        return tuple(sorted(entry.key for entry in await self.entries(pattern)))

    def watch(self, pattern: str = ">", *, after: int | None = None) -> Watch:
        """See `Store.watch`."""
        return Watch(self._transport, self.stream, self._pattern(pattern), self._entry, after, self._timeout_s)

    # Inside.

    async def _last(self, key: str) -> Entry | None:
        message = await self._transport.last(self.stream, self._subject(key), timeout_s=self._timeout_s)
        return None if message is None else self._entry(message)

    async def _write(self, change: Put | Delete) -> int:
        write = self._spelled(change)
        stored = await self._transport.store(
            write.subject,
            write.body,
            message_id=self._new_id(),
            headers=write.headers,
            expected=write.expected,
            ttl_s=write.ttl_s,
            timeout_s=self._timeout_s,
        )
        return stored.sequence

    def _spelled(self, change: Put | Delete) -> Write:
        subject = self._subject(change.key)
        if isinstance(change, Delete):
            return Write(subject=subject, body=b"", headers={OPERATION: "DEL"}, expected=change.expected)
        return Write(subject=subject, body=change.value, expected=change.expected, ttl_s=change.ttl_s)

    def _entry(self, message: StoredMessage) -> Entry:
        deleted = (message.headers or {}).get(OPERATION, "PUT") in _DELETED
        return Entry(
            key=message.subject.removeprefix(self._prefix),
            value=b"" if deleted else message.body,
            revision=message.sequence,
            deleted=deleted,
        )

    def _subject(self, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise SubjectError(f"{key!r} is no key: write letters, digits, '_', '=', '/' and '-' in tokens with '.'")
        return self._prefix + key

    def _pattern(self, pattern: str) -> str:
        return self._prefix + check_subject(pattern, pattern=True, what="pattern of keys")


async def _reached(changes: Watch, revision: int, found: dict[str, Entry]) -> bool:
    """Takes changes until one has `revision` or more; False when none comes for a while."""
    if any(entry.revision >= revision for entry in found.values()):
        return True
    while True:
        entry = await changes.next(timeout_s=LOOK_S)
        if entry is None:
            return False
        found[entry.key] = entry
        if entry.revision >= revision:
            return True


def _random_id() -> str:
    return secrets.token_hex(12)
