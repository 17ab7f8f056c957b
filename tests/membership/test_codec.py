"""Packets on the wire: there and back, of other versions, and of no sense."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.membership.codec import (
    MAX_NUMBER,
    Gossip,
    Join,
    decode,
    decode_join,
    encode,
    encode_join,
    encode_members,
    read_members,
)
from agentbus.membership.model import AgentEntry, Packet, PacketKind, State, Word

names = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
numbers = st.integers(1, MAX_NUMBER - 1)
texts = st.text(max_size=12)
agents = st.builds(
    AgentEntry,
    name=names,
    answers=st.lists(texts, max_size=3).map(tuple),
    tags=st.dictionaries(texts, texts, max_size=3),
)
words = st.builds(
    Word,
    state=st.sampled_from(State),
    node=names,
    epoch=numbers,
    life=numbers,
    incarnation=numbers,
    by=st.lists(names, max_size=3).map(tuple),
    agents=st.lists(agents, max_size=3).map(tuple),
)
packets = st.builds(
    Packet,
    st.sampled_from([kind for kind in PacketKind if kind is not PacketKind.JOIN]),
    names,
    numbers,
    numbers,
    st.one_of(st.just(""), names),
    st.lists(words, max_size=4).map(tuple),
)


@settings(max_examples=40)
@given(packets)
def test_a_packet_arrives_as_it_was_sent(packet: Packet) -> None:
    assert decode(Gossip.FromString(encode(packet).SerializeToString())) == packet


@settings(max_examples=40)
@given(words, st.booleans())
def test_a_join_arrives_as_it_was_sent(word: Word, untold: bool) -> None:
    packet = Packet(PacketKind.JOIN, word.node, word.epoch, int(untold), "", (word,))
    arrived = decode_join(Join.FromString(encode_join(packet).SerializeToString()))
    assert arrived == (packet if word.state is State.ALIVE else None)


@settings(max_examples=40)
@given(words)
def test_a_word_is_no_larger_than_it_says(word: Word) -> None:
    packet = Packet(PacketKind.GOSSIP, "a", 1, 0, "", (word,))
    empty = Packet(PacketKind.GOSSIP, "a", 1)
    assert encode(packet).ByteSize() - encode(empty).ByteSize() <= word.size


@settings(max_examples=40)
@given(st.lists(words, max_size=4))
def test_the_members_are_read_by_whoever_asks(all_words: list[Word]) -> None:
    body = encode_members("me", 2, True, all_words).SerializeToString()
    assert read_members(body) == ("me", tuple(sorted(all_words, key=lambda word: word.node)))


def test_what_is_no_answer_is_said_to_be_none() -> None:
    with pytest.raises(ValueError, match="not a MembersReply"):
        read_members(b"\xff\xff\xff")


@pytest.mark.parametrize(
    "changes",
    [{"version": 2}, {"kind": 0}, {"kind": 99}, {"source": ""}, {"source": "a.b"}, {"source": "*"}, {"target": ">"}],
    ids=str,
)
def test_a_packet_of_a_later_version_or_of_nobody_is_none(changes: dict[str, object]) -> None:
    message = encode(Packet(PacketKind.PING, "a", 1, 7, "b"))
    for field, value in changes.items():
        setattr(message, field, value)
    assert decode(message) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"state": 0},
        {"state": 77},
        {"node": ""},
        {"node": "a b"},
        {"node": "x" * 201},
        {"incarnation": MAX_NUMBER},
        {"life": 2**64 - 1},
    ],
    ids=str,
)
def test_a_word_that_makes_no_sense_is_left_out(changes: dict[str, object]) -> None:
    good = Word(state=State.ALIVE, node="b", epoch=1, life=1, incarnation=0)
    message = encode(Packet(PacketKind.GOSSIP, "a", 1, 0, "", (good, good)))
    for field, value in changes.items():
        setattr(message.words[0], field, value)
    decoded = decode(message)
    assert decoded is not None
    assert decoded.words == (good,)
    join = Join(version=1, word=message.words[0])
    assert decode_join(join) is None


def test_a_join_of_a_later_version_is_none() -> None:
    word = Word(state=State.ALIVE, node="b", epoch=1, life=1, incarnation=0)
    message = encode_join(Packet(PacketKind.JOIN, "b", 1, 1, "", (word,)))
    message.version = 9
    assert decode_join(message) is None
