"""What a key-value store promises.

* **Writes are compare-and-set** where a revision is given: of any number of writers that expect the same, one succeeds
  and the others get `Conflict`; a lost acknowledgement never turns a success into a `Conflict`.
* **Reads see every write that was acknowledged before**, except for a few seconds in which a leader was replaced and
  does not know it yet: so a decision is made by a write with a revision, never by a read alone.
* **A commit** is done whole or not at all.
* **A watch** tells changes in the order of their revisions, each once, and goes on from any revision.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from .model import Delete, Entry, Put


class Store(Protocol):
    """Keys and values. Keys are tokens of ``[A-Za-z0-9_=/-]`` joined by dots; patterns have NATS's wildcards.

    Every method raises `StorageFailed` when the store does not answer in time, and `SubjectError` for a bad key.
    """

    @property
    def max_value(self) -> int:
        """Bytes: the largest value."""
        ...

    async def get(self, key: str) -> Entry | None:
        """What stands under a key; None for nothing, or a deletion."""
        ...

    async def revision(self, key: str) -> int:
        """The revision of the key's last write, a deletion too; 0 if there is none."""
        ...

    async def put(self, key: str, value: bytes, *, ttl_s: float | None = None) -> int:
        """Writes in any case; returns the revision."""
        ...

    async def create(self, key: str, value: bytes, *, ttl_s: float | None = None) -> int:
        """Writes where nothing stands. Raises `Conflict` where something does."""
        ...

    async def update(self, key: str, value: bytes, revision: int, *, ttl_s: float | None = None) -> int:
        """Writes if `revision` is that of the key's last write. Raises `Conflict` if it is not."""
        ...

    async def delete(self, key: str, *, revision: int | None = None) -> int:
        """Deletes, if `revision` is that of the last write where one is given; returns the deletion's own revision.
        Raises `Conflict`."""
        ...

    async def commit(self, changes: Sequence[Put | Delete]) -> tuple[int, ...]:
        """Does all of the changes or none; returns their revisions, which are adjacent. Raises `Conflict`."""
        ...

    async def entries(self, pattern: str = ">") -> tuple[Entry, ...]:
        """What stands under the keys that match, in the order of the revisions."""
        ...

    async def keys(self, pattern: str = ">") -> tuple[str, ...]:
        """The keys that match and have a value, sorted."""
        ...

    def watch(
        self, pattern: str = ">", *, after: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Entry]]:
        """Changes as they come, deletions among them.

        Args:
            pattern: of keys.
            after: begin with the first change above this revision. None: begin with what stands there now.
        """
        ...
