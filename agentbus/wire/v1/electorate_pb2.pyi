from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EpochSet(_message.Message):
    __slots__ = ("realm", "number", "issued_s", "previous", "issuer", "seats")
    REALM_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ISSUED_S_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    SEATS_FIELD_NUMBER: _ClassVar[int]
    realm: str
    number: int
    issued_s: int
    previous: bytes
    issuer: bytes
    seats: _containers.RepeatedCompositeFieldContainer[Seat]
    def __init__(self, realm: _Optional[str] = ..., number: _Optional[int] = ..., issued_s: _Optional[int] = ..., previous: _Optional[bytes] = ..., issuer: _Optional[bytes] = ..., seats: _Optional[_Iterable[_Union[Seat, _Mapping]]] = ...) -> None: ...

class Seat(_message.Message):
    __slots__ = ("key", "node", "sponsor", "votes")
    KEY_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    SPONSOR_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    node: str
    sponsor: bytes
    votes: bool
    def __init__(self, key: _Optional[bytes] = ..., node: _Optional[str] = ..., sponsor: _Optional[bytes] = ..., votes: bool = ...) -> None: ...
