"""Where a log lies: files by path, and a journal of what is in no tile yet. `Folder` is one, `InBucket` another.

Invariants that both keep: what `write` and `append` have returned from is durable, as far as the place is; a file is
there whole or not at all; of a journal a torn end may be lost, never a middle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from ..errors import Conflict, LedgerInvalid, NotConnected
from ..storage import Bucket
from ..subjects import check_name
from ..transport import Transport
from .tiles import MAX_ENTRY, WIDTH, File, decode_bundle, encode_bundle

Batch = tuple[int, list[bytes]]
"""The number of the first of some records, and they."""

JOURNAL = "journal/"
CHECKPOINT = "checkpoint"
"""Where a log's newest checkpoint lies."""
WITNESSED = "witnessed"
"""Where the newest lies that enough witnesses have cosigned."""

_AT_ONCE = 256
"""Files in one commit of a bucket."""


class Files(Protocol):
    """Files by path."""

    async def open(self, transport: Transport, realm: str) -> None:
        """Called once before all else, with what an agent has. Raises `LedgerInvalid` when another writer is there."""
        ...

    async def close(self) -> None:
        """Called last."""
        ...

    async def read(self, path: str) -> bytes | None:
        """What lies there."""
        ...

    async def write(self, files: Sequence[File]) -> None:
        """Puts files, one after the other, in place of what lies there; each is durable before the next. Raises
        `StorageFailed`."""
        ...


class Store(Files, Protocol):
    """A place for a log.

    Attributes:
        max_entry: bytes of a record at most; known when it is open.
        torn: bytes at the journal's end that were cut off when it was read: a write that was under way.
    """

    max_entry: int

    @property
    def torn(self) -> int: ...

    async def put(self, files: Sequence[File]) -> None:
        """Puts files in place of what lies there, durable when `settle` has returned. Raises `StorageFailed`."""
        ...

    async def settle(self) -> None:
        """Returns when all that was put is durable. Raises `StorageFailed`: put all of it again."""
        ...

    async def remove(self, paths: Iterable[str]) -> None:
        """Takes files away; what is not there is no matter."""
        ...

    async def partials(self) -> list[str]:
        """The paths of all partial tiles and bundles."""
        ...

    async def append(self, first: int, entries: Sequence[bytes]) -> None:
        """Adds records to the journal, the first being number `first`. Raises `StorageFailed`: none was added, or
        nobody knows; the same call may be made again."""
        ...

    async def journal(self) -> list[Batch]:
        """What the journal holds, by number; its torn end is mended. Raises `LedgerInvalid`: it is torn elsewhere."""
        ...

    async def turn_journal(self) -> None:
        """Called between two calls of `append`: what comes next can be kept when what came before is dropped."""
        ...

    async def drop_journal(self, before: int) -> None:
        """Forgets what was appended before `turn_journal` was called at this size."""
        ...


class InBucket:
    """A `Store` in a key-value bucket of a transport's streams: over NATS, JetStream.

    A second writer is found out by its first record: each is created under its number, once.

    Args:
        name: the bucket's.
        under: the first token of all of its keys: several logs may share a bucket. In a realm of identities, whose
            agents write keys under their own names only, the name of the agent that keeps the log.
        replicas: copies in a cluster, 1 to 5.
        max_bytes: what it may hold; above it nothing is taken. -1 for no limit.
    """

    torn = 0
    """The broker stores a value whole or not at all."""

    def __init__(self, name: str, *, under: str = "", replicas: int = 1, max_bytes: int = 1 << 30) -> None:
        self.max_entry = MAX_ENTRY
        self._name = name
        self._under = f"{check_name(under, 'token of keys')}." if under else ""
        self._replicas = replicas
        self._max_bytes = max_bytes
        self._opened: Bucket | None = None

    async def open(self, transport: Transport, realm: str) -> None:
        """See `Files`."""
        self._opened = await Bucket.open(
            transport, self._name, realm=realm, replicas=self._replicas, max_bytes=self._max_bytes
        )
        self.max_entry = min(MAX_ENTRY, self._opened.max_value // WIDTH - 2)  # a full bundle is one value

    async def close(self) -> None:
        """See `Files`."""
        self._opened = None

    @property
    def _bucket(self) -> Bucket:
        if self._opened is None:
            raise NotConnected(f"the bucket {self._name!r} is not open: host the agent that uses it")
        return self._opened

    async def read(self, path: str) -> bytes | None:
        """See `Files`."""
        entry = await self._bucket.get(self._under + path)
        return None if entry is None else entry.value

    async def write(self, files: Sequence[File]) -> None:
        """See `Files`."""
        for path, content in files:
            await self._bucket.put(self._under + path, content)

    async def put(self, files: Sequence[File]) -> None:
        """See `Store`."""
        await self.write(files)

    async def settle(self) -> None:
        """See `Store`: each was durable when it was put."""

    async def remove(self, paths: Iterable[str]) -> None:
        """See `Store`."""
        for path in paths:
            await self._bucket.purge(self._under + path)

    async def partials(self) -> list[str]:
        """See `Store`."""
        found = await self._bucket.keys(f"{self._under}*.*")  # a full tile's path has no dot
        return [key.removeprefix(self._under) for key in found]

    async def append(self, first: int, entries: Sequence[bytes]) -> None:
        """See `Store`."""
        room = self._bucket.max_value
        batch: list[bytes] = []
        length, begin = 0, first
        for entry in entries:
            if batch and length + len(entry) + 2 > room:
                await self._create(begin, batch)
                begin, batch, length = begin + len(batch), [], 0
            batch.append(entry)
            length += len(entry) + 2
        await self._create(begin, batch)

    async def _create(self, first: int, entries: list[bytes]) -> None:
        if not entries:
            return
        content = encode_bundle(entries)
        path = f"{JOURNAL}{first:020}"
        try:
            await self._bucket.create(self._under + path, content)
        except Conflict:
            if await self.read(path) != content:  # else it is this call's, made before
                raise LedgerInvalid(
                    f"record {first} is there already: somebody else writes this log", index=first
                ) from None

    async def journal(self) -> list[Batch]:
        """See `Store`."""
        batches: list[Batch] = []
        start = self._under + JOURNAL
        for entry in await self._bucket.entries(f"{self._under}*"):
            if entry.key.startswith(start):
                batches.append((int(entry.key.removeprefix(start)), decode_bundle(entry.value)))
        return sorted(batches)

    async def turn_journal(self) -> None:
        """See `Store`."""

    async def drop_journal(self, before: int) -> None:
        """See `Store`."""
        start = self._under + JOURNAL
        end = f"{start}{before:020}"
        for key in await self._bucket.keys(f"{self._under}*"):
            if key.startswith(start) and key < end:
                await self._bucket.purge(key)
