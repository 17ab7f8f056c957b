"""Messages of unknown types, as far as their bytes tell."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.cli.wire_dump import MAX_FIELDS, fields_of
from examples.climate.v1.climate_pb2 import Reading


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", []),
        (b"\x08\x96\x01", [(1, "varint", 150)]),
        (b"\x12\x02hi", [(2, "text", "hi")]),
        (b"\x12\x02\xff\x00", [(2, "bytes", "ff00")]),
        (b"\x1d\x00\x00\x80\x3f", [(3, "fixed32", 1.0)]),
        (b"\x09" + b"\x00" * 6 + b"\xf0\x7f", [(1, "fixed64", "inf")]),
        (b"\x12\x50" + b"a" * 80, [(2, "text", "a" * 64 + "…")]),
        (b"\x08\x01" * 100, [(1, "varint", 1)] * MAX_FIELDS),
    ],
)
def test_fields_are_listed(body: bytes, fields: list[tuple[int, str, object]]) -> None:
    assert fields_of(body) == fields


@pytest.mark.parametrize(
    "body", [b"\xff", b"\x08", b"\x12\x05a", b"\x0b", b"\x00\x00", b"\x09123", b"\x0d12", b"\x08" + b"\x80" * 11]
)
def test_what_is_no_message_is_none(body: bytes) -> None:
    assert fields_of(body) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    json.dumps(fields_of(body), allow_nan=False)


@given(st.text(max_size=40), st.floats(allow_nan=False, allow_infinity=False))
def test_every_message_is_read(room: str, celsius: float) -> None:
    fields = fields_of(Reading(room=room, celsius=celsius).SerializeToString())
    assert fields is not None
    assert {number: value for number, _, value in fields}.get(2, 0.0) == celsius
