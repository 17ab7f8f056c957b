from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Failure(_message.Message):
    __slots__ = ("kind", "text", "error_type")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    text: str
    error_type: str
    def __init__(self, kind: _Optional[str] = ..., text: _Optional[str] = ..., error_type: _Optional[str] = ...) -> None: ...

class AgentFailed(_message.Message):
    __slots__ = ("agent", "node", "behavior", "error_type", "text", "count", "decision")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    agent: str
    node: str
    behavior: str
    error_type: str
    text: str
    count: int
    decision: str
    def __init__(self, agent: _Optional[str] = ..., node: _Optional[str] = ..., behavior: _Optional[str] = ..., error_type: _Optional[str] = ..., text: _Optional[str] = ..., count: _Optional[int] = ..., decision: _Optional[str] = ...) -> None: ...
