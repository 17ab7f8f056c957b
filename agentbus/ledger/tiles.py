"""A tree in tiles: which hash lies in which file, what a file holds, and the right edge of a tree that grows. Pure.

A tile is 256 hashes of one level, a bundle is the 256 records below a tile of level 0. The tiles of the right edge are
partial; all others never change.

Reference: C2SP tlog-tiles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from ..errors import LedgerInvalid
from .merkle import HASH_BYTES, leaf_hash, root_of

WIDTH = 256
"""Hashes of a full tile, and records of a full bundle."""
HEIGHT = 8
MAX_ENTRY = (1 << 16) - 1
"""Bytes of a record: its length is told in two."""
BUNDLE = -1
"""The level that stands for bundles."""

File = tuple[str, bytes]
"""A path below the log's root, and what lies there."""

_PATH = re.compile(r"tile/(entries|0|[1-9]\d?)/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?")


class Place(NamedTuple):
    """Which tile or bundle: its level, its number within it, its hashes or records."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it lies."""
        digits = f"{self.number:d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        folders = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        level = "entries" if self.level == BUNDLE else f"{self.level}"
        return f"tile/{level}/{folders}" + (f".p/{self.width}" if self.width < WIDTH else "")

    @property
    def first(self) -> int:
        """The first record below it."""
        return self.number << HEIGHT * (max(self.level, 0) + 1)


def place_of(path: str) -> Place | None:
    """The tile or bundle that lies at a path; None when none does."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    level, folders, width = match.groups()
    number = int(folders.replace("x", "").replace("/", ""))
    place = Place(BUNDLE if level == "entries" else int(level), number, int(width or WIDTH))
    return place if place.path == path else None


def edge(size: int) -> list[Place]:
    """The partial tiles and the partial bundle of a tree of `size` leaves."""
    places = [Place(BUNDLE, size >> HEIGHT, size % WIDTH)]
    level = 0
    while rest := size >> HEIGHT * level:
        places.append(Place(level, rest >> HEIGHT, rest % WIDTH))
        level += 1
    return [place for place in places if place.width]


def tile_of(level: int, index: int) -> tuple[int, int, slice]:
    """Where a perfect subtree's hash is found: the tile's level and number, and which of its hashes give it."""
    height = level % HEIGHT
    number = index >> (HEIGHT - height)
    first = (index << height) % WIDTH
    return level // HEIGHT, number, slice(first, first + (1 << height))


def hashes_in(tile: bytes) -> list[bytes]:
    """The hashes of a tile."""
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Records behind their lengths, each in two bytes, big-endian."""
    return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])


def split_bundle(content: bytes) -> tuple[list[bytes], bool]:
    """The records of a bundle as far as its lengths lead, and whether they lead to its end."""
    entries: list[bytes] = []
    at, end = 0, len(content)
    while at < end:
        begin = at + 2
        at = begin + int.from_bytes(content[at:begin], "big")
        if begin > end or at > end:
            return entries, False
        entries.append(content[begin:at])
    return entries, True


def decode_bundle(content: bytes) -> list[bytes]:
    """The records of a bundle. Raises `LedgerInvalid` with the number of those that are whole, as `index`."""
    entries, whole = split_bundle(content)
    if not whole:
        raise LedgerInvalid(f"the record {len(entries)} of the bundle is cut off", index=len(entries))
    return entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A tree at one moment.

    Attributes:
        size: leaves.
        root: over all of them.
        files: the tiles and bundles that were filled since the last snapshot, and the partial ones of the edge.
    """

    size: int
    root: bytes
    files: tuple[File, ...]


class Tail:
    """The right edge of a tree that grows: what is not in full tiles yet, and the tiles filled since the last snapshot.

    Attributes:
        size: leaves.
        filled: full tiles and bundles that no snapshot has told of yet, by path.
    """

    __slots__ = ("_entries", "_rows", "filled", "size")

    def __init__(self) -> None:
        self.size = 0
        self.filled: dict[str, bytes] = {}
        self._entries: list[bytes] = []
        self._rows: list[list[bytes]] = [[]]

    @classmethod
    def at(cls, size: int, read: Callable[[Place], bytes]) -> Tail:
        """The edge of a tree of `size` leaves, from the files of `edge`."""
        tail = cls()
        tail.size = size
        for place in edge(size):
            if place.level == BUNDLE:
                tail._entries = decode_bundle(read(place))[: place.width]
            else:
                while len(tail._rows) <= place.level:
                    tail._rows.append([])
                tail._rows[place.level] = hashes_in(read(place))[: place.width]
        return tail

    def extend(self, entries: Iterable[bytes]) -> None:
        """Takes the next records, of `MAX_ENTRY` bytes at most."""
        rest = iter(entries)
        while part := list(islice(rest, WIDTH - self.size % WIDTH)):
            self._entries += part
            self._rows[0] += map(leaf_hash, part)
            self.size += len(part)
            if not self.size % WIDTH:
                self._turn()

    def _turn(self) -> None:
        self.filled[Place(BUNDLE, self.size // WIDTH - 1).path] = encode_bundle(self._entries)
        self._entries = []
        level = 0
        while len(row := self._rows[level]) == WIDTH:
            self.filled[Place(level, (self.size >> HEIGHT * (level + 1)) - 1).path] = b"".join(row)
            self._rows[level] = []
            level += 1
            if level == len(self._rows):
                self._rows.append([])
            self._rows[level].append(root_of(row))

    def row(self, level: int) -> Sequence[bytes]:
        """The hashes of the partial tile of a level."""
        return self._rows[level] if level < len(self._rows) else ()

    def agrees(self) -> bool:
        """Whether the records of the edge are those whose hashes are there."""
        return list(map(leaf_hash, self._entries)) == self._rows[0]

    def root(self) -> bytes:
        """Of all leaves."""
        smaller: list[bytes] = []  # the root of what is right of the perfect subtrees of a level
        for row in self._rows:
            if whole := [*row, *smaller]:
                smaller = [root_of(whole)]
        return root_of(smaller)

    def snapshot(self) -> Snapshot:
        """The tree as it is now; its files are told of once."""
        files = list(self.filled.items())
        self.filled = {}
        for place in edge(self.size):
            partial = encode_bundle(self._entries) if place.level == BUNDLE else b"".join(self._rows[place.level])
            files.append((place.path, partial))
        return Snapshot(size=self.size, root=self.root(), files=tuple(files))
