from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_FEEDER: _ClassVar[Role]
    ROLE_DETECTOR: _ClassVar[Role]
    ROLE_ALARM_DESK: _ClassVar[Role]
ROLE_UNSPECIFIED: Role
ROLE_FEEDER: Role
ROLE_DETECTOR: Role
ROLE_ALARM_DESK: Role

class Batch(_message.Message):
    __slots__ = ("window", "part", "parts", "first", "channels", "values")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    window: int
    part: int
    parts: int
    first: int
    channels: int
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, window: _Optional[int] = ..., part: _Optional[int] = ..., parts: _Optional[int] = ..., first: _Optional[int] = ..., channels: _Optional[int] = ..., values: _Optional[_Iterable[float]] = ...) -> None: ...

class Profile(_message.Message):
    __slots__ = ("window", "part", "parts", "leaves", "low", "high")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    window: int
    part: int
    parts: int
    leaves: bytes
    low: _containers.RepeatedScalarFieldContainer[float]
    high: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, window: _Optional[int] = ..., part: _Optional[int] = ..., parts: _Optional[int] = ..., leaves: _Optional[bytes] = ..., low: _Optional[_Iterable[float]] = ..., high: _Optional[_Iterable[float]] = ...) -> None: ...

class ReferenceRequest(_message.Message):
    __slots__ = ("window",)
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    window: int
    def __init__(self, window: _Optional[int] = ...) -> None: ...

class Reference(_message.Message):
    __slots__ = ("window", "leaves", "low", "high")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    window: int
    leaves: bytes
    low: _containers.RepeatedScalarFieldContainer[float]
    high: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, window: _Optional[int] = ..., leaves: _Optional[bytes] = ..., low: _Optional[_Iterable[float]] = ..., high: _Optional[_Iterable[float]] = ...) -> None: ...

class Scores(_message.Message):
    __slots__ = ("first", "scores", "detector")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    DETECTOR_FIELD_NUMBER: _ClassVar[int]
    first: int
    scores: _containers.RepeatedScalarFieldContainer[float]
    detector: str
    def __init__(self, first: _Optional[int] = ..., scores: _Optional[_Iterable[float]] = ..., detector: _Optional[str] = ...) -> None: ...

class Noted(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Alarm(_message.Message):
    __slots__ = ("record", "score", "detector")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DETECTOR_FIELD_NUMBER: _ClassVar[int]
    record: int
    score: float
    detector: str
    def __init__(self, record: _Optional[int] = ..., score: _Optional[float] = ..., detector: _Optional[str] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("records", "alarms", "repeats", "conflicts", "elapsed_s", "detectors")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    ALARMS_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_S_FIELD_NUMBER: _ClassVar[int]
    DETECTORS_FIELD_NUMBER: _ClassVar[int]
    records: int
    alarms: int
    repeats: int
    conflicts: int
    elapsed_s: float
    detectors: _containers.RepeatedCompositeFieldContainer[DetectorCount]
    def __init__(self, records: _Optional[int] = ..., alarms: _Optional[int] = ..., repeats: _Optional[int] = ..., conflicts: _Optional[int] = ..., elapsed_s: _Optional[float] = ..., detectors: _Optional[_Iterable[_Union[DetectorCount, _Mapping]]] = ...) -> None: ...

class DetectorCount(_message.Message):
    __slots__ = ("name", "records")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    records: int
    def __init__(self, name: _Optional[str] = ..., records: _Optional[int] = ...) -> None: ...

class LedgerRequest(_message.Message):
    __slots__ = ("first", "count")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    first: int
    count: int
    def __init__(self, first: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class Ledger(_message.Message):
    __slots__ = ("names", "scores", "detectors")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    DETECTORS_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    scores: _containers.RepeatedScalarFieldContainer[float]
    detectors: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, names: _Optional[_Iterable[str]] = ..., scores: _Optional[_Iterable[float]] = ..., detectors: _Optional[_Iterable[int]] = ...) -> None: ...

class TallyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Tally(_message.Message):
    __slots__ = ("role", "records", "process")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    role: Role
    records: int
    process: int
    def __init__(self, role: _Optional[_Union[Role, str]] = ..., records: _Optional[int] = ..., process: _Optional[int] = ...) -> None: ...
