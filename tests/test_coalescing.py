"""Lanes: all that goes in comes out once, in order, in frames that keep to the limits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.coalescing import FRAME_BYTES, Lane, joined
from agentbus.messages import MAX_FRAME_MESSAGES, decode_frame, encode_frame


def lane() -> Lane:
    return Lane("s", "examples.climate.v1.Reading", "hall", 3)


@given(
    messages=st.lists(st.tuples(st.binary(max_size=9), st.sampled_from(["", "t1", "t2"])), min_size=1, max_size=40),
    ends=st.sets(st.integers(0, 40)),
)
def test_what_goes_in_comes_out_in_order_with_its_trace(messages: list[tuple[bytes, str]], ends: set[int]) -> None:
    gathered = lane()
    out: list[tuple[bytes, str]] = []
    number = 1

    def seal() -> None:
        nonlocal number
        frame, calls = gathered.take(7, number, 11)
        assert calls == []
        assert (frame.sequence, frame.epoch, frame.time_us, frame.hops) == (number, 7, 11, 3)
        assert len(frame.traces) in (0, len(frame.payloads))
        decode_frame(encode_frame(frame))
        out.extend(zip(frame.payloads, frame.traces or [""] * len(frame.payloads), strict=True))
        number += len(frame.payloads)

    for index, (payload, trace) in enumerate(messages):
        assert gathered.put(payload, trace) is (len(gathered.payloads) == 1)
        if index in ends:
            seal()
    if gathered.payloads:
        seal()
    assert out == messages
    assert number == len(messages) + 1


def test_a_lane_is_empty_after_its_frame_was_taken() -> None:
    gathered = lane()
    gathered.put(b"x", "t")
    gathered.take(1, 1, 1)
    assert (gathered.payloads, gathered.traces, gathered.calls, gathered.size) == ([], [], [], 0)


@settings(max_examples=40, deadline=None)  # a frame is two hundred draws
@given(data=st.data(), max_payload=st.integers(600, 4000))
def test_no_frame_is_larger_than_the_wire_takes(data: st.DataObject, max_payload: int) -> None:
    small = Lane("s", "t" * 20, "hall", 2**31, max_payload)
    wanted = data.draw(st.sampled_from(["events", "requests", "answers"]))
    while True:
        payload = data.draw(st.sampled_from([b"", b"x", bytes(100)]))
        if not small.fits(payload):
            break
        trace = data.draw(st.sampled_from(["", "", "0" * 55]))
        if wanted == "events":
            small.put(payload, trace)
        elif wanted == "requests":
            small.ask(payload, trace, 2**32 - 1, None)  # type: ignore[arg-type]
        else:
            small.answer(payload, 2**63)
    frame, _ = small.take(2**63, 2**63, 2**63)
    assert len(encode_frame(frame)) + 2 <= max_payload


def test_into_an_empty_frame_anything_goes() -> None:
    gathered = lane()
    assert gathered.fits(bytes(2 * FRAME_BYTES))
    gathered.put(bytes(2 * FRAME_BYTES))
    assert not gathered.fits(b"")


def test_a_frame_ends_at_its_bytes_and_never_has_more_messages_than_may_travel() -> None:
    gathered = lane()
    while gathered.fits(bytes(1000)):
        gathered.put(bytes(1000))
    assert 60 <= len(gathered.payloads) <= 65
    empty = lane()
    while empty.fits(b""):
        empty.put(b"")
    assert 8000 < len(empty.payloads) <= MAX_FRAME_MESSAGES
    frame, _ = empty.take(1, 1, 1)
    assert len(decode_frame(encode_frame(frame)).payloads) == len(frame.payloads)


@pytest.mark.parametrize("columns", ["request", "answer"])
def test_the_overhead_covers_what_a_frame_of_one_message_costs(columns: str) -> None:
    gathered = lane()
    if columns == "request":
        gathered.ask(bytes(1000), "0" * 55, 2**32 - 1, None)  # type: ignore[arg-type]
    else:
        gathered.answer(bytes(1000), 2**63)
    frame, _ = gathered.take(2**63, 2**63, 2**63)
    assert len(encode_frame(frame)) + 2 <= 1000 + gathered.overhead


@given(
    said=st.lists(
        st.tuples(st.sampled_from(["a", "bb", "c" * 60]), st.sampled_from(["in.x", "in.y"]), st.binary(max_size=30)),
        max_size=60,
    ),
    max_payload=st.integers(500, 1500),
)
def test_answers_of_several_agents_to_one_node_travel_together_where_they_fit(
    said: list[tuple[str, str, bytes]], max_payload: int
) -> None:
    lanes: dict[tuple[str, str], Lane] = {}
    expected: dict[tuple[str, str], list[tuple[int, bytes]]] = {}
    for number, (source, subject, payload) in enumerate(said):
        lane = lanes.setdefault((source, subject), Lane(subject, "t", source, 1, max_payload))
        if lane.fits(payload):
            lane.answer(payload, number)
            expected.setdefault((source, subject), []).append((number, payload))
    event = Lane("in.x", "t", "a", 1)
    event.put(b"event")
    heard: dict[tuple[str, str], list[tuple[int, bytes]]] = {}
    left = list(joined([*lanes.values(), event, Lane("idle", "t", "a", 1)]))
    assert event in left
    for lane in left:
        frame, _ = lane.take(2**64 - 1, 2**63 - 100, 2**63)
        body = encode_frame(frame)
        assert len(body) <= max_payload
        if lane is event:
            continue
        back = decode_frame(body)
        sources = back.sources or [back.source] * len(back.payloads)
        for source, number, payload in zip(sources, back.answers, back.payloads, strict=True):
            heard.setdefault((source, lane.subject), []).append((number, payload))
    assert heard == expected
    assert not any(lane.payloads for lane in lanes.values())


def test_answers_that_fit_are_one_frame_for_each_node() -> None:
    lanes = [Lane(subject, "t", source, 1) for source in "abc" for subject in ("in.x", "in.y")]
    for number, lane in enumerate(lanes):
        lane.answer(b"", number)
    assert [(lane.subject, lane.sources) for lane in joined(lanes)] == [
        ("in.x", ["a", "b", "c"]),
        ("in.y", ["a", "b", "c"]),
    ]
