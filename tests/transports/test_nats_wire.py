"""The protocol, in any chunking, and held against nats-py's own parser."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import ProtocolError
from nats.protocol.parser import Parser

from agentbus.errors import ConfigurationError, SubjectError
from agentbus.transport import NO_RESPONDERS, Headers
from agentbus.transports.nats_wire import (
    MAX_LINE,
    Interest,
    Reader,
    WireError,
    checked_subject,
    encode_headers,
    parse_headers,
    sub_line,
)

Event = tuple[Any, ...]


class Log:
    """Keeps every call a reader makes."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def ping_received(self) -> None:
        self.events.append(("ping",))

    def pong_received(self) -> None:
        self.events.append(("pong",))

    def info_received(self, body: bytes) -> None:
        self.events.append(("info", body))

    def error_received(self, text: str) -> None:
        self.events.append(("error", text))

    def receiver_failed(self, interest: Interest, error: Exception) -> None:
        self.events.append(("failed", str(error)))

    def receiver(self, number: int) -> Interest:
        def receive(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
            self.events.append((number, subject, body, reply, headers))

        return Interest(receive)


def read(chunks: list[bytes], numbers: range = range(1, 4)) -> list[Event]:
    log = Log()
    reader = Reader({number: log.receiver(number) for number in numbers}, log)
    for chunk in chunks:
        reader.feed(chunk)
    return log.events


tokens = st.text("abcXYZ-_$09é", min_size=1, max_size=6)
subjects = st.lists(tokens, min_size=1, max_size=4).map(".".join)
bodies = st.binary(max_size=40) | st.sampled_from([b"\r\n", b"MSG a 1 1\r\nx\r\n", b"PING\r\n", b"\x00" * 300])
header_maps = st.dictionaries(st.text("ABcd-9", min_size=1, max_size=5), st.text("xyz 0:é", max_size=8), max_size=3)


@st.composite
def items(draw: st.DrawFn) -> tuple[bytes, Event | None]:
    """One thing that a server may send, and the call it should make."""
    kind = draw(st.sampled_from(["msg", "msg", "msg", "hmsg", "ping", "pong", "ok", "info", "err"]))
    if kind in ("msg", "hmsg"):
        number = draw(st.integers(1, 5))
        subject, reply, body = draw(subjects), draw(st.just("") | subjects), draw(bodies)
        head = f"{subject} {number}{' ' + reply if reply else ''}".encode()
        event: Event | None = None
        if kind == "msg":
            event = (number, subject, body, reply, None)
            data = b"MSG %b %d\r\n%b\r\n" % (head, len(body), body)
        else:
            headers = draw(header_maps)
            block = encode_headers(headers)
            event = (number, subject, body, reply, {name: value.strip() for name, value in headers.items()})
            data = b"HMSG %b %d %d\r\n%b%b\r\n" % (head, len(block), len(block) + len(body), block, body)
        return data, event if number < 4 else None
    return {
        "ping": (b"PING\r\n", ("ping",)),
        "pong": (b"PONG\r\n", ("pong",)),
        "ok": (b"+OK\r\n", None),
        "info": (b'INFO {"a": "b  c"} \r\n', ("info", b'{"a": "b  c"}')),
        "err": (b"-ERR 'Stale Connection'\r\n", ("error", "Stale Connection")),
    }[kind]


@given(st.lists(items(), max_size=12), st.data())
def test_any_chunking_gives_the_same_calls(sent: list[tuple[bytes, Event | None]], data: st.DataObject) -> None:
    stream = b"".join(part for part, _ in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    chunks = [stream[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    expected = [event for _, event in sent if event is not None]
    assert read(chunks) == expected
    assert read([stream]) == expected
    assert read([stream[index : index + 1] for index in range(len(stream))]) == expected


class Oracle:
    """Takes the calls of nats-py's parser."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        parsed = parse_headers(headers) if headers else None
        self.events.append((sid, subject.decode(), data, reply.decode(), parsed))

    async def _process_ping(self) -> None:
        self.events.append(("ping",))

    async def _process_pong(self) -> None:
        self.events.append(("pong",))


def oracle(stream: bytes) -> list[Event] | None:
    """What nats-py makes of a stream; None when it is not the protocol."""
    heard = Oracle()
    try:
        asyncio.run(Parser(heard).parse(stream))
    except ProtocolError:
        return None
    return heard.events


words = st.sampled_from([b"MSG", b"HMSG", b"PING", b"PONG", b"+OK", b"a.b", b"1", b"2", b"3", b"-1", b"x", b"12", b""])
lines = st.tuples(st.lists(words, max_size=7), st.sampled_from([b" ", b"  ", b"\t"])).map(
    lambda parts: parts[1].join(parts[0]) + b"\r\n"
)


@given(st.lists(lines | items().map(lambda item: item[0]), max_size=4).map(b"".join))
def test_a_control_line_is_refused_where_nats_py_refuses_it(stream: bytes) -> None:
    if b"INFO" in stream or b"-ERR" in stream:
        return
    theirs = oracle(stream)
    try:
        ours: list[Event] | None = read([stream], range(20))
    except WireError:
        ours = None
    if theirs is None:
        assert ours is None
    elif ours is not None:
        assert ours == theirs


@pytest.mark.parametrize(
    "line",
    [
        b"MSG a 1\r\n",
        b"MSG a x 1\r\n",
        b"MSG a 1 -1\r\n",
        b"MSG a 1 1_0\r\n",
        b"MSG a 1 r 2 3\r\n",
        b"HMSG a 1 1\r\n",
        b"HMSG a 1 9 2\r\n",
        b"msg a 1 1\r\n",
        b"PINGPING\r\n",
        b"PING PING\r\n",
        b"HELLO\r\n",
        b"\r\n",
    ],
)
def test_a_malformed_line_is_an_error(line: bytes) -> None:
    with pytest.raises(WireError):
        read([line])


def test_a_line_without_end_is_an_error() -> None:
    with pytest.raises(WireError, match="longer"):
        read([b"INFO " + b"x" * MAX_LINE])


def test_a_receiver_that_raises_stops_nothing() -> None:
    log = Log()

    def raises(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        raise RuntimeError(body.decode())

    reader = Reader({1: Interest(raises), 2: log.receiver(2)}, log)
    reader.feed(b"MSG a 1 1\r\nx\r\nMSG a 2 1\r\ny\r\nMSG a 1 1\r\nz\r\nPING\r\n")
    assert log.events == [("failed", "x"), (2, "a", b"y", "", None), ("failed", "z"), ("ping",)]
    assert (reader.messages, reader.octets) == (3, 3)


def test_a_large_body_in_small_chunks_is_joined_once() -> None:
    body = bytes(range(256)) * 4096
    stream = b"MSG a 1 %d\r\n%b\r\nPONG\r\n" % (len(body), body)
    chunks = [stream[index : index + 1000] for index in range(0, len(stream), 1000)]
    assert read(chunks) == [(1, "a", body, "", None), ("pong",)]


def test_status_lines() -> None:
    assert parse_headers(b"NATS/1.0 503\r\n\r\n") is NO_RESPONDERS
    assert parse_headers(b"NATS/1.0 404 No Messages\r\n\r\n") == {"Status": "404", "Description": "No Messages"}
    timeout = parse_headers(b"NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 3\r\n\r\n")
    assert timeout == {"Status": "408", "Description": "Request Timeout", "Nats-Pending-Messages": "3"}
    assert parse_headers(b"NATS/1.0\r\nA:b\r\nbroken\r\n: no name\r\n\r\n") == {"A": "b"}
    assert parse_headers(b"HTTP/1.1 200\r\nA: b\r\n\r\n") == {}


@pytest.mark.parametrize("headers", [{"A B": "x"}, {"": "x"}, {"A:": "x"}, {"A": "x\r\nPUB b 0"}, {"A": "x\ny"}])
def test_headers_that_would_break_out_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        encode_headers(headers)


@pytest.mark.parametrize("subject", ["", "a b", "a\r\nPUB b 0", "a..b", "a.*", "a.>", ".", "a.", "a\x00", "\ud800"])
def test_subjects_that_would_break_out_are_refused(subject: str) -> None:
    with pytest.raises(SubjectError):
        checked_subject(subject)


def test_a_subject_too_long_for_a_control_line_is_refused() -> None:
    with pytest.raises(SubjectError, match="too long"):
        checked_subject("é" * 1000)
    assert checked_subject("é.$JS.API") == "é.$JS.API".encode()


def test_sub_lines() -> None:
    assert sub_line("a.*", "", 7) == b"SUB a.* 7\r\n"
    assert sub_line("a.>", "crew", 7) == b"SUB a.> crew 7\r\n"
