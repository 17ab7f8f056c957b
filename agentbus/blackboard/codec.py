"""Packets to protobuf and back. What comes from the wire is not trusted."""

from __future__ import annotations

import re
from math import isfinite

from ..wire.v1.blackboard_pb2 import BoardGossip, BoardNote, BoardStamp, BoardStatusRequest, BoardTally
from ..wire.v1.blackboard_pb2 import BoardStatus as StatusReply
from .clock import MAX_LOGICAL
from .config import MAX_NAME_BYTES
from .crdt import BUCKETS, MAX_WHOLE, Note, Stamp, Tally, Value
from .model import Packet, PacketKind, Status

__all__ = ["BoardGossip", "BoardStatusRequest", "StatusReply", "decode", "encode", "encode_status"]

VERSION = 1
MAX_WALL_MS = 1 << 48
"""Stamps are below it, so that there is always a next one."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")
_KINDS = {int(kind): kind for kind in PacketKind}


def encode(packet: Packet) -> BoardGossip:
    """A packet for one node."""
    return BoardGossip(
        version=VERSION,
        kind=int(packet.kind),  # pyright: ignore[reportArgumentType]
        source=packet.source,
        life=packet.life,
        notes=[_encode_note(item) for item in packet.items if isinstance(item, Note)],
        tallies=[
            BoardTally(counter=item.counter, actor=item.actor, plus=item.plus, minus=item.minus)
            for item in packet.items
            if isinstance(item, Tally)
        ],
        root=packet.root,
        sums=packet.sums,
        opened=packet.opened,
        have=packet.have,
        want=packet.want,
    )


def decode(message: BoardGossip) -> Packet | None:
    """The packet, or None when it is of a later version, of nobody, or makes no sense."""
    kind = _KINDS.get(message.kind)
    if kind is None or message.version > VERSION or not _NAME.fullmatch(message.source):
        return None
    if len(message.sums) != (BUCKETS if kind is PacketKind.BUCKETS else 0):
        return None
    if any(number >= BUCKETS for number in message.opened) or len(message.opened) > BUCKETS:
        return None
    items = [*map(_decode_note, message.notes), *map(_decode_tally, message.tallies)]
    known = [item for item in items if item is not None]
    if len(known) < len(items):
        return None
    return Packet(
        kind=kind,
        source=message.source,
        life=message.life,
        items=known,
        root=message.root if message.HasField("root") else None,
        sums=tuple(message.sums),
        opened=tuple(message.opened),
        have=tuple(message.have),
        want=tuple(message.want),
    )


def encode_status(status: Status) -> StatusReply:
    """What a node answers to whoever asks how its board is."""
    return StatusReply(
        node=status.node,
        team=status.team,
        root=status.root,
        notes=status.notes,
        deleted=status.deleted,
        tallies=status.tallies,
        bytes=status.bytes,
        others=status.others,
        messages_sent=status.messages_sent,
        bytes_sent=status.bytes_sent,
        refused_ahead=status.refused_ahead,
        refused_full=status.refused_full,
        malformed=status.malformed,
    )


def _encode_note(note: Note) -> BoardNote:
    stamp = BoardStamp(wall_ms=note.stamp.wall_ms, logical=note.stamp.logical, actor=note.stamp.actor)
    message = BoardNote(key=note.key, stamp=stamp)
    match note.value:
        case None:
            pass
        case bool():
            message.truth = note.value
        case int():
            message.whole = note.value
        case float():
            message.real = note.value
        case str():
            message.text = note.value
        case bytes():
            message.raw = note.value
    return message


def _decode_note(message: BoardNote) -> Note | None:
    stamp = message.stamp
    which = message.WhichOneof("value")
    value: Value | None = None if which is None else getattr(message, which)
    if not _is_name(message.key) or not _is_name(stamp.actor):
        return None
    if (
        stamp.wall_ms >= MAX_WALL_MS
        or stamp.logical > MAX_LOGICAL
        or (isinstance(value, float) and not isfinite(value))
    ):
        return None
    return Note(message.key, Stamp(stamp.wall_ms, stamp.logical, stamp.actor), value)


def _decode_tally(message: BoardTally) -> Tally | None:
    if not _is_name(message.counter) or not _is_name(message.actor) or max(message.plus, message.minus) > MAX_WHOLE:
        return None
    return Tally(message.counter, message.actor, message.plus, message.minus)


def _is_name(text: str) -> bool:
    return 0 < len(text.encode()) <= MAX_NAME_BYTES
