from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EnrolmentRequest(_message.Message):
    __slots__ = ("wish", "signature", "admission", "proof", "former_signature")
    WISH_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    ADMISSION_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    FORMER_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    wish: bytes
    signature: bytes
    admission: str
    proof: bytes
    former_signature: bytes
    def __init__(self, wish: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., admission: _Optional[str] = ..., proof: _Optional[bytes] = ..., former_signature: _Optional[bytes] = ...) -> None: ...

class EnrolmentProofs(_message.Message):
    __slots__ = ("join", "vouchers", "solution", "token")
    JOIN_FIELD_NUMBER: _ClassVar[int]
    VOUCHERS_FIELD_NUMBER: _ClassVar[int]
    SOLUTION_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    join: bytes
    vouchers: _containers.RepeatedCompositeFieldContainer[EnrolmentVoucher]
    solution: bytes
    token: EnrolmentVoucher
    def __init__(self, join: _Optional[bytes] = ..., vouchers: _Optional[_Iterable[_Union[EnrolmentVoucher, _Mapping]]] = ..., solution: _Optional[bytes] = ..., token: _Optional[_Union[EnrolmentVoucher, _Mapping]] = ...) -> None: ...

class EnrolmentVoucher(_message.Message):
    __slots__ = ("key", "until_s", "signature")
    KEY_FIELD_NUMBER: _ClassVar[int]
    UNTIL_S_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    until_s: int
    signature: bytes
    def __init__(self, key: _Optional[bytes] = ..., until_s: _Optional[int] = ..., signature: _Optional[bytes] = ...) -> None: ...

class EnrolmentWish(_message.Message):
    __slots__ = ("key", "realm", "node", "names", "role", "asked_s", "valid_s", "nonce", "jobs")
    KEY_FIELD_NUMBER: _ClassVar[int]
    REALM_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ASKED_S_FIELD_NUMBER: _ClassVar[int]
    VALID_S_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    realm: str
    node: str
    names: _containers.RepeatedScalarFieldContainer[str]
    role: str
    asked_s: int
    valid_s: int
    nonce: bytes
    jobs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[bytes] = ..., realm: _Optional[str] = ..., node: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., role: _Optional[str] = ..., asked_s: _Optional[int] = ..., valid_s: _Optional[int] = ..., nonce: _Optional[bytes] = ..., jobs: _Optional[_Iterable[str]] = ...) -> None: ...

class EnrolmentPuzzle(_message.Message):
    __slots__ = ("challenge", "bits")
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    challenge: bytes
    bits: int
    def __init__(self, challenge: _Optional[bytes] = ..., bits: _Optional[int] = ...) -> None: ...

class EnrolmentGrant(_message.Message):
    __slots__ = ("jwt", "enrolment", "realm", "epoch_set", "puzzle", "signature")
    JWT_FIELD_NUMBER: _ClassVar[int]
    ENROLMENT_FIELD_NUMBER: _ClassVar[int]
    REALM_FIELD_NUMBER: _ClassVar[int]
    EPOCH_SET_FIELD_NUMBER: _ClassVar[int]
    PUZZLE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    jwt: str
    enrolment: bytes
    realm: str
    epoch_set: bytes
    puzzle: EnrolmentPuzzle
    signature: bytes
    def __init__(self, jwt: _Optional[str] = ..., enrolment: _Optional[bytes] = ..., realm: _Optional[str] = ..., epoch_set: _Optional[bytes] = ..., puzzle: _Optional[_Union[EnrolmentPuzzle, _Mapping]] = ..., signature: _Optional[bytes] = ...) -> None: ...
