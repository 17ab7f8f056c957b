from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class CheckpointHead(_message.Message):
    __slots__ = ("format", "number", "version", "length", "digest", "chunks", "state")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    format: int
    number: int
    version: int
    length: int
    digest: bytes
    chunks: int
    state: bytes
    def __init__(self, format: _Optional[int] = ..., number: _Optional[int] = ..., version: _Optional[int] = ..., length: _Optional[int] = ..., digest: _Optional[bytes] = ..., chunks: _Optional[int] = ..., state: _Optional[bytes] = ...) -> None: ...
