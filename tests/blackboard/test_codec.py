"""Packets on the wire: as they were, or not read at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentbus.blackboard import Note, Stamp, Tally, Value
from agentbus.blackboard.codec import decode, encode
from agentbus.blackboard.model import Packet, PacketKind
from agentbus.wire.v1.blackboard_pb2 import BoardGossip

STAMP = Stamp(1_700_000_000_000, 3, "a@1f")


def packet(kind: PacketKind = PacketKind.ITEMS) -> Packet:
    values: list[Value | None] = [None, True, False, 0, -(1 << 63) + 1, 0.0, 0.1, "", "text", b"", b"\xff"]
    notes = [Note(f"k{number}", STAMP, value) for number, value in enumerate(values)]
    return Packet(
        kind=kind,
        source="a",
        life=31,
        items=[*notes, Tally("n", "a@1f", 5, (1 << 63) - 1)],
        root=0,
        opened=(0, 63),
        have=(1, (1 << 64) - 1),
        want=(2,),
    )


def test_a_packet_comes_through_as_it_was() -> None:
    for sent in (
        packet(),
        Packet(kind=PacketKind.BEAT, source="a", life=1),
        Packet(kind=PacketKind.BUCKETS, source="a", life=1, sums=tuple(range(64))),
    ):
        read = decode(BoardGossip.FromString(encode(sent).SerializeToString()))
        assert read is not None
        assert [item.spelled for item in read.items] == [item.spelled for item in sent.items]
        assert (read.kind, read.source, read.life, read.root) == (sent.kind, sent.source, sent.life, sent.root)
        assert (read.sums, read.opened, read.have, read.want) == (sent.sums, sent.opened, sent.have, sent.want)


def test_an_item_weighs_no_less_than_on_the_wire() -> None:
    for item in packet().items:
        alone = Packet(kind=PacketKind.ITEMS, source="a", life=31, items=[item])
        bare = Packet(kind=PacketKind.ITEMS, source="a", life=31)
        assert encode(alone).ByteSize() - encode(bare).ByteSize() <= item.weight


SPOILT: dict[str, Callable[[BoardGossip], object]] = {
    "version": lambda message: setattr(message, "version", 99),
    "kind": lambda message: setattr(message, "kind", 9),
    "no kind": lambda message: setattr(message, "kind", 0),
    "source": lambda message: setattr(message, "source", "a b"),
    "sums": lambda message: message.sums.append(1),
    "opened": lambda message: message.opened.append(64),
    "opened too often": lambda message: message.opened.extend([1] * 64),
    "key": lambda message: setattr(message.notes[0], "key", ""),
    "long key": lambda message: setattr(message.notes[0], "key", "ä" * 129),
    "actor": lambda message: setattr(message.notes[0].stamp, "actor", ""),
    "no stamp": lambda message: message.notes[0].ClearField("stamp"),
    "wall": lambda message: setattr(message.notes[0].stamp, "wall_ms", 1 << 48),
    "nan": lambda message: setattr(message.notes[0], "real", float("nan")),
    "infinite": lambda message: setattr(message.notes[0], "real", float("-inf")),
    "counter": lambda message: setattr(message.tallies[0], "counter", ""),
    "nobody counts": lambda message: setattr(message.tallies[0], "actor", ""),
    "too many": lambda message: setattr(message.tallies[0], "plus", 1 << 63),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_makes_no_sense_is_not_read(what: str) -> None:
    message = encode(packet())
    assert decode(message) is not None
    SPOILT[what](message)
    assert decode(message) is None


def test_buckets_are_all_there_or_not_read() -> None:
    message = encode(Packet(kind=PacketKind.BUCKETS, source="a", life=1, sums=tuple(range(64))))
    assert decode(message) is not None
    del message.sums[0]
    assert decode(message) is None
