"""A protobuf message whose type is not known, as far as its bytes tell: numbers, kinds and values. Pure.

Reference: protobuf.dev, "Encoding".
"""

from __future__ import annotations

import math
import struct

Field = tuple[int, str, int | float | str]
"""Number, kind (``varint``, ``fixed64``, ``fixed32``, ``text``, ``bytes``) and value: bytes as hex digits."""
Fields = list[Field]

MAX_FIELDS = 64
"""More fields than that are not listed."""
_SHOWN = 64


def fields_of(body: bytes) -> Fields | None:
    """The fields of a message, the first `MAX_FIELDS`; None for bytes that are no message."""
    fields: Fields = []
    at = 0
    while at < len(body):
        tag = _varint(body, at)
        if tag is None:
            return None
        key, at = tag
        field = _field(body, at, key)
        if field is None:
            return None
        kind, value, at = field
        if len(fields) < MAX_FIELDS:
            fields.append((key >> 3, kind, value))
    return fields


def _field(body: bytes, at: int, key: int) -> tuple[str, int | float | str, int] | None:
    number, wire_type = key >> 3, key & 7
    if not 0 < number < 1 << 29:
        return None
    match wire_type:
        case 0:
            value = _varint(body, at)
            return value and ("varint", *value)
        case 1 if at + 8 <= len(body):
            return "fixed64", _float(struct.unpack_from("<d", body, at)[0]), at + 8
        case 5 if at + 4 <= len(body):
            return "fixed32", _float(struct.unpack_from("<f", body, at)[0]), at + 4
        case 2:
            length = _varint(body, at)
            if length is None or length[1] + length[0] > len(body):
                return None
            end = length[1] + length[0]
            return *_bytes(body[length[1] : end]), end
        case _:
            return None


def _bytes(content: bytes) -> tuple[str, str]:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\x00"
    if text.isprintable():
        return "text", text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    shown = content[:_SHOWN].hex()
    return "bytes", shown if len(content) <= _SHOWN else f"{shown}… ({len(content)} bytes)"


def _float(value: float) -> float | str:
    """JSON has no word for what is not finite."""
    return value if math.isfinite(value) else str(value)


def _varint(body: bytes, at: int) -> tuple[int, int] | None:
    """A varint's value and where it ends; None when it is cut off or longer than 10 bytes."""
    value = shift = 0
    for index in range(at, min(at + 10, len(body))):
        value |= (body[index] & 0x7F) << shift
        if body[index] < 0x80:
            return value, index + 1
        shift += 7
    return None
