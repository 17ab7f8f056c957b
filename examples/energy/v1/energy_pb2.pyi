from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JoinRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class JoinReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Turn(_message.Message):
    __slots__ = ("step", "round")
    STEP_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    step: int
    round: int
    def __init__(self, step: _Optional[int] = ..., round: _Optional[int] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("step", "round")
    STEP_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    step: int
    round: int
    def __init__(self, step: _Optional[int] = ..., round: _Optional[int] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("step", "round", "sell", "price", "quantity")
    STEP_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    SELL_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    step: int
    round: int
    sell: bool
    price: int
    quantity: int
    def __init__(self, step: _Optional[int] = ..., round: _Optional[int] = ..., sell: bool = ..., price: _Optional[int] = ..., quantity: _Optional[int] = ...) -> None: ...

class Filled(_message.Message):
    __slots__ = ("quantity",)
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    quantity: int
    def __init__(self, quantity: _Optional[int] = ...) -> None: ...

class Trade(_message.Message):
    __slots__ = ("seller", "buyer", "price", "quantity")
    SELLER_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    seller: str
    buyer: str
    price: int
    quantity: int
    def __init__(self, seller: _Optional[str] = ..., buyer: _Optional[str] = ..., price: _Optional[int] = ..., quantity: _Optional[int] = ...) -> None: ...

class Cleared(_message.Message):
    __slots__ = ("step", "round", "trades", "silent", "lapsed")
    STEP_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    TRADES_FIELD_NUMBER: _ClassVar[int]
    SILENT_FIELD_NUMBER: _ClassVar[int]
    LAPSED_FIELD_NUMBER: _ClassVar[int]
    step: int
    round: int
    trades: _containers.RepeatedCompositeFieldContainer[Trade]
    silent: _containers.RepeatedScalarFieldContainer[str]
    lapsed: int
    def __init__(self, step: _Optional[int] = ..., round: _Optional[int] = ..., trades: _Optional[_Iterable[_Union[Trade, _Mapping]]] = ..., silent: _Optional[_Iterable[str]] = ..., lapsed: _Optional[int] = ...) -> None: ...
