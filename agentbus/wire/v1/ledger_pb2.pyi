from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LedgerKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEDGER_KIND_UNSPECIFIED: _ClassVar[LedgerKind]
    LEDGER_KIND_SENT: _ClassVar[LedgerKind]
    LEDGER_KIND_RECEIVED: _ClassVar[LedgerKind]
    LEDGER_KIND_DECIDED: _ClassVar[LedgerKind]
    LEDGER_KIND_DONE: _ClassVar[LedgerKind]
    LEDGER_KIND_LOST: _ClassVar[LedgerKind]

class CosignOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COSIGN_OUTCOME_UNSPECIFIED: _ClassVar[CosignOutcome]
    COSIGN_OUTCOME_COSIGNED: _ClassVar[CosignOutcome]
    COSIGN_OUTCOME_OTHER_SIZE: _ClassVar[CosignOutcome]
    COSIGN_OUTCOME_ROLLBACK: _ClassVar[CosignOutcome]
    COSIGN_OUTCOME_FORK: _ClassVar[CosignOutcome]
    COSIGN_OUTCOME_INCONSISTENT: _ClassVar[CosignOutcome]
LEDGER_KIND_UNSPECIFIED: LedgerKind
LEDGER_KIND_SENT: LedgerKind
LEDGER_KIND_RECEIVED: LedgerKind
LEDGER_KIND_DECIDED: LedgerKind
LEDGER_KIND_DONE: LedgerKind
LEDGER_KIND_LOST: LedgerKind
COSIGN_OUTCOME_UNSPECIFIED: CosignOutcome
COSIGN_OUTCOME_COSIGNED: CosignOutcome
COSIGN_OUTCOME_OTHER_SIZE: CosignOutcome
COSIGN_OUTCOME_ROLLBACK: CosignOutcome
COSIGN_OUTCOME_FORK: CosignOutcome
COSIGN_OUTCOME_INCONSISTENT: CosignOutcome

class LedgerRecord(_message.Message):
    __slots__ = ("at_us", "kind", "agent", "node", "peer", "subject", "type", "message_id", "size", "digest", "payload", "outcome")
    AT_US_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    at_us: int
    kind: LedgerKind
    agent: str
    node: str
    peer: str
    subject: str
    type: str
    message_id: str
    size: int
    digest: bytes
    payload: bytes
    outcome: str
    def __init__(self, at_us: _Optional[int] = ..., kind: _Optional[_Union[LedgerKind, str]] = ..., agent: _Optional[str] = ..., node: _Optional[str] = ..., peer: _Optional[str] = ..., subject: _Optional[str] = ..., type: _Optional[str] = ..., message_id: _Optional[str] = ..., size: _Optional[int] = ..., digest: _Optional[bytes] = ..., payload: _Optional[bytes] = ..., outcome: _Optional[str] = ...) -> None: ...

class CosignRequest(_message.Message):
    __slots__ = ("checkpoint", "old_size", "proof")
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    OLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    checkpoint: bytes
    old_size: int
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, checkpoint: _Optional[bytes] = ..., old_size: _Optional[int] = ..., proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class CosignReply(_message.Message):
    __slots__ = ("outcome", "held_size", "cosignature", "held")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    HELD_SIZE_FIELD_NUMBER: _ClassVar[int]
    COSIGNATURE_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    outcome: CosignOutcome
    held_size: int
    cosignature: str
    held: bytes
    def __init__(self, outcome: _Optional[_Union[CosignOutcome, str]] = ..., held_size: _Optional[int] = ..., cosignature: _Optional[str] = ..., held: _Optional[bytes] = ...) -> None: ...

class HeldRequest(_message.Message):
    __slots__ = ("origin",)
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    origin: str
    def __init__(self, origin: _Optional[str] = ...) -> None: ...

class HeldReply(_message.Message):
    __slots__ = ("checkpoint",)
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    checkpoint: bytes
    def __init__(self, checkpoint: _Optional[bytes] = ...) -> None: ...
