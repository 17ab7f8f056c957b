from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApprovalOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPROVAL_OUTCOME_UNSPECIFIED: _ClassVar[ApprovalOutcome]
    APPROVAL_OUTCOME_APPROVED: _ClassVar[ApprovalOutcome]
    APPROVAL_OUTCOME_REFUSED: _ClassVar[ApprovalOutcome]
    APPROVAL_OUTCOME_EXPIRED: _ClassVar[ApprovalOutcome]
    APPROVAL_OUTCOME_WITHDRAWN: _ClassVar[ApprovalOutcome]
APPROVAL_OUTCOME_UNSPECIFIED: ApprovalOutcome
APPROVAL_OUTCOME_APPROVED: ApprovalOutcome
APPROVAL_OUTCOME_REFUSED: ApprovalOutcome
APPROVAL_OUTCOME_EXPIRED: ApprovalOutcome
APPROVAL_OUTCOME_WITHDRAWN: ApprovalOutcome

class ApprovalAnswer(_message.Message):
    __slots__ = ("realm", "node", "id", "approval", "agent", "behavior", "message_id", "payload_sha256", "approved", "reason", "at_us")
    REALM_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_SHA256_FIELD_NUMBER: _ClassVar[int]
    APPROVED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    realm: str
    node: str
    id: str
    approval: str
    agent: str
    behavior: str
    message_id: str
    payload_sha256: bytes
    approved: bool
    reason: str
    at_us: int
    def __init__(self, realm: _Optional[str] = ..., node: _Optional[str] = ..., id: _Optional[str] = ..., approval: _Optional[str] = ..., agent: _Optional[str] = ..., behavior: _Optional[str] = ..., message_id: _Optional[str] = ..., payload_sha256: _Optional[bytes] = ..., approved: bool = ..., reason: _Optional[str] = ..., at_us: _Optional[int] = ...) -> None: ...

class AnswerRequest(_message.Message):
    __slots__ = ("signed", "key", "enrolment")
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    ENROLMENT_FIELD_NUMBER: _ClassVar[int]
    signed: bytes
    key: bytes
    enrolment: bytes
    def __init__(self, signed: _Optional[bytes] = ..., key: _Optional[bytes] = ..., enrolment: _Optional[bytes] = ...) -> None: ...

class AnswerReply(_message.Message):
    __slots__ = ("node", "here", "error", "text")
    NODE_FIELD_NUMBER: _ClassVar[int]
    HERE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    node: str
    here: bool
    error: str
    text: str
    def __init__(self, node: _Optional[str] = ..., here: bool = ..., error: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class WaitingRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class WaitingReply(_message.Message):
    __slots__ = ("realm", "node", "calls", "more")
    REALM_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    realm: str
    node: str
    calls: _containers.RepeatedCompositeFieldContainer[WaitingCall]
    more: int
    def __init__(self, realm: _Optional[str] = ..., node: _Optional[str] = ..., calls: _Optional[_Iterable[_Union[WaitingCall, _Mapping]]] = ..., more: _Optional[int] = ...) -> None: ...

class WaitingCall(_message.Message):
    __slots__ = ("id", "approval", "agent", "behavior", "sender", "message_id", "type", "payload", "payload_size", "remaining_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_SIZE_FIELD_NUMBER: _ClassVar[int]
    REMAINING_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    approval: str
    agent: str
    behavior: str
    sender: str
    message_id: str
    type: str
    payload: bytes
    payload_size: int
    remaining_ms: int
    def __init__(self, id: _Optional[str] = ..., approval: _Optional[str] = ..., agent: _Optional[str] = ..., behavior: _Optional[str] = ..., sender: _Optional[str] = ..., message_id: _Optional[str] = ..., type: _Optional[str] = ..., payload: _Optional[bytes] = ..., payload_size: _Optional[int] = ..., remaining_ms: _Optional[int] = ...) -> None: ...

class ApprovalDecided(_message.Message):
    __slots__ = ("realm", "node", "id", "approval", "agent", "behavior", "sender", "message_id", "type", "payload_sha256", "outcome", "reason", "by", "asked_us", "decided_us", "proof")
    REALM_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_SHA256_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    ASKED_US_FIELD_NUMBER: _ClassVar[int]
    DECIDED_US_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    realm: str
    node: str
    id: str
    approval: str
    agent: str
    behavior: str
    sender: str
    message_id: str
    type: str
    payload_sha256: bytes
    outcome: ApprovalOutcome
    reason: str
    by: str
    asked_us: int
    decided_us: int
    proof: AnswerRequest
    def __init__(self, realm: _Optional[str] = ..., node: _Optional[str] = ..., id: _Optional[str] = ..., approval: _Optional[str] = ..., agent: _Optional[str] = ..., behavior: _Optional[str] = ..., sender: _Optional[str] = ..., message_id: _Optional[str] = ..., type: _Optional[str] = ..., payload_sha256: _Optional[bytes] = ..., outcome: _Optional[_Union[ApprovalOutcome, str]] = ..., reason: _Optional[str] = ..., by: _Optional[str] = ..., asked_us: _Optional[int] = ..., decided_us: _Optional[int] = ..., proof: _Optional[_Union[AnswerRequest, _Mapping]] = ...) -> None: ...
