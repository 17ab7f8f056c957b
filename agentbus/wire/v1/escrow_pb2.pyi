from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EscrowHoldState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ESCROW_HOLD_STATE_UNSPECIFIED: _ClassVar[EscrowHoldState]
    ESCROW_HOLD_STATE_OPEN: _ClassVar[EscrowHoldState]
    ESCROW_HOLD_STATE_DISPUTED: _ClassVar[EscrowHoldState]
    ESCROW_HOLD_STATE_SETTLED: _ClassVar[EscrowHoldState]
    ESCROW_HOLD_STATE_REFUNDED: _ClassVar[EscrowHoldState]
    ESCROW_HOLD_STATE_RESOLVED: _ClassVar[EscrowHoldState]
ESCROW_HOLD_STATE_UNSPECIFIED: EscrowHoldState
ESCROW_HOLD_STATE_OPEN: EscrowHoldState
ESCROW_HOLD_STATE_DISPUTED: EscrowHoldState
ESCROW_HOLD_STATE_SETTLED: EscrowHoldState
ESCROW_HOLD_STATE_REFUNDED: EscrowHoldState
ESCROW_HOLD_STATE_RESOLVED: EscrowHoldState

class EscrowRequest(_message.Message):
    __slots__ = ("ledger", "transaction", "open", "transfer", "hold", "settle", "refund", "dispute", "resolve")
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    SETTLE_FIELD_NUMBER: _ClassVar[int]
    REFUND_FIELD_NUMBER: _ClassVar[int]
    DISPUTE_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_FIELD_NUMBER: _ClassVar[int]
    ledger: str
    transaction: str
    open: EscrowOpen
    transfer: EscrowTransfer
    hold: EscrowHold
    settle: EscrowSettle
    refund: EscrowRefund
    dispute: EscrowDispute
    resolve: EscrowResolve
    def __init__(self, ledger: _Optional[str] = ..., transaction: _Optional[str] = ..., open: _Optional[_Union[EscrowOpen, _Mapping]] = ..., transfer: _Optional[_Union[EscrowTransfer, _Mapping]] = ..., hold: _Optional[_Union[EscrowHold, _Mapping]] = ..., settle: _Optional[_Union[EscrowSettle, _Mapping]] = ..., refund: _Optional[_Union[EscrowRefund, _Mapping]] = ..., dispute: _Optional[_Union[EscrowDispute, _Mapping]] = ..., resolve: _Optional[_Union[EscrowResolve, _Mapping]] = ...) -> None: ...

class EscrowOpen(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: str
    def __init__(self, account: _Optional[str] = ...) -> None: ...

class EscrowTransfer(_message.Message):
    __slots__ = ("payer", "payee", "amount")
    PAYER_FIELD_NUMBER: _ClassVar[int]
    PAYEE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    payer: str
    payee: str
    amount: int
    def __init__(self, payer: _Optional[str] = ..., payee: _Optional[str] = ..., amount: _Optional[int] = ...) -> None: ...

class EscrowHold(_message.Message):
    __slots__ = ("payer", "payee", "amount", "for_s", "arbiter")
    PAYER_FIELD_NUMBER: _ClassVar[int]
    PAYEE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    FOR_S_FIELD_NUMBER: _ClassVar[int]
    ARBITER_FIELD_NUMBER: _ClassVar[int]
    payer: str
    payee: str
    amount: int
    for_s: float
    arbiter: str
    def __init__(self, payer: _Optional[str] = ..., payee: _Optional[str] = ..., amount: _Optional[int] = ..., for_s: _Optional[float] = ..., arbiter: _Optional[str] = ...) -> None: ...

class EscrowSettle(_message.Message):
    __slots__ = ("hold", "amount")
    HOLD_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    hold: str
    amount: int
    def __init__(self, hold: _Optional[str] = ..., amount: _Optional[int] = ...) -> None: ...

class EscrowRefund(_message.Message):
    __slots__ = ("hold",)
    HOLD_FIELD_NUMBER: _ClassVar[int]
    hold: str
    def __init__(self, hold: _Optional[str] = ...) -> None: ...

class EscrowDispute(_message.Message):
    __slots__ = ("hold",)
    HOLD_FIELD_NUMBER: _ClassVar[int]
    hold: str
    def __init__(self, hold: _Optional[str] = ...) -> None: ...

class EscrowResolve(_message.Message):
    __slots__ = ("hold", "amount")
    HOLD_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    hold: str
    amount: int
    def __init__(self, hold: _Optional[str] = ..., amount: _Optional[int] = ...) -> None: ...

class EscrowReply(_message.Message):
    __slots__ = ("receipt", "refusal", "again")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    receipt: EscrowReceipt
    refusal: EscrowRefusal
    again: EscrowAgain
    def __init__(self, receipt: _Optional[_Union[EscrowReceipt, _Mapping]] = ..., refusal: _Optional[_Union[EscrowRefusal, _Mapping]] = ..., again: _Optional[_Union[EscrowAgain, _Mapping]] = ...) -> None: ...

class EscrowAgain(_message.Message):
    __slots__ = ("writer", "why")
    WRITER_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    writer: str
    why: str
    def __init__(self, writer: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...

class EscrowRefusal(_message.Message):
    __slots__ = ("party", "reason", "text")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    party: str
    reason: str
    text: str
    def __init__(self, party: _Optional[str] = ..., reason: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class EscrowReceipt(_message.Message):
    __slots__ = ("request", "by", "entries", "at_s", "token")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    request: EscrowRequest
    by: str
    entries: _containers.RepeatedCompositeFieldContainer[EscrowEntry]
    at_s: float
    token: int
    def __init__(self, request: _Optional[_Union[EscrowRequest, _Mapping]] = ..., by: _Optional[str] = ..., entries: _Optional[_Iterable[_Union[EscrowEntry, _Mapping]]] = ..., at_s: _Optional[float] = ..., token: _Optional[int] = ...) -> None: ...

class EscrowEntry(_message.Message):
    __slots__ = ("account", "amount")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    account: str
    amount: int
    def __init__(self, account: _Optional[str] = ..., amount: _Optional[int] = ...) -> None: ...

class EscrowAccount(_message.Message):
    __slots__ = ("name", "owner", "balance", "issuer")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    name: str
    owner: str
    balance: int
    issuer: bool
    def __init__(self, name: _Optional[str] = ..., owner: _Optional[str] = ..., balance: _Optional[int] = ..., issuer: bool = ...) -> None: ...

class EscrowHeld(_message.Message):
    __slots__ = ("id", "payer", "payee", "amount", "expires_s", "arbiter", "state", "paid", "ended_by")
    ID_FIELD_NUMBER: _ClassVar[int]
    PAYER_FIELD_NUMBER: _ClassVar[int]
    PAYEE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_S_FIELD_NUMBER: _ClassVar[int]
    ARBITER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PAID_FIELD_NUMBER: _ClassVar[int]
    ENDED_BY_FIELD_NUMBER: _ClassVar[int]
    id: str
    payer: str
    payee: str
    amount: int
    expires_s: float
    arbiter: str
    state: EscrowHoldState
    paid: int
    ended_by: str
    def __init__(self, id: _Optional[str] = ..., payer: _Optional[str] = ..., payee: _Optional[str] = ..., amount: _Optional[int] = ..., expires_s: _Optional[float] = ..., arbiter: _Optional[str] = ..., state: _Optional[_Union[EscrowHoldState, str]] = ..., paid: _Optional[int] = ..., ended_by: _Optional[str] = ...) -> None: ...

class EscrowHead(_message.Message):
    __slots__ = ("token", "writer", "issuer", "batches", "transactions")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    WRITER_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    token: int
    writer: str
    issuer: str
    batches: int
    transactions: int
    def __init__(self, token: _Optional[int] = ..., writer: _Optional[str] = ..., issuer: _Optional[str] = ..., batches: _Optional[int] = ..., transactions: _Optional[int] = ...) -> None: ...

class EscrowWriterRequest(_message.Message):
    __slots__ = ("ledger",)
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    ledger: str
    def __init__(self, ledger: _Optional[str] = ...) -> None: ...

class EscrowWriterReply(_message.Message):
    __slots__ = ("writer", "epoch")
    WRITER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    writer: str
    epoch: int
    def __init__(self, writer: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class EscrowQuery(_message.Message):
    __slots__ = ("ledger", "account", "hold", "transaction")
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    ledger: str
    account: str
    hold: str
    transaction: str
    def __init__(self, ledger: _Optional[str] = ..., account: _Optional[str] = ..., hold: _Optional[str] = ..., transaction: _Optional[str] = ...) -> None: ...

class EscrowAnswer(_message.Message):
    __slots__ = ("account", "hold", "receipt")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    account: EscrowAccount
    hold: EscrowHeld
    receipt: EscrowReceipt
    def __init__(self, account: _Optional[_Union[EscrowAccount, _Mapping]] = ..., hold: _Optional[_Union[EscrowHeld, _Mapping]] = ..., receipt: _Optional[_Union[EscrowReceipt, _Mapping]] = ...) -> None: ...
