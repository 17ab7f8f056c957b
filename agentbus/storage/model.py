"""What stores hold and what is written to them at once. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What stands under a key, or that it was deleted.

    Attributes:
        key: the key.
        value: bytes; empty for a deletion.
        revision: the number of the write in its store: it grows with every write, of whatever key.
        deleted: whether the write was a deletion; only `Store.watch` tells those.
    """

    key: str
    value: bytes
    revision: int
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """A value to be written in a commit.

    Attributes:
        key: the key.
        value: bytes.
        expected: only if this is the revision of the key's last write, 0 if it has none. None: in any case.
        ttl_s: whole seconds that it lives. None: for ever.
    """

    key: str
    value: bytes
    expected: int | None = None
    ttl_s: float | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """A key to be deleted in a commit. `expected` as of `Put`."""

    key: str
    expected: int | None = None
