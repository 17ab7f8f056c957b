from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MemberState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEMBER_STATE_UNSPECIFIED: _ClassVar[MemberState]
    MEMBER_STATE_ALIVE: _ClassVar[MemberState]
    MEMBER_STATE_SUSPECT: _ClassVar[MemberState]
    MEMBER_STATE_FAILED: _ClassVar[MemberState]
    MEMBER_STATE_LEFT: _ClassVar[MemberState]

class GossipKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GOSSIP_KIND_UNSPECIFIED: _ClassVar[GossipKind]
    GOSSIP_KIND_PING: _ClassVar[GossipKind]
    GOSSIP_KIND_ACK: _ClassVar[GossipKind]
    GOSSIP_KIND_PING_REQUEST: _ClassVar[GossipKind]
    GOSSIP_KIND_NACK: _ClassVar[GossipKind]
    GOSSIP_KIND_GOSSIP: _ClassVar[GossipKind]
    GOSSIP_KIND_ASK: _ClassVar[GossipKind]
    GOSSIP_KIND_TELL: _ClassVar[GossipKind]
    GOSSIP_KIND_ECHO: _ClassVar[GossipKind]
MEMBER_STATE_UNSPECIFIED: MemberState
MEMBER_STATE_ALIVE: MemberState
MEMBER_STATE_SUSPECT: MemberState
MEMBER_STATE_FAILED: MemberState
MEMBER_STATE_LEFT: MemberState
GOSSIP_KIND_UNSPECIFIED: GossipKind
GOSSIP_KIND_PING: GossipKind
GOSSIP_KIND_ACK: GossipKind
GOSSIP_KIND_PING_REQUEST: GossipKind
GOSSIP_KIND_NACK: GossipKind
GOSSIP_KIND_GOSSIP: GossipKind
GOSSIP_KIND_ASK: GossipKind
GOSSIP_KIND_TELL: GossipKind
GOSSIP_KIND_ECHO: GossipKind

class MemberAgent(_message.Message):
    __slots__ = ("name", "answers", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    answers: _containers.RepeatedScalarFieldContainer[str]
    tags: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., answers: _Optional[_Iterable[str]] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class MemberWord(_message.Message):
    __slots__ = ("state", "node", "epoch", "life", "incarnation", "by", "agents")
    STATE_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    state: MemberState
    node: str
    epoch: int
    life: int
    incarnation: int
    by: _containers.RepeatedScalarFieldContainer[str]
    agents: _containers.RepeatedCompositeFieldContainer[MemberAgent]
    def __init__(self, state: _Optional[_Union[MemberState, str]] = ..., node: _Optional[str] = ..., epoch: _Optional[int] = ..., life: _Optional[int] = ..., incarnation: _Optional[int] = ..., by: _Optional[_Iterable[str]] = ..., agents: _Optional[_Iterable[_Union[MemberAgent, _Mapping]]] = ...) -> None: ...

class Gossip(_message.Message):
    __slots__ = ("version", "kind", "source", "epoch", "sequence", "target", "words")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    version: int
    kind: GossipKind
    source: str
    epoch: int
    sequence: int
    target: str
    words: _containers.RepeatedCompositeFieldContainer[MemberWord]
    def __init__(self, version: _Optional[int] = ..., kind: _Optional[_Union[GossipKind, str]] = ..., source: _Optional[str] = ..., epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., target: _Optional[str] = ..., words: _Optional[_Iterable[_Union[MemberWord, _Mapping]]] = ...) -> None: ...

class Join(_message.Message):
    __slots__ = ("version", "word", "untold")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WORD_FIELD_NUMBER: _ClassVar[int]
    UNTOLD_FIELD_NUMBER: _ClassVar[int]
    version: int
    word: MemberWord
    untold: bool
    def __init__(self, version: _Optional[int] = ..., word: _Optional[_Union[MemberWord, _Mapping]] = ..., untold: bool = ...) -> None: ...

class MembersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MembersReply(_message.Message):
    __slots__ = ("node", "health", "frozen", "members")
    NODE_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    node: str
    health: int
    frozen: bool
    members: _containers.RepeatedCompositeFieldContainer[MemberWord]
    def __init__(self, node: _Optional[str] = ..., health: _Optional[int] = ..., frozen: bool = ..., members: _Optional[_Iterable[_Union[MemberWord, _Mapping]]] = ...) -> None: ...
