from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Reading(_message.Message):
    __slots__ = ("room", "celsius")
    ROOM_FIELD_NUMBER: _ClassVar[int]
    CELSIUS_FIELD_NUMBER: _ClassVar[int]
    room: str
    celsius: float
    def __init__(self, room: _Optional[str] = ..., celsius: _Optional[float] = ...) -> None: ...

class Alarm(_message.Message):
    __slots__ = ("room", "celsius")
    ROOM_FIELD_NUMBER: _ClassVar[int]
    CELSIUS_FIELD_NUMBER: _ClassVar[int]
    room: str
    celsius: float
    def __init__(self, room: _Optional[str] = ..., celsius: _Optional[float] = ...) -> None: ...

class TargetRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TargetReply(_message.Message):
    __slots__ = ("celsius",)
    CELSIUS_FIELD_NUMBER: _ClassVar[int]
    celsius: float
    def __init__(self, celsius: _Optional[float] = ...) -> None: ...
