"""The messages of the comparisons."""

from __future__ import annotations

from typing import Any

SAMPLE_BYTES = 128
REQUEST_BYTES = 32


def sample_fields(number: int = 123456) -> dict[str, Any]:
    """What a `Sample` holds: 128 bytes as protobuf."""
    return {
        "sensor": "sensor-00042",
        "room": "hall.north.7",
        "celsius": 21.625,
        "humidity": 0.4375,
        "number": number,
        "note": "as measured by the usual instrument, nothing of interest was seen at all....",
    }


def octets(size: int) -> bytes:
    """A payload of `size` bytes."""
    return b"x" * size
