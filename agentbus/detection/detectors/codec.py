"""How a detector's state is spelled: explicit, versioned, and the same bytes for the same state on every machine.

A snapshot is ``"ABDS"``, the detector's name (its length in one byte), the version of its layout (one byte), the
length of the body and its CRC-32 (four bytes each), and the body: numbers in the detector's own order, all little
endian, floats as IEEE 754 doubles. Nothing names a Python type, so nothing is ever unpickled.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Sequence
from typing import TypeVar

from .model import SnapshotInvalid

MAGIC = b"ABDS"
_REMEDY = "restore an earlier snapshot, or begin anew and give it the records from the start"
_HEAD = struct.Struct("<BII")

N = TypeVar("N", int, float)


class Writer:
    """Writes a body."""

    def __init__(self, name: str, version: int) -> None:
        self._name = name.encode()
        self._version = version
        self._parts: list[bytes] = []

    def whole(self, *values: int) -> None:
        """Whole numbers, of 64 bits each."""
        self._parts.append(struct.pack(f"<{len(values)}q", *values))

    def real(self, *values: float) -> None:
        """Floats."""
        self._parts.append(struct.pack(f"<{len(values)}d", *values))

    def reals(self, values: Sequence[float]) -> None:
        """How many floats, and they."""
        self.whole(len(values))
        self._parts.append(_little(array("d", values)))

    def counts(self, values: Sequence[int]) -> None:
        """How many small numbers, 0 to 65,535, and they, in two bytes each."""
        self.whole(len(values))
        self._parts.append(_little(array("H", values)))

    def raw(self, value: bytes) -> None:
        """How many bytes, and they."""
        self.whole(len(value))
        self._parts.append(value)

    def text(self, value: str) -> None:
        """A text."""
        self.raw(value.encode())

    def done(self) -> bytes:
        """The snapshot."""
        body = b"".join(self._parts)
        head = _HEAD.pack(self._version, len(body), zlib.crc32(body))
        return b"".join((MAGIC, bytes((len(self._name),)), self._name, head, body))


class Reader:
    """Reads a body, in the order in which it was written.

    Raises:
        SnapshotInvalid: the bytes are not a whole snapshot of that detector in that version.
    """

    def __init__(self, snapshot: bytes, name: str, version: int) -> None:
        if len(snapshot) < len(MAGIC) + 1 or not snapshot.startswith(MAGIC):
            raise SnapshotInvalid(f"these {len(snapshot)} bytes are not a detector's snapshot: {_REMEDY}")
        start = len(MAGIC) + 1
        end = start + snapshot[len(MAGIC)]
        found = snapshot[start:end].decode(errors="replace")
        if len(snapshot) < end + _HEAD.size:
            raise self._cut(name, len(snapshot))
        if found != name:
            raise SnapshotInvalid(f"a snapshot of the detector {found!r}, not of {name!r}: restore it with that one")
        has, length, check = _HEAD.unpack_from(snapshot, end)
        if has != version:
            raise SnapshotInvalid(f"a snapshot of {name!r} in version {has}; this is version {version}: {_REMEDY}")
        self._body = snapshot[end + _HEAD.size :]
        if len(self._body) != length:
            raise self._cut(name, len(snapshot))
        if zlib.crc32(self._body) != check:
            raise SnapshotInvalid(f"a damaged snapshot of {name!r}: its checksum is wrong: {_REMEDY}")
        self._name = name
        self._at = 0

    @staticmethod
    def _cut(name: str, length: int) -> SnapshotInvalid:
        return SnapshotInvalid(f"a snapshot of {name!r} that is cut off, or too long, at {length} bytes: {_REMEDY}")

    def _take(self, size: int) -> bytes:
        part = self._body[self._at : self._at + size]
        if size < 0 or len(part) != size:
            raise SnapshotInvalid(f"a snapshot of {self._name!r} that says less than it should: {_REMEDY}")
        self._at += size
        return part

    def whole(self) -> int:
        """A whole number."""
        return int.from_bytes(self._take(8), "little", signed=True)

    def real(self) -> float:
        """A float."""
        value: float = struct.unpack("<d", self._take(8))[0]
        return value

    def reals(self) -> list[float]:
        """Floats."""
        return _read(array("d"), self._take(8 * self.whole()))

    def counts(self) -> list[int]:
        """Small numbers."""
        return _read(array("H"), self._take(2 * self.whole()))

    def raw(self) -> bytes:
        """Bytes."""
        return self._take(self.whole())

    def text(self) -> str:
        """A text."""
        return self.raw().decode(errors="replace")

    def done(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._body):
            raise SnapshotInvalid(f"a snapshot of {self._name!r} that says more than it should: {_REMEDY}")


def _little(values: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _read(into: array[N], data: bytes) -> list[N]:
    into.frombytes(data)
    if sys.byteorder == "big":
        into.byteswap()
    return into.tolist()
