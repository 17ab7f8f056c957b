"""Frames: what is written comes back, and whatever else comes is a `SchemaMismatch` and nothing else."""

from __future__ import annotations

import contextlib

import pytest
from google.protobuf import struct_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import UninterpretedOption
from hypothesis import given
from hypothesis import strategies as st

from agentbus.errors import DefinitionError, HandlerFailed, SchemaMismatch
from agentbus.messages import (
    MAX_FRAME_MESSAGES,
    Frame,
    MessageId,
    as_error,
    clip,
    decode_frame,
    encode_frame,
    full_name,
    is_message_type,
    parse_json,
    to_failure,
    to_json,
)
from agentbus.wire.v1.frame_pb2 import Frame as WireFrame
from examples.climate.v1.climate_pb2 import Reading, TargetReply

U32 = 2**32 - 1
U64 = 2**64 - 1
COLUMNS = list(Frame.__slots__)


def text() -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    payloads = draw(st.lists(st.binary(max_size=20), min_size=1, max_size=6))
    size = len(payloads)

    def column(values: st.SearchStrategy) -> list:
        return draw(st.just([]) | st.lists(values, min_size=size, max_size=size))

    numbers = st.integers(0, 2**63)
    answers = column(st.integers(0, U64))
    return Frame(
        draw(text()),
        draw(text()),
        draw(numbers),
        draw(st.integers(0, 2**31)),
        draw(numbers),
        draw(numbers),
        payloads,
        column(st.integers(0, U32)),
        column(text()),
        answers,
        column(text()) if answers else [],
    )


def same(one: Frame, other: Frame) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in COLUMNS)


@given(frame=frames())
def test_a_frame_comes_back_as_it_was(frame: Frame) -> None:
    assert same(decode_frame(encode_frame(frame)), frame)


@given(body=st.binary(max_size=200))
def test_arbitrary_bytes_are_a_frame_or_a_mismatch(body: bytes) -> None:
    with contextlib.suppress(SchemaMismatch):
        frame = decode_frame(body)
        encode_frame(frame)


@given(frame=frames(), cut=st.integers(0, 400), noise=st.binary(max_size=8))
def test_a_damaged_frame_is_a_frame_or_a_mismatch(frame: Frame, cut: int, noise: bytes) -> None:
    body = encode_frame(frame)
    with contextlib.suppress(SchemaMismatch):
        decode_frame(body[:cut] + noise + body[cut + len(noise) :])


@pytest.mark.parametrize("column", ["deadlines_ms", "traces", "answers", "sources"])
def test_columns_that_do_not_fit_are_a_mismatch(column: str) -> None:
    values = ["x"] if column in ("traces", "sources") else [1]
    with pytest.raises(SchemaMismatch, match="columns do not fit: 2 payloads"):
        decode_frame(WireFrame(payloads=[b"", b""], **{column: values}).SerializeToString())


def test_only_answers_have_a_source_each() -> None:
    with pytest.raises(SchemaMismatch, match="0 answers, 1 sources"):
        decode_frame(WireFrame(payloads=[b""], sources=["x"]).SerializeToString())


def test_a_frame_without_messages_is_a_mismatch() -> None:
    with pytest.raises(SchemaMismatch, match="0 payloads"):
        decode_frame(b"")


def test_a_frame_of_more_messages_than_ever_travel_is_a_mismatch() -> None:
    most = WireFrame(payloads=[b""] * MAX_FRAME_MESSAGES)
    assert len(decode_frame(most.SerializeToString()).payloads) == MAX_FRAME_MESSAGES
    most.payloads.append(b"")
    with pytest.raises(SchemaMismatch, match="16385"):
        decode_frame(most.SerializeToString())


@pytest.mark.parametrize(
    "wire",
    [
        WireFrame(payloads=[b""], hops=U32),
        WireFrame(payloads=[b"", b""], sequence=U64),
        WireFrame(payloads=[b""], sequence=U64),
    ],
    ids=["hops", "sequence of the second", "sequence"],
)
def test_numbers_that_an_answer_could_not_carry_are_a_mismatch(wire: WireFrame) -> None:
    with pytest.raises(SchemaMismatch, match="out of range"):
        decode_frame(wire.SerializeToString())


def test_a_message_is_named_by_sender_epoch_and_number() -> None:
    frame = Frame("t", "hall", 17, 0, 40, 0, [b"", b""], [], [], [])
    assert frame.message_id(1) == MessageId("hall", 17, 41)
    assert str(frame.message_id(1)) == "hall:17:41"


def test_unknown_fields_are_kept_and_ignored() -> None:
    newer = struct_pb2.Struct()
    newer["x"] = 1.0
    body = Reading(room="a").SerializeToString() + b"\xa2\x06" + bytes([newer.ByteSize()]) + newer.SerializeToString()
    back = Reading.FromString(body)
    assert back.room == "a"
    assert back.SerializeToString() == body


def test_message_types_are_told_from_all_else() -> None:
    assert is_message_type(Reading)
    assert not is_message_type(Reading())
    assert not is_message_type(int)
    assert not is_message_type("Reading")
    assert full_name(Reading) == full_name(Reading()) == "examples.climate.v1.Reading"


@pytest.mark.parametrize("thing", ["text", 3, None, int])
def test_what_has_no_message_name_is_said_to_be_no_message(thing: object) -> None:
    with pytest.raises(DefinitionError, match="not a protobuf message"):
        full_name(thing)  # type: ignore[arg-type]


def test_a_long_text_is_cut_and_the_cut_is_marked() -> None:
    assert clip("abc", 3) == "abc"
    assert clip("abcd", 3) == "ab…"
    assert clip("a\ud800b") == "a?b"


def test_an_error_of_any_text_travels() -> None:
    for error in (ValueError("\ud800" * 3000), HandlerFailed("x" * 9000, error_type="\ud800" * 9000)):
        back = as_error(to_failure(error).SerializeToString())
        assert isinstance(back, HandlerFailed)
        assert len(str(back)) < 5000


def test_an_error_reply_that_cannot_be_parsed_is_a_mismatch() -> None:
    assert isinstance(as_error(b"\xff\xff"), SchemaMismatch)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["room", "celsius", "x"]), inner),
    max_leaves=6,
)


@given(value=json_values)
@pytest.mark.parametrize("kind", [Reading, struct_pb2.Struct, timestamp_pb2.Timestamp, struct_pb2.Value])
def test_any_json_is_a_message_or_a_mismatch(kind: type, value: object) -> None:
    import json

    with contextlib.suppress(SchemaMismatch):
        assert isinstance(parse_json(kind, json.dumps(value).encode()), kind)


@given(body=st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_anything_in_place_of_json_is_a_message_or_a_mismatch(body: bytes) -> None:
    with contextlib.suppress(SchemaMismatch):
        parse_json(Reading, body)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"3", b"null", b"[1]", b'"x"', b'{"room": 3}'])
def test_json_that_is_not_this_message_is_a_mismatch(body: bytes) -> None:
    with pytest.raises(SchemaMismatch, match="JSON mapping"):
        parse_json(Reading, body)


def test_json_comes_back() -> None:
    reading = Reading(room="hall", celsius=21.5)
    assert parse_json(Reading, to_json(reading)) == reading
    assert parse_json(Reading, b'{"room": "hall", "celsius": 21.5, "later": {}}') == reading
    assert b"\n" not in to_json(TargetReply(celsius=float("nan")))


def test_what_json_cannot_say_is_a_mismatch() -> None:
    with pytest.raises(SchemaMismatch, match=r"google\.protobuf\.Value"):
        to_json(struct_pb2.Value(number_value=float("nan")))
    with pytest.raises(SchemaMismatch, match="UninterpretedOption"):
        to_json(UninterpretedOption.NamePart())
