from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class JoinRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class JoinReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Turn(_message.Message):
    __slots__ = ("round", "units")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    round: int
    units: int
    def __init__(self, round: _Optional[int] = ..., units: _Optional[int] = ...) -> None: ...

class TurnReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Work(_message.Message):
    __slots__ = ("block", "numbers")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    block: int
    numbers: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, block: _Optional[int] = ..., numbers: _Optional[_Iterable[int]] = ...) -> None: ...

class Counts(_message.Message):
    __slots__ = ("counts",)
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, counts: _Optional[_Iterable[int]] = ...) -> None: ...

class Decline(_message.Message):
    __slots__ = ("demand",)
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    demand: str
    def __init__(self, demand: _Optional[str] = ...) -> None: ...

class RatingRequest(_message.Message):
    __slots__ = ("demand", "provider", "satisfaction")
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    SATISFACTION_FIELD_NUMBER: _ClassVar[int]
    demand: str
    provider: str
    satisfaction: float
    def __init__(self, demand: _Optional[str] = ..., provider: _Optional[str] = ..., satisfaction: _Optional[float] = ...) -> None: ...

class RatingReply(_message.Message):
    __slots__ = ("counts",)
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    counts: bool
    def __init__(self, counts: bool = ...) -> None: ...

class TrustRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TrustReply(_message.Message):
    __slots__ = ("trust", "rated")
    class TrustEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    TRUST_FIELD_NUMBER: _ClassVar[int]
    RATED_FIELD_NUMBER: _ClassVar[int]
    trust: _containers.ScalarMap[str, float]
    rated: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, trust: _Optional[_Mapping[str, float]] = ..., rated: _Optional[_Iterable[str]] = ...) -> None: ...
