"""Records, tiles and a root that are compared with one another; and where they differ, which of them is to blame.

All records are hashed, bundle by bundle, and compared with the tiles and the root. Where all agree, that is all. Else
belief goes down from the root: of a tile there are two versions, what is stored and what the records below it give; the
one that folds to the hash which is believed is believed. A record is broken when its hash is not the believed one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import product

from ..errors import LedgerInvalid
from .merkle import leaf_hash, root_of
from .reading import Finding, Reader
from .tiles import BUNDLE, HEIGHT, WIDTH, edge

Row = list[bytes]

REMEMBERED = 16
"""Bundles and tiles, of those that were read last."""


class Comparison:
    """Of one log with the root that is believed.

    Args:
        reader: its files.
        root: of its checkpoint.

    Attributes:
        roots: of the records at the sizes that were asked for; those that could not be told are missing.
    """

    def __init__(self, reader: Reader, root: bytes) -> None:
        self.roots: dict[int, bytes] = {}
        self._reader = reader
        self._root = root
        self._leaves = lru_cache(REMEMBERED)(self._hash_bundle)
        self._stored = lru_cache(REMEMBERED)(self._read_tile)
        self._above: list[Row] = []  # of level 1 and up, what the records give; empty bytes where one can't be told

    def run(self, sizes: Collection[int]) -> list[Finding]:
        """Compares all; returns what is wrong, by number. `sizes`: whose roots are wanted, none above the log's."""
        whole = self._hash(sorted(sizes))
        if whole and self._folded(self._edge_rows(stored=False)) == self._root:
            return []
        return list(self._blame())

    # -- the straight way ------------------------------------------------------------------------------------------

    def _hash(self, sizes: Sequence[int]) -> bool:
        """Hashes all records and compares with all tiles; whether they agree."""
        if 0 in sizes:
            self.roots[0] = root_of(())
        row: Row = []
        whole = True
        for number in range(-(-self._reader.size // WIDTH)):
            leaves = self._leaves(number)
            whole = whole and leaves == self._stored(0, number) and bool(leaves)
            for size in sizes:
                if number * WIDTH < size <= number * WIDTH + len(leaves) and b"" not in row:
                    self.roots[size] = root_of([*row, root_of(leaves[: size - number * WIDTH])])
            if number < self._reader.size // WIDTH:
                row.append(root_of(leaves) if leaves else b"")
        while row:
            self._above.append(row)
            level = len(self._above)
            for number in range(-(-len(row) // WIDTH)):
                whole = whole and row[number * WIDTH : (number + 1) * WIDTH] == self._stored(level, number)
            row = [_root(row[at : at + WIDTH]) for at in range(0, len(row) - WIDTH + 1, WIDTH)]
        return whole

    def _hash_bundle(self, number: int) -> Row:
        """The hashes of a bundle's records; none when it is not whole."""
        try:
            entries, whole = self._reader.bundle(number)
        except LedgerInvalid:
            return []
        return [leaf_hash(entry) for entry in entries] if whole else []

    def _read_tile(self, level: int, number: int) -> Row:
        """A tile; empty when it can't be read."""
        try:
            return self._reader.tile(level, number)
        except LedgerInvalid:
            return []

    def _computed(self, level: int, number: int) -> Row:
        """A tile, of what the records give; empty when that can't be told."""
        if level == 0:
            return self._leaves(number)
        row = self._above[level - 1][number * WIDTH : (number + 1) * WIDTH]
        return [] if b"" in row else row

    def _edge_rows(self, *, stored: bool) -> list[Row]:
        """The partial tiles, from level 0 up."""
        version = self._stored if stored else self._computed
        return [version(place.level, place.number) for place in edge(self._reader.size) if place.level != BUNDLE]

    @staticmethod
    def _folded(rows: Sequence[Row]) -> bytes:
        smaller: Row = []
        for row in rows:
            if both := [*row, *smaller]:
                smaller = [root_of(both)]
        return root_of(smaller)

    # -- who is to blame -------------------------------------------------------------------------------------------

    def _blame(self) -> Iterator[Finding]:
        versions = zip(self._edge_rows(stored=True), self._edge_rows(stored=False), strict=True)
        for rows in product(*versions):
            if all(rows) and self._folded(rows) == self._root:
                break
        else:
            yield from self._unknown()
            return
        partial = [place for place in edge(self._reader.size) if place.level != BUNDLE]
        for place, row in zip(partial, rows, strict=True):
            yield from self._below(place.level, place.number, row)

    def _below(self, level: int, number: int, believed: Row) -> Iterator[Finding]:
        """What is wrong with a tile whose hashes are known, and below it."""
        place = self._reader.place(level, number)
        stored = self._stored(level, number)
        if len(stored) != len(believed):
            yield Finding(f"{place.path} is cut off or missing", path=place.path)
        else:
            for at, (one, right) in enumerate(zip(stored, believed, strict=True)):
                if one != right:
                    yield Finding(f"hash {at} of {place.path} is altered", path=place.path, hash=at)
        if level == 0:
            yield from self._records(number, believed)
            return
        for child, one in enumerate(believed, number * WIDTH):
            for version in (self._stored, self._computed):
                row = version(level - 1, child)
                if len(row) == WIDTH and root_of(row) == one:
                    yield from self._below(level - 1, child, row)
                    break
            else:
                below = self._reader.place(level - 1, child)
                span = WIDTH << HEIGHT * (level - 1)
                text = f"{below.path} and the records below it, {below.first} to {below.first + span - 1}, are altered"
                yield Finding(text, self._first_difference(below.first, span), below.path)

    def _records(self, number: int, believed: Row) -> Iterator[Finding]:
        place = self._reader.place(BUNDLE, number)
        try:
            entries, whole = self._reader.bundle(number)
        except LedgerInvalid as error:
            yield Finding(str(error), place.first, place.path)
            return
        broken = False
        for index, leaf in enumerate(believed):
            if index >= len(entries) or leaf_hash(entries[index]) != leaf:
                broken = True
                yield Finding(
                    f"record {place.first + index} is not the one that was logged", place.first + index, place.path
                )
                if not whole:
                    return
        if not whole and not broken:
            yield Finding(f"{place.path} has more in it than its records", None, place.path)

    def _unknown(self) -> Iterator[Finding]:
        """Neither tiles nor records of the right edge give the root: both were altered, or the checkpoint was."""
        index = self._first_difference(0, self._reader.size)
        text = "neither the records nor the tiles are what the checkpoint says"
        yield Finding(f"{text}: in doubt from record {index} on", index)

    def _first_difference(self, first: int, span: int) -> int:
        """The first record below a place of which records and tiles say different things; the first of all, else."""
        for number in range(first // WIDTH, min(first + span, self._reader.size + WIDTH - 1) // WIDTH):
            stored, computed = self._stored(0, number), self._leaves(number)
            for index in range(self._reader.place(0, number).width):
                if stored[index : index + 1] != computed[index : index + 1]:
                    return number * WIDTH + index
        return first


def _root(row: Row) -> bytes:
    return b"" if b"" in row else root_of(row)
