"""A log: records in, checkpoints and proofs out, over any `Store`.

Invariants: `append` returns when the records are durable; a checkpoint covers durable records only, and is written when
all its tiles are; so a log that is opened again is at least as long as anything it has ever signed. `append` and `seal`
may be called beside themselves and one another. What is in no tile yet is bounded: `append` seals when it is too much.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Sequence
from contextlib import suppress

from ..errors import AgentBusError, LedgerInvalid
from .merkle import EMPTY, Range, consistency_ranges, inclusion_ranges, perfect, range_hash, root_of
from .notes import Checkpoint, Note, open_checkpoint, sign
from .signing import Key, Signer, check_key_name
from .store import CHECKPOINT, Store
from .tiles import BUNDLE, WIDTH, Place, Tail, decode_bundle, edge, hashes_in, place_of, tile_of

KEPT_TILES = 256
"""Full tiles that are remembered, for proofs."""
SPILLED = 64
"""Full tiles and bundles that are written as soon as there are so many: of 8,192 records."""
MAX_FILLED = 2048
"""Full tiles and bundles that wait in memory for a checkpoint: of 262,144 records."""


class Log:
    """One log, with one writer.

    Args:
        store: where it lies; open.
        signer: whose name is the log's origin.

    Attributes:
        checkpoint: the newest, None before the first.
        note: in which it was signed.
        mended: whether tiles had to be made anew when it was opened.
    """

    def __init__(self, store: Store, signer: Signer) -> None:
        self.checkpoint: Checkpoint | None = None
        self.note: Note | None = None
        self.mended = False
        self._store = store
        self._signer = signer
        self._key = Key.of(signer)
        self._tail = Tail()
        self._edge: set[str] = set()  # partial files of the newest checkpoint
        self._unsealed: dict[str, bytes] = {}  # files of no checkpoint yet, but for what the tail still has
        self._put: set[str] = set()  # those of them that are written, and not known to be durable
        self._tiles: OrderedDict[str, list[bytes]] = OrderedDict()
        self._turning = asyncio.Lock()
        self._sealing = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._spilling: asyncio.Task[None] | None = None
        check_key_name(signer.name)

    @property
    def size(self) -> int:
        """Durable records."""
        return self._tail.size

    @property
    def origin(self) -> str:
        """The log's name."""
        return self._signer.name

    # -- opening ---------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Takes up the log where it ended: at its checkpoint, and what the journal has beyond it. Tiles of the edge
        that are missing or torn are made anew, when the records give the checkpoint's root.

        Raises:
            LedgerInvalid: what lies there is not this log, or not whole.
        """
        content = await self._store.read(CHECKPOINT)
        size, root = 0, EMPTY
        if content is not None:
            self.note, self.checkpoint = open_checkpoint(content, self._key)
            size, root = self.checkpoint.size, self.checkpoint.root
        try:
            found = {place: await self._edge_file(place) for place in edge(size)}
            self._tail = Tail.at(size, found.__getitem__)
            self.mended = self._tail.root() != root or not self._tail.agrees()
        except LedgerInvalid:
            self.mended = True
        if self.mended:
            self._tail = await self._from_records(size, root)
        for first, entries in await self._store.journal():
            if first > self._tail.size:
                raise LedgerInvalid(f"record {self._tail.size} is missing in the journal", index=self._tail.size)
            self._tail.extend(entries[self._tail.size - first :])
        self._edge = {place.path for place in edge(size)}
        await self._store.remove([path for path in await self._store.partials() if path not in self._edge])

    async def _from_records(self, size: int, root: bytes) -> Tail:
        """The edge, of all records anew; writes all tiles."""
        tail = Tail()
        for first in range(0, size, WIDTH):
            place = Place(BUNDLE, first // WIDTH, min(WIDTH, size - first))
            tail.extend(decode_bundle(await self._edge_file(place))[: place.width])
            if tail.size != first + place.width:
                raise LedgerInvalid(f"record {tail.size} is missing", index=tail.size, path=place.path)
            if len(tail.filled) >= KEPT_TILES:
                await self._store.put(list(tail.filled.items()))
                tail.filled = {}
        if tail.root() != root:
            raise LedgerInvalid(f"the {size} records are not those of the checkpoint: verify the log")
        await self._store.put(tail.snapshot().files)
        await self._store.settle()
        return tail

    async def _edge_file(self, place: Place) -> bytes:
        """A file, or a wider one that was written for a later checkpoint that was not."""
        content = await self._store.read(place.path) or await self._store.read(place._replace(width=WIDTH).path)
        if content is None:
            for path in await self._store.partials():
                other = place_of(path)
                if other and other[:2] == place[:2] and other.width > place.width:
                    content = await self._store.read(path)
        if content is None:
            raise LedgerInvalid(f"{place.path} is missing", index=place.first, path=place.path)
        return content

    # -- growing ---------------------------------------------------------------------------------------------------

    async def append(self, entries: Sequence[bytes]) -> int:
        """Adds records; returns the number of the first when all are durable.

        Raises:
            StorageFailed: they are not, or nobody knows; call again with the same, and no others.
            LedgerInvalid: one is too long, or somebody else writes this log.
        """
        longest = max(map(len, entries), default=0)
        if longest > self._store.max_entry:
            raise LedgerInvalid(f"a record of {longest} bytes: {self._store.max_entry} are allowed here")
        if len(self._tail.filled) + len(self._unsealed) >= MAX_FILLED:
            await self.seal()
        adding = asyncio.get_running_loop().create_task(self._add(entries), name=f"{self.origin}: append")
        adding.add_done_callback(_look_at)
        return await asyncio.shield(adding)  # what is in the journal is in the tree, whoever waits for it or doesn't

    async def _add(self, entries: Sequence[bytes]) -> int:
        async with self._turning:
            first = self._tail.size
            if entries:
                await self._store.append(first, entries)
                self._tail.extend(entries)
        if len(self._tail.filled) >= SPILLED and (self._spilling is None or self._spilling.done()):
            self._spilling = asyncio.get_running_loop().create_task(self._spill(), name=f"{self.origin}: tiles")
        return first

    async def _spill(self) -> None:
        """Writes what is filled, so that little is left to be written at the next checkpoint."""
        async with self._writing:
            filled, self._tail.filled = self._tail.filled, {}
            self._unsealed.update(filled)
            with suppress(AgentBusError):  # the checkpoint writes it, then, or says why not
                await self._store.put(list(filled.items()))
                self._put.update(filled)

    async def seal(self) -> Note:
        """Writes tiles and a checkpoint of all records so far; returns its note. Nothing is written when nothing came.

        Raises:
            StorageFailed: it may be tried again.
        """
        async with self._sealing:
            return await self._seal()

    async def _seal(self) -> Note:
        async with self._turning:
            if self.note is not None and self.checkpoint is not None and self.checkpoint.size == self._tail.size:
                return self.note
            await self._store.turn_journal()
            snapshot = self._tail.snapshot()
        self._unsealed.update(snapshot.files)  # with what was not written before
        checkpoint = Checkpoint(self.origin, snapshot.size, snapshot.root)
        note = sign(checkpoint, self._signer)
        partial = {place.path for place in edge(snapshot.size)}
        async with self._writing:
            await self._write(partial)
            await self._store.write([(CHECKPOINT, bytes(note))])
            self.checkpoint, self.note, self._unsealed, self._put = checkpoint, note, {}, set()
        await self._store.drop_journal(snapshot.size)
        await self._store.remove(sorted(self._edge - partial))
        self._edge = partial
        return note

    async def _write(self, partial: Collection[str]) -> None:
        """Makes durable what is under no checkpoint, but for partial tiles of the past."""
        wanted = [(path, content) for path, content in self._unsealed.items() if path in partial or _full(path)]
        try:
            await self._store.put([file for file in wanted if file[0] not in self._put])
            await self._store.settle()
        except AgentBusError:
            self._put = set()  # nobody knows which of them the disk has
            raise

    # -- proving ---------------------------------------------------------------------------------------------------

    async def prove_inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof that record `index` is in the tree of `size`, at most ceil(log2(size)) hashes."""
        if not 0 <= index < size <= self.size:
            raise LedgerInvalid(f"no record {index} among the first {size} of {self.size}", index=index)
        return await self._hashes(inclusion_ranges(index, size))

    async def prove_consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of `new` begins with that of `old`."""
        if not 0 <= old <= new <= self.size:
            raise LedgerInvalid(f"no {old} records among the first {new} of {self.size}")
        return await self._hashes(consistency_ranges(old, new))

    async def _hashes(self, ranges: Sequence[Range]) -> list[bytes]:
        nodes = {node for begin, end in ranges for node in perfect(begin, end)}
        found = {node: await self._node(*node) for node in nodes}
        return [range_hash(begin, end, lambda level, index: found[level, index]) for begin, end in ranges]

    async def _node(self, level: int, index: int) -> bytes:
        tile_level, number, part = tile_of(level, index)
        return root_of((await self._tile(tile_level, number))[part])

    async def _tile(self, level: int, number: int) -> Sequence[bytes]:
        if number == (self._tail.size >> 8 * level) >> 8:
            return self._tail.row(level)
        path = Place(level, number).path
        known = self._tiles.get(path)
        if known is None:
            content = self._tail.filled.get(path) or self._unsealed.get(path) or await self._store.read(path)
            if content is None:
                raise LedgerInvalid(f"{path} is missing: verify the log", path=path)
            known = self._tiles[path] = hashes_in(content)
            if len(self._tiles) > KEPT_TILES:
                self._tiles.popitem(last=False)
        return known


def _look_at(adding: asyncio.Task[int]) -> None:
    """Whoever waited for it may have gone; its error is told to who comes next."""
    if not adding.cancelled():
        adding.exception()


def _full(path: str) -> bool:
    return ".p/" not in path
