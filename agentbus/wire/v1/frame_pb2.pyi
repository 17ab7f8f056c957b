from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Frame(_message.Message):
    __slots__ = ("type", "source", "epoch", "hops", "sequence", "time_us", "payloads", "deadlines_ms", "traces", "answers", "sources")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HOPS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    DEADLINES_MS_FIELD_NUMBER: _ClassVar[int]
    TRACES_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    type: str
    source: str
    epoch: int
    hops: int
    sequence: int
    time_us: int
    payloads: _containers.RepeatedScalarFieldContainer[bytes]
    deadlines_ms: _containers.RepeatedScalarFieldContainer[int]
    traces: _containers.RepeatedScalarFieldContainer[str]
    answers: _containers.RepeatedScalarFieldContainer[int]
    sources: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, type: _Optional[str] = ..., source: _Optional[str] = ..., epoch: _Optional[int] = ..., hops: _Optional[int] = ..., sequence: _Optional[int] = ..., time_us: _Optional[int] = ..., payloads: _Optional[_Iterable[bytes]] = ..., deadlines_ms: _Optional[_Iterable[int]] = ..., traces: _Optional[_Iterable[str]] = ..., answers: _Optional[_Iterable[int]] = ..., sources: _Optional[_Iterable[str]] = ...) -> None: ...
