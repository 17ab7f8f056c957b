"""Saves states under names, each whole or not at all, and finds the newest that is whole.

The last `keep` checkpoints of a name lie in slots that are written in turn, so the newest is never overwritten by the
next. Invariants: a checkpoint is one atomic commit; the slot to be written must be as this saver last saw it, so of two
savers of one name the one that did not load last gets `Conflict`, and from then on always, until it loads.

Reference: two-slot checkpoints as in J. Gray and A. Reuter, "Transaction Processing" (1993), 11.4 (ping-pong).
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import CheckpointInvalid, ConfigurationError, Conflict, PayloadTooLarge, StorageFailed
from ...subjects import check_name
from ...transport import MAX_BATCH
from ..model import Delete, Put
from ..store import Store
from .codec import Head, joined, read_head, split

CLAIMS = 5
"""Attempts to load and save before another saver does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A state that was saved. `number` grows by one with each of its name."""

    name: str
    number: int
    state: bytes


@dataclass(slots=True)
class _Slot:
    """What one slot held when it was last seen. `unsure`: the head of a save of which nobody knows what became."""

    revision: int = 0
    number: int = 0
    chunks: int = 0
    unsure: bytes | None = None


class Checkpoints:
    """Checkpoints in a store.

    Args:
        store: where they lie; of enough `max_bytes` for `keep` of the largest of each name.
        version: of the states, as the application counts it; a checkpoint of another version is invalid.
        keep: checkpoints kept of each name, at least 2.
        max_bytes: of the largest state.
    """

    def __init__(self, store: Store, *, version: int = 1, keep: int = 2, max_bytes: int = 32 << 20) -> None:
        if keep < 2:
            raise ConfigurationError(f"keep={keep}: at least 2, or a failed save would leave nothing to go back to")
        self._store = store
        self._version = version
        self._keep = keep
        self._max_bytes = max_bytes
        self._slots: dict[str, list[_Slot]] = {}

    async def save(self, name: str, state: bytes) -> int:
        """Saves a state; returns the checkpoint's number.

        Raises:
            Conflict: another saver came first; `load` before saving again.
            PayloadTooLarge: more than `max_bytes`, or than one commit takes.
            StorageFailed: not acknowledged in time; the next `save` finds out what became of it.
        """
        slots = self._slots.get(name)
        if slots is None:
            slots, _ = await self._look(name)
        for index, slot in enumerate(slots):
            await self._make_sure(name, index, slot)
        number = max(slot.number for slot in slots) + 1
        index = number % self._keep
        slot, key = slots[index], f"{name}.{index}"
        head, chunks = split(state, number=number, version=self._version, room=self._store.max_value)
        changes: list[Put | Delete] = [Put(f"{key}.{at}", chunk) for at, chunk in enumerate(chunks)]
        changes += [Delete(f"{key}.{at}") for at in range(len(chunks), slot.chunks)]
        changes.append(Put(key, head, slot.revision))
        if len(state) > self._max_bytes or len(changes) > MAX_BATCH:
            raise PayloadTooLarge(f"checkpoint {name!r}: {len(state)} bytes: raise max_bytes, or keep less state")
        try:
            revision = await self._written(changes)
        except Conflict:
            raise
        except StorageFailed:
            slot.unsure = head
            raise
        slots[index] = _Slot(revision, number, len(chunks))
        return number

    async def load(self, name: str) -> Checkpoint | None:
        """The newest checkpoint that is whole and of this version; None if there never was one.

        Raises:
            CheckpointInvalid: there are some and none can be used; `reasons` says why, the newest first.
        """
        slots, heads = await self._look(name)
        reasons: list[str] = []
        for index in sorted(heads, key=lambda index: slots[index].number, reverse=True):
            try:
                return await self._read(name, index, heads[index])
            except CheckpointInvalid as error:
                reasons.append(str(error))
        if reasons:
            raise CheckpointInvalid(f"no checkpoint of {name!r} can be used: {'; '.join(reasons)}", reasons=reasons)
        return None

    async def claim(self, name: str) -> Checkpoint | None:
        """Loads, and saves the same again, so that whoever else saves this name gets `Conflict` from now on. None, and
        nothing claimed, if there never was one. Raises as `load` and `save`; `Conflict` after `CLAIMS` attempts."""
        for attempt in range(1, CLAIMS + 1):
            found = await self.load(name)
            if found is None:
                return None
            try:
                return Checkpoint(name=name, number=await self.save(name, found.state), state=found.state)
            except Conflict:
                if attempt == CLAIMS:
                    raise
        raise AssertionError("unreachable")

    async def forget(self, name: str) -> None:
        """Deletes all checkpoints of a name. Raises `Conflict` as `save`."""
        slots, _ = await self._look(name)
        changes: list[Put | Delete] = []
        for index, slot in enumerate(slots):
            if slot.revision:
                changes.append(Delete(f"{name}.{index}", slot.revision))
                changes += [Delete(f"{name}.{index}.{at}") for at in range(slot.chunks)]
        for at in range(0, len(changes), MAX_BATCH):
            await self._store.commit(changes[at : at + MAX_BATCH])
        self._slots.pop(name, None)

    # Inside.

    async def _written(self, changes: list[Put | Delete]) -> int:
        if len(changes) == 1 and isinstance(put := changes[0], Put) and put.expected is not None:
            return await self._store.update(put.key, put.value, put.expected)
        return (await self._store.commit(changes))[-1]

    async def _look(self, name: str) -> tuple[list[_Slot], dict[int, bytes]]:
        """What the slots hold, and the bytes of the heads that are there."""
        check_name(name, "checkpoint")
        slots: list[_Slot] = []
        heads: dict[int, bytes] = {}
        for index in range(self._keep):
            entry = await self._store.get(f"{name}.{index}")
            if entry is None:
                slots.append(_Slot(await self._store.revision(f"{name}.{index}")))
                continue
            heads[index] = entry.value
            slots.append(_slot(entry.revision, entry.value))
        self._slots[name] = slots
        return slots, heads

    async def _make_sure(self, name: str, index: int, slot: _Slot) -> None:
        """Finds out whether a save that failed was stored after all. Raises `Conflict`: another one was."""
        if slot.unsure is None:
            return
        entry = await self._store.get(f"{name}.{index}")
        if entry is not None and entry.value == slot.unsure:
            found = _slot(entry.revision, entry.value)
            slot.revision, slot.number, slot.chunks = found.revision, found.number, found.chunks
        elif (entry.revision if entry is not None else slot.revision) != slot.revision:
            raise Conflict(f"checkpoint {name!r}: another saver came first; load before saving again")
        slot.unsure = None

    async def _read(self, name: str, index: int, value: bytes) -> Checkpoint:
        what = f"checkpoint {name!r} in slot {index}"
        head = read_head(value, what)
        if head.version != self._version:
            raise CheckpointInvalid(f"{what}: it is of version {head.version}, this program reads {self._version}")
        state = joined(head, await self._chunks(f"{name}.{index}", head), what)
        return Checkpoint(name=name, number=head.number, state=state)

    async def _chunks(self, key: str, head: Head) -> list[bytes | None]:
        entries = [await self._store.get(f"{key}.{at}") for at in range(head.chunks)]
        return [None if entry is None else entry.value for entry in entries]


def _slot(revision: int, value: bytes) -> _Slot:
    """What a slot holds; one that can't be read is as good as empty, and is written over."""
    try:
        head = read_head(value, "")
    except CheckpointInvalid:
        return _Slot(revision)
    return _Slot(revision, head.number, head.chunks)
