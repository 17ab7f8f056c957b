from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Order(_message.Message):
    __slots__ = ("run", "number", "item")
    RUN_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    run: str
    number: int
    item: str
    def __init__(self, run: _Optional[str] = ..., number: _Optional[int] = ..., item: _Optional[str] = ...) -> None: ...

class Begun(_message.Message):
    __slots__ = ("run", "number", "attempt")
    RUN_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    run: str
    number: int
    attempt: int
    def __init__(self, run: _Optional[str] = ..., number: _Optional[int] = ..., attempt: _Optional[int] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("run", "number", "worker", "attempt")
    RUN_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    run: str
    number: int
    worker: str
    attempt: int
    def __init__(self, run: _Optional[str] = ..., number: _Optional[int] = ..., worker: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...
