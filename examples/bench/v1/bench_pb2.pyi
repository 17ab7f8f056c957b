from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Sample(_message.Message):
    __slots__ = ("sensor", "room", "celsius", "humidity", "number", "note")
    SENSOR_FIELD_NUMBER: _ClassVar[int]
    ROOM_FIELD_NUMBER: _ClassVar[int]
    CELSIUS_FIELD_NUMBER: _ClassVar[int]
    HUMIDITY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    sensor: str
    room: str
    celsius: float
    humidity: float
    number: int
    note: str
    def __init__(self, sensor: _Optional[str] = ..., room: _Optional[str] = ..., celsius: _Optional[float] = ..., humidity: _Optional[float] = ..., number: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...

class Question(_message.Message):
    __slots__ = ("number", "body")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    number: int
    body: bytes
    def __init__(self, number: _Optional[int] = ..., body: _Optional[bytes] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("number", "body")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    number: int
    body: bytes
    def __init__(self, number: _Optional[int] = ..., body: _Optional[bytes] = ...) -> None: ...

class Work(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class Load(_message.Message):
    __slots__ = ("generator", "number", "due_s", "sent_s", "body")
    GENERATOR_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DUE_S_FIELD_NUMBER: _ClassVar[int]
    SENT_S_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    generator: int
    number: int
    due_s: float
    sent_s: float
    body: bytes
    def __init__(self, generator: _Optional[int] = ..., number: _Optional[int] = ..., due_s: _Optional[float] = ..., sent_s: _Optional[float] = ..., body: _Optional[bytes] = ...) -> None: ...

class LoadAnswer(_message.Message):
    __slots__ = ("number", "body")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    number: int
    body: bytes
    def __init__(self, number: _Optional[int] = ..., body: _Optional[bytes] = ...) -> None: ...
