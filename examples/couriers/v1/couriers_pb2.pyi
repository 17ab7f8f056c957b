from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Delivery(_message.Message):
    __slots__ = ("number", "from_x", "from_y", "to_x", "to_y")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FROM_X_FIELD_NUMBER: _ClassVar[int]
    FROM_Y_FIELD_NUMBER: _ClassVar[int]
    TO_X_FIELD_NUMBER: _ClassVar[int]
    TO_Y_FIELD_NUMBER: _ClassVar[int]
    number: int
    from_x: float
    from_y: float
    to_x: float
    to_y: float
    def __init__(self, number: _Optional[int] = ..., from_x: _Optional[float] = ..., from_y: _Optional[float] = ..., to_x: _Optional[float] = ..., to_y: _Optional[float] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("number", "courier")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    COURIER_FIELD_NUMBER: _ClassVar[int]
    number: int
    courier: str
    def __init__(self, number: _Optional[int] = ..., courier: _Optional[str] = ...) -> None: ...
