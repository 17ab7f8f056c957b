from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PeerEventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PEER_EVENT_KIND_UNSPECIFIED: _ClassVar[PeerEventKind]
    PEER_EVENT_KIND_JOINED: _ClassVar[PeerEventKind]
    PEER_EVENT_KIND_SUSPECTED: _ClassVar[PeerEventKind]
    PEER_EVENT_KIND_FAILED: _ClassVar[PeerEventKind]
    PEER_EVENT_KIND_LEFT: _ClassVar[PeerEventKind]
    PEER_EVENT_KIND_REJOINED: _ClassVar[PeerEventKind]
PEER_EVENT_KIND_UNSPECIFIED: PeerEventKind
PEER_EVENT_KIND_JOINED: PeerEventKind
PEER_EVENT_KIND_SUSPECTED: PeerEventKind
PEER_EVENT_KIND_FAILED: PeerEventKind
PEER_EVENT_KIND_LEFT: PeerEventKind
PEER_EVENT_KIND_REJOINED: PeerEventKind

class PeerEvent(_message.Message):
    __slots__ = ("kind", "node", "epoch", "incarnation", "agents", "reason")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    kind: PeerEventKind
    node: str
    epoch: int
    incarnation: int
    agents: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    def __init__(self, kind: _Optional[_Union[PeerEventKind, str]] = ..., node: _Optional[str] = ..., epoch: _Optional[int] = ..., incarnation: _Optional[int] = ..., agents: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ...) -> None: ...

class Fault(_message.Message):
    __slots__ = ("kind", "agent", "node", "epoch", "reason", "witnesses", "score", "recovered")
    KIND_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    WITNESSES_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_FIELD_NUMBER: _ClassVar[int]
    kind: str
    agent: str
    node: str
    epoch: int
    reason: str
    witnesses: _containers.RepeatedScalarFieldContainer[str]
    score: float
    recovered: bool
    def __init__(self, kind: _Optional[str] = ..., agent: _Optional[str] = ..., node: _Optional[str] = ..., epoch: _Optional[int] = ..., reason: _Optional[str] = ..., witnesses: _Optional[_Iterable[str]] = ..., score: _Optional[float] = ..., recovered: bool = ...) -> None: ...
