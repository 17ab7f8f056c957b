"""The bytes of a sealed frame: what is said is read, what is altered is not signed, nothing else is raised."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.errors import Unauthorized
from agentbus.security import KeyPair, verified
from agentbus.security.signing import DOMAIN, MAX_ENROLMENT, OVERHEAD, Header, packed, parsed, signable

PAIR = KeyPair(bytes(32))
U64 = st.integers(0, 2**64 - 1)
HEADERS = st.builds(
    Header,
    source=st.from_regex(r"[A-Za-z0-9_-]{1,255}", fullmatch=True),
    epoch=U64,
    number=st.integers(1, 2**64 - 1),
    issued_us=U64,
    expires_us=U64,
    durable=st.booleans(),
    begins=st.booleans(),
    enrolment=st.binary(max_size=MAX_ENROLMENT),
)
SUBJECTS = st.text("abc.->é", max_size=30)
HEADER = Header("hall", 7, 1, 1_000_000, 31_000_000, False, False, b"enrolled")


def sealed(header: Header, body: bytes, subject: str = "city.ev.x", reply: str = "") -> bytes:
    rest = packed(header) + body
    return PAIR.sign(signable(subject, reply, rest)) + rest


def holds(frame: bytes, subject: str = "city.ev.x", reply: str = "") -> bool:
    return verified(PAIR.key, signable(subject, reply, frame[64:]), frame[:64])


def test_the_layout_is_as_it_is_written_down() -> None:
    rest = (
        b"\x01"
        + (1_000_000).to_bytes(8, "big")
        + (31_000_000).to_bytes(8, "big")
        + (7).to_bytes(8, "big")
        + (1).to_bytes(8, "big")
        + b"\x04\x00\x08"
        + b"hallenrolled"
        + b"body"
    )
    assert packed(HEADER._replace(durable=True)) + b"body" == rest
    hashed = sha256(b"\x00\x01x" + b"\x00\x02yz" + rest).digest()
    assert signable("x", "yz", rest) == DOMAIN + hashed


@given(HEADERS, st.binary(max_size=300))
def test_what_is_said_is_read(header: Header, body: bytes) -> None:
    frame = sealed(header, body)
    found, start = parsed(frame)
    assert found == header
    assert frame[start:] == body
    assert start <= OVERHEAD
    assert holds(frame)


@given(SUBJECTS, SUBJECTS, SUBJECTS, SUBJECTS)
def test_a_frame_is_signed_for_one_subject_and_one_reply(to: str, back: str, other: str, another: str) -> None:
    frame = sealed(HEADER, b"body", to, back)
    assert holds(frame, other, another) == ((to, back) == (other, another))


def test_every_bit_counts() -> None:
    frame = sealed(HEADER, b"a body of some bytes")
    for place in range(len(frame)):
        for bit in range(8):
            altered = bytearray(frame)
            altered[place] ^= 1 << bit
            assert not holds(bytes(altered))
        assert not holds(frame[:place])
    assert not holds(frame + b"\0")


@given(st.binary(max_size=600))
def test_bytes_that_are_no_frame_are_refused_and_nothing_else_happens(body: bytes) -> None:
    try:
        header, start = parsed(body)
    except Unauthorized:
        return
    assert packed(header) + body[start:] == body[64:], "what is read is all that stands there"


@given(st.data())
def test_a_frame_that_is_cut_or_altered_is_read_or_refused(data: st.DataObject) -> None:
    frame = bytearray(sealed(HEADER, b"body"))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(frame[: data.draw(st.integers(0, len(frame)))])
    try:
        parsed(cut)
    except Unauthorized:
        return


@pytest.mark.parametrize("header", [HEADER._replace(source="x" * 256), HEADER._replace(enrolment=bytes(4097))])
def test_what_has_no_room_is_not_signed(header: Header) -> None:
    with pytest.raises(Unauthorized, match="too long"):
        packed(header)
