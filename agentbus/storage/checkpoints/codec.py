"""A checkpoint as the values it is kept in: a head, and chunks when it is larger than one value."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from ...errors import CheckpointInvalid
from ...wire.v1 import checkpoints_pb2 as wire

FORMAT = 1
"""Of this layout. A head of another one is invalid."""
HEAD_BYTES = 256
"""Bytes of a head, at most, beside a state that is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a head says. `chunks` is 0 when the state is in the head itself, as `state`."""

    number: int
    version: int
    length: int
    digest: bytes
    chunks: int
    state: bytes = b""


def split(state: bytes, *, number: int, version: int, room: int) -> tuple[bytes, tuple[bytes, ...]]:
    """A head and its chunks, none of more than `room` bytes."""
    small = len(state) + HEAD_BYTES <= room
    chunks = () if small else tuple(state[at : at + room] for at in range(0, len(state), room))
    head = wire.CheckpointHead(
        format=FORMAT,
        number=number,
        version=version,
        length=len(state),
        digest=hashlib.sha256(state).digest(),
        chunks=len(chunks),
        state=state if small else b"",
    )
    return head.SerializeToString(), chunks


def read_head(value: bytes, what: str) -> Head:
    """What a head's bytes say. Raises `CheckpointInvalid`; `what` begins its text."""
    head = wire.CheckpointHead()
    try:
        head.ParseFromString(value)
    except DecodeError:
        raise CheckpointInvalid(f"{what}: its head is no checkpoint's") from None
    if head.format != FORMAT:
        raise CheckpointInvalid(f"{what}: it is of format {head.format}, this program reads {FORMAT}")
    return Head(
        number=head.number,
        version=head.version,
        length=head.length,
        digest=head.digest,
        chunks=head.chunks,
        state=head.state,
    )


def joined(head: Head, chunks: Sequence[bytes | None], what: str) -> bytes:
    """The state that a head and its chunks hold. Raises `CheckpointInvalid`."""
    if None in chunks:
        raise CheckpointInvalid(f"{what}: chunk {chunks.index(None)} of {head.chunks} is missing")
    state = head.state if not head.chunks else b"".join(chunk for chunk in chunks if chunk is not None)
    if len(state) != head.length:
        raise CheckpointInvalid(f"{what}: it has {len(state)} bytes of {head.length}")
    if hashlib.sha256(state).digest() != head.digest:
        raise CheckpointInvalid(f"{what}: its digest is not that of what was saved")
    return state
