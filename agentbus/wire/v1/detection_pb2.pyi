from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VoteFinding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VOTE_FINDING_UNSPECIFIED: _ClassVar[VoteFinding]
    VOTE_FINDING_CONFIRMED: _ClassVar[VoteFinding]
    VOTE_FINDING_DENIED: _ClassVar[VoteFinding]
VOTE_FINDING_UNSPECIFIED: VoteFinding
VOTE_FINDING_CONFIRMED: VoteFinding
VOTE_FINDING_DENIED: VoteFinding

class Vote(_message.Message):
    __slots__ = ("kind", "accused", "accused_epoch", "accused_node", "evidence", "finding", "by", "by_epoch", "by_node", "number", "accuses", "undecided")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ACCUSED_FIELD_NUMBER: _ClassVar[int]
    ACCUSED_EPOCH_FIELD_NUMBER: _ClassVar[int]
    ACCUSED_NODE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    BY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    BY_NODE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ACCUSES_FIELD_NUMBER: _ClassVar[int]
    UNDECIDED_FIELD_NUMBER: _ClassVar[int]
    kind: str
    accused: str
    accused_epoch: int
    accused_node: str
    evidence: str
    finding: VoteFinding
    by: str
    by_epoch: int
    by_node: str
    number: int
    accuses: bool
    undecided: bool
    def __init__(self, kind: _Optional[str] = ..., accused: _Optional[str] = ..., accused_epoch: _Optional[int] = ..., accused_node: _Optional[str] = ..., evidence: _Optional[str] = ..., finding: _Optional[_Union[VoteFinding, str]] = ..., by: _Optional[str] = ..., by_epoch: _Optional[int] = ..., by_node: _Optional[str] = ..., number: _Optional[int] = ..., accuses: bool = ..., undecided: bool = ...) -> None: ...

class LoadReport(_message.Message):
    __slots__ = ("node", "epoch", "by", "lag_s", "agents")
    NODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    LAG_S_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    node: str
    epoch: int
    by: str
    lag_s: float
    agents: _containers.RepeatedCompositeFieldContainer[AgentLoad]
    def __init__(self, node: _Optional[str] = ..., epoch: _Optional[int] = ..., by: _Optional[str] = ..., lag_s: _Optional[float] = ..., agents: _Optional[_Iterable[_Union[AgentLoad, _Mapping]]] = ...) -> None: ...

class AgentLoad(_message.Message):
    __slots__ = ("agent", "group", "latency_s", "error_rate", "queued")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LATENCY_S_FIELD_NUMBER: _ClassVar[int]
    ERROR_RATE_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    agent: str
    group: str
    latency_s: float
    error_rate: float
    queued: int
    def __init__(self, agent: _Optional[str] = ..., group: _Optional[str] = ..., latency_s: _Optional[float] = ..., error_rate: _Optional[float] = ..., queued: _Optional[int] = ...) -> None: ...

class Probe(_message.Message):
    __slots__ = ("node", "number")
    NODE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    node: str
    number: int
    def __init__(self, node: _Optional[str] = ..., number: _Optional[int] = ...) -> None: ...

class ProbeEcho(_message.Message):
    __slots__ = ("node", "epoch", "by", "number")
    NODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    node: str
    epoch: int
    by: str
    number: int
    def __init__(self, node: _Optional[str] = ..., epoch: _Optional[int] = ..., by: _Optional[str] = ..., number: _Optional[int] = ...) -> None: ...

class Scores(_message.Message):
    __slots__ = ("name", "node", "timestamps_s", "scores")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMPS_S_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    name: str
    node: str
    timestamps_s: _containers.RepeatedScalarFieldContainer[float]
    scores: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, name: _Optional[str] = ..., node: _Optional[str] = ..., timestamps_s: _Optional[_Iterable[float]] = ..., scores: _Optional[_Iterable[float]] = ...) -> None: ...
