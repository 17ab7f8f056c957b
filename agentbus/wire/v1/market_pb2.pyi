from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Demand(_message.Message):
    __slots__ = ("id", "buyer", "account", "work", "units", "price", "offers_until_s", "work_until_s", "settle_until_s", "arbiter", "made_s")
    ID_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORK_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    OFFERS_UNTIL_S_FIELD_NUMBER: _ClassVar[int]
    WORK_UNTIL_S_FIELD_NUMBER: _ClassVar[int]
    SETTLE_UNTIL_S_FIELD_NUMBER: _ClassVar[int]
    ARBITER_FIELD_NUMBER: _ClassVar[int]
    MADE_S_FIELD_NUMBER: _ClassVar[int]
    id: str
    buyer: str
    account: str
    work: str
    units: int
    price: int
    offers_until_s: float
    work_until_s: float
    settle_until_s: float
    arbiter: str
    made_s: float
    def __init__(self, id: _Optional[str] = ..., buyer: _Optional[str] = ..., account: _Optional[str] = ..., work: _Optional[str] = ..., units: _Optional[int] = ..., price: _Optional[int] = ..., offers_until_s: _Optional[float] = ..., work_until_s: _Optional[float] = ..., settle_until_s: _Optional[float] = ..., arbiter: _Optional[str] = ..., made_s: _Optional[float] = ...) -> None: ...

class Offer(_message.Message):
    __slots__ = ("demand", "provider", "account", "price")
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    demand: str
    provider: str
    account: str
    price: int
    def __init__(self, demand: _Optional[str] = ..., provider: _Optional[str] = ..., account: _Optional[str] = ..., price: _Optional[int] = ...) -> None: ...

class Acceptance(_message.Message):
    __slots__ = ("demand", "provider")
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    demand: str
    provider: str
    def __init__(self, demand: _Optional[str] = ..., provider: _Optional[str] = ...) -> None: ...

class Escrowed(_message.Message):
    __slots__ = ("demand", "hold")
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    demand: str
    hold: str
    def __init__(self, demand: _Optional[str] = ..., hold: _Optional[str] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("demand", "provider", "units", "evidence")
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    demand: str
    provider: str
    units: int
    evidence: bytes
    def __init__(self, demand: _Optional[str] = ..., provider: _Optional[str] = ..., units: _Optional[int] = ..., evidence: _Optional[bytes] = ...) -> None: ...

class Approval(_message.Message):
    __slots__ = ("demand",)
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    demand: str
    def __init__(self, demand: _Optional[str] = ...) -> None: ...

class Contest(_message.Message):
    __slots__ = ("demand", "by", "reason")
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    demand: str
    by: str
    reason: str
    def __init__(self, demand: _Optional[str] = ..., by: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Ruling(_message.Message):
    __slots__ = ("demand", "units")
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    demand: str
    units: int
    def __init__(self, demand: _Optional[str] = ..., units: _Optional[int] = ...) -> None: ...
