from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Enrolment(_message.Message):
    __slots__ = ("key", "realm", "node", "names", "role", "issued_s", "expires_s", "issuer", "jobs")
    KEY_FIELD_NUMBER: _ClassVar[int]
    REALM_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ISSUED_S_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_S_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    realm: str
    node: str
    names: _containers.RepeatedScalarFieldContainer[str]
    role: str
    issued_s: int
    expires_s: int
    issuer: bytes
    jobs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[bytes] = ..., realm: _Optional[str] = ..., node: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., role: _Optional[str] = ..., issued_s: _Optional[int] = ..., expires_s: _Optional[int] = ..., issuer: _Optional[bytes] = ..., jobs: _Optional[_Iterable[str]] = ...) -> None: ...
