from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BoardGossipKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BOARD_GOSSIP_KIND_UNSPECIFIED: _ClassVar[BoardGossipKind]
    BOARD_GOSSIP_KIND_BEAT: _ClassVar[BoardGossipKind]
    BOARD_GOSSIP_KIND_BUCKETS: _ClassVar[BoardGossipKind]
    BOARD_GOSSIP_KIND_HAVE: _ClassVar[BoardGossipKind]
    BOARD_GOSSIP_KIND_ITEMS: _ClassVar[BoardGossipKind]
BOARD_GOSSIP_KIND_UNSPECIFIED: BoardGossipKind
BOARD_GOSSIP_KIND_BEAT: BoardGossipKind
BOARD_GOSSIP_KIND_BUCKETS: BoardGossipKind
BOARD_GOSSIP_KIND_HAVE: BoardGossipKind
BOARD_GOSSIP_KIND_ITEMS: BoardGossipKind

class BoardStamp(_message.Message):
    __slots__ = ("wall_ms", "logical", "actor")
    WALL_MS_FIELD_NUMBER: _ClassVar[int]
    LOGICAL_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    wall_ms: int
    logical: int
    actor: str
    def __init__(self, wall_ms: _Optional[int] = ..., logical: _Optional[int] = ..., actor: _Optional[str] = ...) -> None: ...

class BoardNote(_message.Message):
    __slots__ = ("key", "stamp", "raw", "text", "whole", "real", "truth")
    KEY_FIELD_NUMBER: _ClassVar[int]
    STAMP_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    REAL_FIELD_NUMBER: _ClassVar[int]
    TRUTH_FIELD_NUMBER: _ClassVar[int]
    key: str
    stamp: BoardStamp
    raw: bytes
    text: str
    whole: int
    real: float
    truth: bool
    def __init__(self, key: _Optional[str] = ..., stamp: _Optional[_Union[BoardStamp, _Mapping]] = ..., raw: _Optional[bytes] = ..., text: _Optional[str] = ..., whole: _Optional[int] = ..., real: _Optional[float] = ..., truth: bool = ...) -> None: ...

class BoardTally(_message.Message):
    __slots__ = ("counter", "actor", "plus", "minus")
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    PLUS_FIELD_NUMBER: _ClassVar[int]
    MINUS_FIELD_NUMBER: _ClassVar[int]
    counter: str
    actor: str
    plus: int
    minus: int
    def __init__(self, counter: _Optional[str] = ..., actor: _Optional[str] = ..., plus: _Optional[int] = ..., minus: _Optional[int] = ...) -> None: ...

class BoardGossip(_message.Message):
    __slots__ = ("version", "kind", "source", "life", "notes", "tallies", "root", "sums", "opened", "have", "want")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    TALLIES_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    SUMS_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    HAVE_FIELD_NUMBER: _ClassVar[int]
    WANT_FIELD_NUMBER: _ClassVar[int]
    version: int
    kind: BoardGossipKind
    source: str
    life: int
    notes: _containers.RepeatedCompositeFieldContainer[BoardNote]
    tallies: _containers.RepeatedCompositeFieldContainer[BoardTally]
    root: int
    sums: _containers.RepeatedScalarFieldContainer[int]
    opened: _containers.RepeatedScalarFieldContainer[int]
    have: _containers.RepeatedScalarFieldContainer[int]
    want: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, version: _Optional[int] = ..., kind: _Optional[_Union[BoardGossipKind, str]] = ..., source: _Optional[str] = ..., life: _Optional[int] = ..., notes: _Optional[_Iterable[_Union[BoardNote, _Mapping]]] = ..., tallies: _Optional[_Iterable[_Union[BoardTally, _Mapping]]] = ..., root: _Optional[int] = ..., sums: _Optional[_Iterable[int]] = ..., opened: _Optional[_Iterable[int]] = ..., have: _Optional[_Iterable[int]] = ..., want: _Optional[_Iterable[int]] = ...) -> None: ...

class BoardStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BoardStatus(_message.Message):
    __slots__ = ("node", "team", "root", "notes", "deleted", "tallies", "bytes", "others", "messages_sent", "bytes_sent", "refused_ahead", "refused_full", "malformed")
    NODE_FIELD_NUMBER: _ClassVar[int]
    TEAM_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    TALLIES_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_SENT_FIELD_NUMBER: _ClassVar[int]
    BYTES_SENT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_AHEAD_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FULL_FIELD_NUMBER: _ClassVar[int]
    MALFORMED_FIELD_NUMBER: _ClassVar[int]
    node: str
    team: str
    root: int
    notes: int
    deleted: int
    tallies: int
    bytes: int
    others: int
    messages_sent: int
    bytes_sent: int
    refused_ahead: int
    refused_full: int
    malformed: int
    def __init__(self, node: _Optional[str] = ..., team: _Optional[str] = ..., root: _Optional[int] = ..., notes: _Optional[int] = ..., deleted: _Optional[int] = ..., tallies: _Optional[int] = ..., bytes: _Optional[int] = ..., others: _Optional[int] = ..., messages_sent: _Optional[int] = ..., bytes_sent: _Optional[int] = ..., refused_ahead: _Optional[int] = ..., refused_full: _Optional[int] = ..., malformed: _Optional[int] = ...) -> None: ...
