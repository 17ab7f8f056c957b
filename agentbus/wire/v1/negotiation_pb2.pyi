from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class CallForProposals(_message.Message):
    __slots__ = ("job", "value", "team", "second_price", "again", "result")
    JOB_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TEAM_FIELD_NUMBER: _ClassVar[int]
    SECOND_PRICE_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    job: bytes
    value: float
    team: str
    second_price: bool
    again: bool
    result: str
    def __init__(self, job: _Optional[bytes] = ..., value: _Optional[float] = ..., team: _Optional[str] = ..., second_price: bool = ..., again: bool = ..., result: _Optional[str] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("bid", "weight")
    BID_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    bid: float
    weight: float
    def __init__(self, bid: _Optional[float] = ..., weight: _Optional[float] = ...) -> None: ...

class Award(_message.Message):
    __slots__ = ("call", "price", "payment")
    CALL_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    call: int
    price: float
    payment: float
    def __init__(self, call: _Optional[int] = ..., price: _Optional[float] = ..., payment: _Optional[float] = ...) -> None: ...

class Subcontracted(_message.Message):
    __slots__ = ("result", "type", "payment", "by")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    result: bytes
    type: str
    payment: float
    by: str
    def __init__(self, result: _Optional[bytes] = ..., type: _Optional[str] = ..., payment: _Optional[float] = ..., by: _Optional[str] = ...) -> None: ...

class Rejection(_message.Message):
    __slots__ = ("call", "price")
    CALL_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    call: int
    price: float
    def __init__(self, call: _Optional[int] = ..., price: _Optional[float] = ...) -> None: ...

class Cancellation(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: int
    def __init__(self, call: _Optional[int] = ...) -> None: ...
