from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StandingKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STANDING_KIND_UNSPECIFIED: _ClassVar[StandingKind]
    STANDING_KIND_TRUSTED: _ClassVar[StandingKind]
    STANDING_KIND_PROBATION: _ClassVar[StandingKind]
    STANDING_KIND_QUARANTINED: _ClassVar[StandingKind]
STANDING_KIND_UNSPECIFIED: StandingKind
STANDING_KIND_TRUSTED: StandingKind
STANDING_KIND_PROBATION: StandingKind
STANDING_KIND_QUARANTINED: StandingKind

class HealingAction(_message.Message):
    __slots__ = ("fault", "kind", "agent", "node", "epoch", "action", "reason", "rule", "witnesses", "outcome", "by", "by_epoch", "target", "latency_s")
    FAULT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    WITNESSES_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    BY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    LATENCY_S_FIELD_NUMBER: _ClassVar[int]
    fault: str
    kind: str
    agent: str
    node: str
    epoch: int
    action: str
    reason: str
    rule: str
    witnesses: _containers.RepeatedScalarFieldContainer[str]
    outcome: str
    by: str
    by_epoch: int
    target: str
    latency_s: float
    def __init__(self, fault: _Optional[str] = ..., kind: _Optional[str] = ..., agent: _Optional[str] = ..., node: _Optional[str] = ..., epoch: _Optional[int] = ..., action: _Optional[str] = ..., reason: _Optional[str] = ..., rule: _Optional[str] = ..., witnesses: _Optional[_Iterable[str]] = ..., outcome: _Optional[str] = ..., by: _Optional[str] = ..., by_epoch: _Optional[int] = ..., target: _Optional[str] = ..., latency_s: _Optional[float] = ...) -> None: ...

class AgentStanding(_message.Message):
    __slots__ = ("agent", "node", "epoch", "standing", "kind", "reason", "left_s", "shed")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LEFT_S_FIELD_NUMBER: _ClassVar[int]
    SHED_FIELD_NUMBER: _ClassVar[int]
    agent: str
    node: str
    epoch: int
    standing: StandingKind
    kind: str
    reason: str
    left_s: float
    shed: float
    def __init__(self, agent: _Optional[str] = ..., node: _Optional[str] = ..., epoch: _Optional[int] = ..., standing: _Optional[_Union[StandingKind, str]] = ..., kind: _Optional[str] = ..., reason: _Optional[str] = ..., left_s: _Optional[float] = ..., shed: _Optional[float] = ...) -> None: ...

class StandingTold(_message.Message):
    __slots__ = ("standing", "by", "by_epoch")
    STANDING_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    BY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    standing: AgentStanding
    by: str
    by_epoch: int
    def __init__(self, standing: _Optional[_Union[AgentStanding, _Mapping]] = ..., by: _Optional[str] = ..., by_epoch: _Optional[int] = ...) -> None: ...

class StandingsRequest(_message.Message):
    __slots__ = ("by", "by_epoch")
    BY_FIELD_NUMBER: _ClassVar[int]
    BY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    by: str
    by_epoch: int
    def __init__(self, by: _Optional[str] = ..., by_epoch: _Optional[int] = ...) -> None: ...

class Standings(_message.Message):
    __slots__ = ("standings", "by", "by_epoch")
    STANDINGS_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    BY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    standings: _containers.RepeatedCompositeFieldContainer[AgentStanding]
    by: str
    by_epoch: int
    def __init__(self, standings: _Optional[_Iterable[_Union[AgentStanding, _Mapping]]] = ..., by: _Optional[str] = ..., by_epoch: _Optional[int] = ...) -> None: ...

class RestartRequest(_message.Message):
    __slots__ = ("fault", "kind", "agent", "node", "epoch", "reason", "witnesses", "by", "by_epoch")
    FAULT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    WITNESSES_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    BY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    fault: str
    kind: str
    agent: str
    node: str
    epoch: int
    reason: str
    witnesses: _containers.RepeatedScalarFieldContainer[str]
    by: str
    by_epoch: int
    def __init__(self, fault: _Optional[str] = ..., kind: _Optional[str] = ..., agent: _Optional[str] = ..., node: _Optional[str] = ..., epoch: _Optional[int] = ..., reason: _Optional[str] = ..., witnesses: _Optional[_Iterable[str]] = ..., by: _Optional[str] = ..., by_epoch: _Optional[int] = ...) -> None: ...

class RehostRequest(_message.Message):
    __slots__ = ("fault", "agent", "node", "epoch", "reason", "target", "by", "by_epoch")
    FAULT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    BY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    fault: str
    agent: str
    node: str
    epoch: int
    reason: str
    target: str
    by: str
    by_epoch: int
    def __init__(self, fault: _Optional[str] = ..., agent: _Optional[str] = ..., node: _Optional[str] = ..., epoch: _Optional[int] = ..., reason: _Optional[str] = ..., target: _Optional[str] = ..., by: _Optional[str] = ..., by_epoch: _Optional[int] = ...) -> None: ...

class PlanRequest(_message.Message):
    __slots__ = ("kind", "agent", "node", "epoch")
    KIND_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    kind: str
    agent: str
    node: str
    epoch: int
    def __init__(self, kind: _Optional[str] = ..., agent: _Optional[str] = ..., node: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class PlanReply(_message.Message):
    __slots__ = ("actions", "by")
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    actions: _containers.RepeatedCompositeFieldContainer[HealingAction]
    by: str
    def __init__(self, actions: _Optional[_Iterable[_Union[HealingAction, _Mapping]]] = ..., by: _Optional[str] = ...) -> None: ...
