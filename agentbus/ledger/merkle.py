"""The Merkle tree of RFC 6962: hashes, roots, proofs and their verification. Pure.

The root of no leaves is the hash of nothing. A leaf is hashed behind a byte 0, a node behind a byte 1, so that neither
can be taken for the other. Proofs are spoken of as ranges of leaves first (`inclusion_ranges`, `consistency_ranges`):
whoever keeps a tree in pieces fetches what these need, and hashes then.

Reference: RFC 6962, section 2.1; RFC 9162, section 2.1 (verification).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY = sha256(b"").digest()
"""The root of a tree without leaves."""

Range = tuple[int, int]
"""Leaves ``[begin, end)``."""
Node = Callable[[int, int], bytes]
"""The hash of the perfect subtree at a level (0: leaves) and an index within it."""


def leaf_hash(entry: bytes) -> bytes:
    """Of a record's bytes."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Of two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over the hashes of leaves, or of equal perfect subtrees of which the last may be smaller."""
    if not hashes:
        return EMPTY
    row = hashes
    while len(row) > 1:
        above = [sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=False)]
        if len(row) & 1:
            above.append(row[-1])
        row = above
    return row[0]


class CompactRange:
    """A tree of which only the roots of its perfect subtrees are kept: at most one a level.

    Attributes:
        size: leaves.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # the largest first

    def append(self, leaf: bytes) -> None:
        """Takes the hash of the next leaf."""
        rest = self.size
        while rest & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            rest >>= 1
        self._peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Of all leaves so far."""
        if not self._peaks:
            return EMPTY
        *others, last = self._peaks
        for peak in reversed(others):
            last = node_hash(peak, last)
        return last


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Whose hashes prove that leaf `index` is in the tree of `size` leaves, from the leaf upwards. At most
    ceil(log2(size)) of them."""
    begin, end = 0, size
    found: list[Range] = []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((begin, middle))
            begin = middle
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """Whose hashes prove that the tree of `new` leaves begins with that of `old`."""
    begin, end = 0, new
    found: list[Range] = []
    if not 0 < old < new:
        return found
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((begin, middle))
            begin = middle
    if begin:  # else the old tree is one of the new one's subtrees, which the verifier has
        found.append((begin, end))
    return found[::-1]


def perfect(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The perfect subtrees, as (level, index), that a range of a proof is made of; the largest first."""
    while begin < end:
        level = (end - begin).bit_length() - 1
        yield level, begin >> level
        begin += 1 << level


def range_hash(begin: int, end: int, node: Node) -> bytes:
    """The hash of a range of a proof."""
    *others, last = (node(level, index) for level, index in perfect(begin, end))
    for left in reversed(others):
        last = node_hash(left, last)
    return last


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from the leaf's hash to the root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes(leaf, root, *proof):
        return False
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            found = node_hash(found, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and found == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree of `new` leaves begins with that of `old` (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new or not _are_hashes(old_root, new_root, *proof):
        return False
    if old in (0, new):
        return not proof and old_root == (EMPTY if old == 0 else new_root)
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at >>= 1
        last >>= 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            after = node_hash(after, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and before == old_root and after == new_root


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _are_hashes(*hashes: bytes) -> bool:
    return all(len(each) == HASH_BYTES for each in hashes)
