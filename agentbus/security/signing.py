"""A sealed frame's bytes: a header, one signature, the body. Pure but for the hash.

::

    signature  64   Ed25519, over DOMAIN and the SHA-256 of what stands below
    flags       1   1: durable; 2: the sender begins to count anew (it had forgotten this stream); no others
    issued      8   microseconds since 1970, by the sender's clock; integers are big-endian
    expires     8   likewise
    epoch       8   of the sender's node
    number      8   of the frame among those of this sender, epoch and subject; from 1, one by one
    source      1   its length
    enrolment   2   its length
    source          the sender's name
    enrolment       who may speak as whom, as an enroller signed it
    body            the frame

The hash is over the length (2 bytes) and the text of the subject, likewise of the reply subject, then all of the above
after the signature, byte for byte as it came. So a frame that is moved to another subject, or whose answer is to go
elsewhere, is one that nobody has signed. Who receives one never writes it again to verify it.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct, error
from typing import NamedTuple

from ..errors import SubjectError, Unauthorized
from ..subjects import check_name

DOMAIN = b"agentbus frame v2\0"
SIGNATURE = 64
MAX_ENROLMENT = 4096
MAX_SOURCE = 255
_NUMBERS = Struct(">BQQQQBH")
_LENGTH = Struct(">H")
_START = SIGNATURE + _NUMBERS.size
_DURABLE, _BEGINS = 1, 2
OVERHEAD = _START + MAX_SOURCE + MAX_ENROLMENT
"""Bytes that sealing adds to a frame, at most."""


class Header(NamedTuple):
    """What a sealed frame says of itself."""

    source: str
    epoch: int
    number: int
    issued_us: int
    expires_us: int
    durable: bool
    begins: bool
    enrolment: bytes


def packed(header: Header) -> bytes:
    """What stands between the signature and the body. Raises `Unauthorized` for what has no room in it."""
    source = header.source.encode()
    if len(source) > MAX_SOURCE or len(header.enrolment) > MAX_ENROLMENT:
        raise Unauthorized(f"the name {header.source[:40]!r}..., or its enrolment, is too long to travel with frames")
    numbers = _NUMBERS.pack(
        _DURABLE * header.durable | _BEGINS * header.begins,
        header.issued_us,
        header.expires_us,
        header.epoch,
        header.number,
        len(source),
        len(header.enrolment),
    )
    return b"".join((numbers, source, header.enrolment))


def parsed(sealed: bytes) -> tuple[Header, int]:
    """The header, and where the body starts. Nothing of it is to be believed yet. Raises `Unauthorized`."""
    if len(sealed) < _START:
        raise Unauthorized(f"not a sealed frame: {len(sealed)} bytes")
    flags, issued_us, expires_us, epoch, number, names, enrolled = _NUMBERS.unpack_from(sealed, SIGNATURE)
    middle = _START + names
    end = middle + enrolled
    if flags > (_DURABLE | _BEGINS) or number == 0 or len(sealed) < end or enrolled > MAX_ENROLMENT:
        raise Unauthorized("not a sealed frame: its header is none")
    try:
        source = check_name(sealed[_START:middle].decode("ascii"), "sender")
    except (UnicodeDecodeError, SubjectError):
        raise Unauthorized("not a sealed frame: its sender is no name") from None
    durable, begins = bool(flags & _DURABLE), bool(flags & _BEGINS)
    return Header(source, epoch, number, issued_us, expires_us, durable, begins, sealed[middle:end]), end


def signable(subject: str, reply: str, head: bytes, body: bytes | memoryview = b"") -> bytes:
    """What is signed, for a frame that goes to `subject`: `head` and `body` are the sealed frame without its
    signature. They are hashed one after the other, since joining them copies a frame. Raises `Unauthorized` for a
    subject that can't be signed."""
    try:
        to, back = subject.encode(), reply.encode()
        address = _LENGTH.pack(len(to)) + to + _LENGTH.pack(len(back)) + back
    except (UnicodeEncodeError, error):
        raise Unauthorized(f"a subject that can't be signed: {subject[:40]!r}..., {reply[:40]!r}...") from None
    hashed = sha256(address + head)
    hashed.update(body)
    return DOMAIN + hashed.digest()
