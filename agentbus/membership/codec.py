"""Packets and words, to protobuf and back.

What comes from the wire is not trusted: a packet that this version does not understand is None, a word that makes no
sense is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..wire.v1.membership_pb2 import (
    Gossip,
    Join,
    MemberAgent,
    MembersReply,
    MembersRequest,
    MemberWord,
)
from .model import AgentEntry, Packet, PacketKind, State, Word

__all__ = [
    "Gossip",
    "Join",
    "MembersReply",
    "MembersRequest",
    "decode",
    "decode_join",
    "encode",
    "encode_join",
    "encode_members",
    "read_members",
]

VERSION = 1
MAX_NUMBER = 1 << 63
"""Lives and incarnations are below it, so that the next one can be said, too."""
MAX_ACCUSERS = 32
"""Accusers of one node that are read."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")
_KINDS = {int(kind): kind for kind in PacketKind if kind is not PacketKind.JOIN}
_STATES = {int(state) + 1: state for state in State}


def encode(packet: Packet) -> Gossip:
    """A packet for one node."""
    return Gossip(
        version=VERSION,
        kind=int(packet.kind),  # pyright: ignore[reportArgumentType]
        source=packet.source,
        epoch=packet.epoch,
        sequence=packet.sequence,
        target=packet.target,
        words=[_encode_word(word) for word in packet.words],
    )


def decode(message: Gossip) -> Packet | None:
    """The packet, or None when it is of a later version, or of nobody."""
    kind = _KINDS.get(message.kind)
    if kind is None or message.version > VERSION or not _NAME.fullmatch(message.source):
        return None
    if message.target and not _NAME.fullmatch(message.target):
        return None
    words = _decode_words(message.words)
    return Packet(kind, message.source, message.epoch, message.sequence, message.target, words)


def encode_join(packet: Packet) -> Join:
    """A packet for everybody."""
    return Join(version=VERSION, word=_encode_word(packet.words[0]), untold=bool(packet.sequence))


def decode_join(message: Join) -> Packet | None:
    """The packet, or None when it is of a later version, or makes no sense."""
    words = _decode_words([message.word])
    if message.version > VERSION or not words or words[0].state is not State.ALIVE:
        return None
    return Packet(PacketKind.JOIN, words[0].node, words[0].epoch, int(message.untold), "", words)


def encode_members(node: str, health: int, frozen: bool, words: Iterable[Word]) -> MembersReply:
    """What a node believes of all."""
    members = [_encode_word(word) for word in sorted(words, key=lambda word: word.node)]
    return MembersReply(node=node, health=health, frozen=frozen, members=members)


def read_members(body: bytes) -> tuple[str, tuple[Word, ...]]:
    """Who answered, and what it believes, from the bytes of a `MembersReply`. Raises `ValueError` for others."""
    reply = MembersReply()
    try:
        reply.ParseFromString(body)
    except Exception as error:  # DecodeError has no home of its own in every runtime
        raise ValueError(f"not a MembersReply: {error}") from None
    return reply.node, _decode_words(reply.members)


def _encode_word(word: Word) -> MemberWord:
    return MemberWord(
        state=int(word.state) + 1,  # pyright: ignore[reportArgumentType]
        node=word.node,
        epoch=word.epoch,
        life=0 if word.life == word.epoch else word.life,
        incarnation=word.incarnation,
        by=word.by,
        agents=[MemberAgent(name=agent.name, answers=agent.answers, tags=dict(agent.tags)) for agent in word.agents],
    )


def _decode_words(words: Iterable[MemberWord]) -> tuple[Word, ...]:
    return tuple(decoded for word in words if (decoded := _decode_word(word)) is not None)


def _decode_word(word: MemberWord) -> Word | None:
    state = _STATES.get(word.state)
    life = word.life or word.epoch
    if state is None or max(life, word.incarnation) >= MAX_NUMBER or not _NAME.fullmatch(word.node):
        return None
    return Word(
        state=state,
        node=word.node,
        epoch=word.epoch,
        life=life,
        incarnation=word.incarnation,
        by=tuple(name for name in word.by[:MAX_ACCUSERS] if _NAME.fullmatch(name)),
        agents=tuple(
            AgentEntry(name=agent.name, answers=tuple(agent.answers), tags=dict(agent.tags)) for agent in word.agents
        ),
    )
