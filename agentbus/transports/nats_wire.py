"""The NATS client protocol, spelled: bytes in, calls out; values in, bytes out. No sockets, no loop, no nats-py.

Invariants: `Reader.feed` accepts any chunking of a stream and makes the same calls for each; an exception from a
receiver is handed to `Events.receiver_failed` and stops nothing; a stream that is not the protocol raises
`WireError` and the reader is of no further use.

Reference: https://docs.nats.io/reference/reference-protocols/nats-protocol and NATS ADR-4 (headers).
"""

from __future__ import annotations

import re
from typing import Protocol

from ..errors import ConfigurationError, SubjectError
from ..subjects import check_subject
from ..transport import NO_RESPONDERS, Headers, Receiver

MAX_LINE = 1 << 20
"""Bytes: no control line of a server is longer (an INFO that names a large cluster is the longest)."""

LONGEST_SUBJECT = 1900
"""Bytes of a subject: with a reply subject as long it still fits the server's control line of 4,096."""

PING = b"PING\r\n"
PONG = b"PONG\r\n"

_CACHE = 4096
_HEADER_LINE = b"NATS/1.0"
_BARE_NO_RESPONDERS = b"NATS/1.0 503\r\n\r\n"
_TOKEN = r"[^\s.*>\x00-\x1f\x7f]+"
_SUBJECT = re.compile(rf"{_TOKEN}(?:\.{_TOKEN})*")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)

_Arguments = tuple[int, str, str, int, int]
"""Subscription number, subject, reply, bytes of headers, bytes in all."""


class WireError(Exception):
    """The peer does not speak the NATS client protocol."""


class Interest:
    """One subscription as the reader sees it; as small as can be, as there are tens of thousands."""

    __slots__ = ("receiver",)

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver


class View(Protocol):
    """Subscriptions, by number."""

    def get(self, number: int, /) -> Interest | None: ...


class Events(Protocol):
    """Who is told of all that is not a message. Called synchronously, in the stream's order."""

    def ping_received(self) -> None:
        """The server asks for a PONG."""
        ...

    def pong_received(self) -> None:
        """The server answers the oldest PING."""
        ...

    def info_received(self, body: bytes) -> None:
        """The server describes itself anew, in JSON."""
        ...

    def error_received(self, text: str) -> None:
        """The server complains; `text` without quotes."""
        ...

    def receiver_failed(self, interest: Interest, error: Exception) -> None:
        """A receiver raised."""
        ...


class Reader:
    """Splits a server's byte stream and calls the receivers of `interests`, by subscription number.

    A control line without a reply subject repeats for as long as a stream's bodies have one size: what it says is
    remembered by its bytes (4,096 lines at most), which saves most of the parsing.

    Attributes:
        messages: how many were read, whether or not anybody was interested.
        octets: bytes of body and headers read.
    """

    __slots__ = (
        "_chunks",
        "_events",
        "_have",
        "_interests",
        "_lines",
        "_need",
        "_subjects",
        "messages",
        "octets",
    )

    def __init__(self, interests: View, events: Events) -> None:
        self.messages = 0
        self.octets = 0
        self._interests = interests
        self._events = events
        self._chunks: list[bytes] = []
        self._have = 0
        self._need = 0
        self._lines: dict[bytes, _Arguments] = {}
        self._subjects: dict[bytes, str] = {}

    def listen(self, interests: View) -> None:
        """From the next bytes on, calls the receivers of these."""
        self._interests = interests

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the stream. Raises `WireError`."""
        if self._chunks:
            self._chunks.append(data)
            self._have += len(data)
            if self._have < self._need:
                return
            data = b"".join(self._chunks)
            self._chunks.clear()
        done = self._read(data)
        if done < len(data):
            rest = data[done:] if done else data
            self._chunks.append(rest)
            self._have = len(rest)

    def _read(self, data: bytes) -> int:
        """Reads whole messages and lines; returns where the first incomplete one begins."""
        size = len(data)
        find = data.find
        lines = self._lines
        interests = self._interests
        position = messages = octets = 0
        self._need = 0
        try:
            while position < size:
                end = find(b"\r\n", position)
                if end < 0:
                    if size - position > MAX_LINE:
                        raise WireError(f"a control line longer than {MAX_LINE} bytes")
                    break
                line = data[position:end]
                arguments = lines.get(line)
                if arguments is None:
                    arguments = self._line(line)
                    if arguments is None:
                        position = end + 2
                        continue
                number, subject, reply, head, total = arguments
                start = end + 2
                stop = start + total
                if stop + 2 > size:
                    self._need = stop + 2 - position
                    break
                position = stop + 2
                messages += 1
                octets += total
                interest = interests.get(number)
                if interest is None:
                    continue
                try:
                    if head:
                        headers = parse_headers(data[start : start + head])
                        interest.receiver(subject, data[start + head : stop], reply, headers)
                    else:
                        interest.receiver(subject, data[start:stop], reply, None)
                except Exception as error:
                    self._events.receiver_failed(interest, error)
        finally:
            self.messages += messages
            self.octets += octets
        return position

    def _line(self, line: bytes) -> _Arguments | None:
        """What a MSG or HMSG line says; any other line is handled here."""
        words = line.split()
        verb = words[0] if words else b""
        if verb == b"MSG":
            return self._message(line, words, 0)
        if verb == b"HMSG":
            return self._message(line, words, 1)
        if verb == b"INFO":
            self._events.info_received(line[4:].strip())
        elif verb == b"-ERR":
            self._events.error_received(line[4:].strip().strip(b"'").decode("utf-8", "replace"))
        elif words == [b"PING"]:
            self._events.ping_received()
        elif words == [b"PONG"]:
            self._events.pong_received()
        elif words != [b"+OK"]:
            raise WireError(f"unknown control line {line[:64]!r}")
        return None

    def _message(self, line: bytes, words: list[bytes], more: int) -> _Arguments:
        """The arguments of a message; `more` is the number of sizes beside that of the whole."""
        count = len(words) - more
        numbers = words[2] + words[-1] + words[-1 - more] if 4 <= count <= 5 else b""
        if not numbers.isdigit():
            raise WireError(f"malformed control line {line[:64]!r}")
        total = int(words[-1])
        head = int(words[-2]) if more else 0
        if head > total:
            raise WireError(f"more headers than message in {line[:64]!r}")
        subject = self._subjects.get(words[1])
        if subject is None:
            subject = words[1].decode("utf-8", "replace")
            if len(self._subjects) >= _CACHE:
                self._subjects.clear()
            self._subjects[words[1]] = subject
        if count == 5:
            return (int(words[2]), subject, words[3].decode("utf-8", "replace"), head, total)
        arguments = (int(words[2]), subject, "", head, total)
        if len(self._lines) >= _CACHE:
            self._lines.clear()
        self._lines[line] = arguments
        return arguments


def parse_headers(block: bytes) -> Headers:
    """The headers of a message. A status line becomes ``Status`` and, if it says more, ``Description``.

    Of a name that comes twice the last value counts. A block that is not one gives no headers, as a message must not
    be lost for a foreign client's mistake in them.
    """
    if block == _BARE_NO_RESPONDERS:
        return NO_RESPONDERS
    headers: dict[str, str] = {}
    first, _, rest = block.partition(b"\r\n")
    if not first.startswith(_HEADER_LINE):
        return headers
    status, _, description = first[len(_HEADER_LINE) :].strip().partition(b" ")
    if status:
        headers["Status"] = status.decode("utf-8", "replace")
        if description:
            headers["Description"] = description.strip().decode("utf-8", "replace")
    for line in rest.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon and name:
            headers[name.strip().decode("utf-8", "replace")] = value.strip().decode("utf-8", "replace")
    return headers


def encode_headers(headers: Headers) -> bytes:
    """The block that stands for `headers` on the wire, its closing blank line included.

    Raises:
        ConfigurationError: a name that is not a token, or a value that holds a line break.
    """
    lines = ["NATS/1.0"]
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError(f"header name {name!r} is not allowed: use letters, digits and '-'")
        if "\r" in value or "\n" in value:
            raise ConfigurationError(f"header {name!r} holds a line break: encode its value")
        lines.append(f"{name}: {value}")
    lines.append("\r\n")
    return "\r\n".join(lines).encode()


def checked_subject(subject: str) -> bytes:
    """The bytes of a subject to send to. Raises `SubjectError`."""
    if not _SUBJECT.fullmatch(subject):
        check_subject(subject)
    try:
        octets = subject.encode()
    except UnicodeEncodeError:
        raise SubjectError(f"subject {subject!r} is not text: use characters that UTF-8 has") from None
    if len(octets) > LONGEST_SUBJECT:
        raise SubjectError(f"subject {subject[:64]!r}... is too long: {LONGEST_SUBJECT} bytes at most")
    return octets


def sub_line(subject: str, queue: str, number: int) -> bytes:
    """The line that begins interest in a subject."""
    return f"SUB {subject} {queue} {number}\r\n".encode() if queue else f"SUB {subject} {number}\r\n".encode()


def unsub_line(number: int) -> bytes:
    """The line that ends interest."""
    return b"UNSUB %d\r\n" % number
