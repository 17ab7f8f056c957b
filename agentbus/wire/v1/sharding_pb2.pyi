from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ShardEntry(_message.Message):
    __slots__ = ("claim", "segment")
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    claim: ShardClaim
    segment: ShardSegment
    def __init__(self, claim: _Optional[_Union[ShardClaim, _Mapping]] = ..., segment: _Optional[_Union[ShardSegment, _Mapping]] = ...) -> None: ...

class ShardClaim(_message.Message):
    __slots__ = ("holder", "epoch", "node", "token", "rewind_to")
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    REWIND_TO_FIELD_NUMBER: _ClassVar[int]
    holder: str
    epoch: int
    node: str
    token: int
    rewind_to: int
    def __init__(self, holder: _Optional[str] = ..., epoch: _Optional[int] = ..., node: _Optional[str] = ..., token: _Optional[int] = ..., rewind_to: _Optional[int] = ...) -> None: ...

class ShardSegment(_message.Message):
    __slots__ = ("token", "previous", "inputs", "results", "digest", "checkpoint")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    token: int
    previous: int
    inputs: _containers.RepeatedScalarFieldContainer[int]
    results: _containers.RepeatedScalarFieldContainer[bytes]
    digest: bytes
    checkpoint: bytes
    def __init__(self, token: _Optional[int] = ..., previous: _Optional[int] = ..., inputs: _Optional[_Iterable[int]] = ..., results: _Optional[_Iterable[bytes]] = ..., digest: _Optional[bytes] = ..., checkpoint: _Optional[bytes] = ...) -> None: ...

class ShardAttest(_message.Message):
    __slots__ = ("segment", "by", "epoch")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    segment: int
    by: str
    epoch: int
    def __init__(self, segment: _Optional[int] = ..., by: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class ShardReport(_message.Message):
    __slots__ = ("job", "agent", "node", "epoch", "holds")
    JOB_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    job: str
    agent: str
    node: str
    epoch: int
    holds: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, job: _Optional[str] = ..., agent: _Optional[str] = ..., node: _Optional[str] = ..., epoch: _Optional[int] = ..., holds: _Optional[_Iterable[int]] = ...) -> None: ...

class ShardStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ShardStatus(_message.Message):
    __slots__ = ("job", "shards")
    JOB_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    job: str
    shards: _containers.RepeatedCompositeFieldContainer[ShardProgress]
    def __init__(self, job: _Optional[str] = ..., shards: _Optional[_Iterable[_Union[ShardProgress, _Mapping]]] = ...) -> None: ...

class ShardProgress(_message.Message):
    __slots__ = ("shard", "holder", "epoch", "node", "token", "position", "committed", "verified", "void_segments", "backlog")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_FIELD_NUMBER: _ClassVar[int]
    VOID_SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_FIELD_NUMBER: _ClassVar[int]
    shard: int
    holder: str
    epoch: int
    node: str
    token: int
    position: int
    committed: int
    verified: int
    void_segments: int
    backlog: int
    def __init__(self, shard: _Optional[int] = ..., holder: _Optional[str] = ..., epoch: _Optional[int] = ..., node: _Optional[str] = ..., token: _Optional[int] = ..., position: _Optional[int] = ..., committed: _Optional[int] = ..., verified: _Optional[int] = ..., void_segments: _Optional[int] = ..., backlog: _Optional[int] = ...) -> None: ...
