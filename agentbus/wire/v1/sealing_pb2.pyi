from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Sealed(_message.Message):
    __slots__ = ("sender", "to", "group", "epoch", "type", "nonce", "body", "signature")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    sender: bytes
    to: bytes
    group: str
    epoch: int
    type: str
    nonce: bytes
    body: bytes
    signature: bytes
    def __init__(self, sender: _Optional[bytes] = ..., to: _Optional[bytes] = ..., group: _Optional[str] = ..., epoch: _Optional[int] = ..., type: _Optional[str] = ..., nonce: _Optional[bytes] = ..., body: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class EpochKey(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    def __init__(self, key: _Optional[bytes] = ...) -> None: ...

class GroupEpoch(_message.Message):
    __slots__ = ("group", "epoch", "keeper", "members", "keys", "signature", "nonce")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    KEEPER_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    group: str
    epoch: int
    keeper: bytes
    members: _containers.RepeatedScalarFieldContainer[bytes]
    keys: _containers.RepeatedCompositeFieldContainer[Sealed]
    signature: bytes
    nonce: bytes
    def __init__(self, group: _Optional[str] = ..., epoch: _Optional[int] = ..., keeper: _Optional[bytes] = ..., members: _Optional[_Iterable[bytes]] = ..., keys: _Optional[_Iterable[_Union[Sealed, _Mapping]]] = ..., signature: _Optional[bytes] = ..., nonce: _Optional[bytes] = ...) -> None: ...

class GroupKeyRequest(_message.Message):
    __slots__ = ("group", "member", "nonce")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    group: str
    member: bytes
    nonce: bytes
    def __init__(self, group: _Optional[str] = ..., member: _Optional[bytes] = ..., nonce: _Optional[bytes] = ...) -> None: ...
