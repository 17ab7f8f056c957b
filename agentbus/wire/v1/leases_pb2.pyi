from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class LeaseRecord(_message.Message):
    __slots__ = ("name", "epoch", "node", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    epoch: int
    node: str
    token: int
    def __init__(self, name: _Optional[str] = ..., epoch: _Optional[int] = ..., node: _Optional[str] = ..., token: _Optional[int] = ...) -> None: ...
