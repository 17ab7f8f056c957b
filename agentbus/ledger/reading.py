"""A log that is read from its files, by whoever has them: records and proofs, without a writer and without trust."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import LedgerInvalid
from .contents import content_of
from .merkle import HASH_BYTES, Range, consistency_ranges, inclusion_ranges, range_hash, root_of
from .tiles import BUNDLE, HEIGHT, WIDTH, Place, hashes_in, split_bundle, tile_of

KEPT_TILES = 64
KEPT_NODES = 8192
"""Hashes above full tiles of level 0, which proofs of a million records share."""
ATTEMPTS = 3
"""Of finding a file that whoever writes the log replaces by a wider one meanwhile."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        text: what.
        index: the first record that is in doubt for it; None when it is none of them.
        path: the file; empty when it is none, or the whole.
        hash: which of a tile's hashes; None when it is none of them.
    """

    text: str
    index: int | None = None
    path: str = ""
    hash: int | None = None


class Reader:
    """The files of a log of `size` records.

    Args:
        folder: where it lies.
        size: as a checkpoint says.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size
        self._tile = lru_cache(KEPT_TILES)(self.tile)
        self._shared = lru_cache(KEPT_NODES)(self._fold)

    def place(self, level: int, number: int) -> Place:
        """The tile or bundle of a number, as wide as `size` makes it."""
        return Place(level, number, min(WIDTH, (self.size >> HEIGHT * max(level, 0)) - number * WIDTH))

    def find(self, place: Place) -> tuple[Place, bytes]:
        """A tile or bundle as it lies there; one of the edge may have grown since. Its width is told.

        Raises:
            LedgerInvalid: it is missing, or can't be read.
        """
        for _ in range(ATTEMPTS):
            for candidate in self._candidates(place):
                try:
                    return candidate, content_of(self.folder / candidate.path)
                except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                    continue
                except OSError as error:
                    text = f"{place.path} can't be read: {error.strerror}"
                    raise LedgerInvalid(text, index=place.first, path=place.path) from None
        raise LedgerInvalid(f"{place.path} is missing", index=place.first, path=place.path)

    def _candidates(self, place: Place) -> Iterator[Place]:
        """Where a tile of the edge may lie by now."""
        yield place
        if place.width < WIDTH:
            try:
                names = os.listdir((self.folder / place.path).parent)
            except OSError:
                names = []
            widths = sorted(int(name) for name in names if name.isdecimal())
            yield from (place._replace(width=width) for width in widths if width > place.width)
            yield place._replace(width=WIDTH)

    def bundle(self, number: int) -> tuple[list[bytes], bool]:
        """The records of a bundle, as far as they can be told apart, and whether they are as many as there should be.
        Raises `LedgerInvalid`: there is no bundle."""
        place = self.place(BUNDLE, number)
        found, content = self.find(place)
        entries, whole = split_bundle(content)
        return entries[: place.width], whole and len(entries) == found.width

    def tile(self, level: int, number: int) -> list[bytes]:
        """The hashes of a tile. Raises `LedgerInvalid`: it is missing, or not of its length."""
        place = self.place(level, number)
        found, content = self.find(place)
        if len(content) != HASH_BYTES * found.width:
            raise LedgerInvalid(f"{found.path} is not of its length", path=found.path)
        return hashes_in(content[: HASH_BYTES * place.width])

    def record(self, index: int) -> bytes:
        """One record's bytes. Raises `LedgerInvalid`."""
        if not 0 <= index < self.size:
            raise LedgerInvalid(f"no record {index}: the checkpoint is of {self.size}", index=index)
        entries, _ = self.bundle(index // WIDTH)
        if index % WIDTH >= len(entries):
            raise LedgerInvalid(f"record {index} is cut off", index=index)
        return entries[index % WIDTH]

    def records(self, first: int = 0) -> Iterator[tuple[int, bytes]]:
        """The records from `first`, with their numbers. Raises `LedgerInvalid` where one is not whole."""
        for number in range(first // WIDTH, -(-self.size // WIDTH)):
            entries, whole = self.bundle(number)
            for index, entry in enumerate(entries, number * WIDTH):
                if index >= first:
                    yield index, entry
            if not whole:
                index = number * WIDTH + len(entries)
                raise LedgerInvalid(f"record {index} is cut off", index=index)

    def prove_inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof that record `index` is in the tree of `size`."""
        if not 0 <= index < size <= self.size:
            raise LedgerInvalid(f"no record {index} among the first {size} of {self.size}", index=index)
        return self._hashes(inclusion_ranges(index, size))

    def prove_consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of `new` begins with that of `old`."""
        if not 0 <= old <= new <= self.size:
            raise LedgerInvalid(f"no {old} records among the first {new} of {self.size}")
        return self._hashes(consistency_ranges(old, new))

    def root(self, size: int) -> bytes:
        """Of the first `size` records, as the tiles say."""
        if not 0 <= size <= self.size:
            raise LedgerInvalid(f"no {size} records among {self.size}")
        return range_hash(0, size, self._node) if size else root_of(())

    def _hashes(self, ranges: Sequence[Range]) -> list[bytes]:
        return [range_hash(begin, end, self._node) for begin, end in ranges]

    def _node(self, level: int, index: int) -> bytes:
        return self._fold(level, index) if level < HEIGHT else self._shared(level, index)

    def _fold(self, level: int, index: int) -> bytes:
        tile_level, number, part = tile_of(level, index)
        return root_of(self._tile(tile_level, number)[part])
