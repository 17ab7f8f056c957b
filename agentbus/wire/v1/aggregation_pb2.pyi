from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AggregateKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AGGREGATE_KIND_UNSPECIFIED: _ClassVar[AggregateKind]
    AGGREGATE_KIND_PUSH: _ClassVar[AggregateKind]
    AGGREGATE_KIND_REPLY: _ClassVar[AggregateKind]
AGGREGATE_KIND_UNSPECIFIED: AggregateKind
AGGREGATE_KIND_PUSH: AggregateKind
AGGREGATE_KIND_REPLY: AggregateKind

class SeriesMass(_message.Message):
    __slots__ = ("series", "count", "total", "squares", "bins", "masses")
    SERIES_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    SQUARES_FIELD_NUMBER: _ClassVar[int]
    BINS_FIELD_NUMBER: _ClassVar[int]
    MASSES_FIELD_NUMBER: _ClassVar[int]
    series: str
    count: float
    total: float
    squares: float
    bins: _containers.RepeatedScalarFieldContainer[int]
    masses: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, series: _Optional[str] = ..., count: _Optional[float] = ..., total: _Optional[float] = ..., squares: _Optional[float] = ..., bins: _Optional[_Iterable[int]] = ..., masses: _Optional[_Iterable[float]] = ...) -> None: ...

class Mass(_message.Message):
    __slots__ = ("weight", "root", "series")
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    weight: float
    root: float
    series: _containers.RepeatedCompositeFieldContainer[SeriesMass]
    def __init__(self, weight: _Optional[float] = ..., root: _Optional[float] = ..., series: _Optional[_Iterable[_Union[SeriesMass, _Mapping]]] = ...) -> None: ...

class Extremum(_message.Message):
    __slots__ = ("series", "minimum", "maximum")
    SERIES_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    series: str
    minimum: float
    maximum: float
    def __init__(self, series: _Optional[str] = ..., minimum: _Optional[float] = ..., maximum: _Optional[float] = ...) -> None: ...

class Aggregate(_message.Message):
    __slots__ = ("version", "kind", "source", "life", "epoch", "starter", "sequence", "ask", "given", "held", "extrema")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    STARTER_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    GIVEN_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    EXTREMA_FIELD_NUMBER: _ClassVar[int]
    version: int
    kind: AggregateKind
    source: str
    life: int
    epoch: int
    starter: str
    sequence: int
    ask: int
    given: Mass
    held: Mass
    extrema: _containers.RepeatedCompositeFieldContainer[Extremum]
    def __init__(self, version: _Optional[int] = ..., kind: _Optional[_Union[AggregateKind, str]] = ..., source: _Optional[str] = ..., life: _Optional[int] = ..., epoch: _Optional[int] = ..., starter: _Optional[str] = ..., sequence: _Optional[int] = ..., ask: _Optional[int] = ..., given: _Optional[_Union[Mass, _Mapping]] = ..., held: _Optional[_Union[Mass, _Mapping]] = ..., extrema: _Optional[_Iterable[_Union[Extremum, _Mapping]]] = ...) -> None: ...

class EstimateRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class EstimateReply(_message.Message):
    __slots__ = ("node", "settled", "nodes", "count", "total", "mean", "variance", "minimum", "maximum", "sketch")
    NODE_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    VARIANCE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    SKETCH_FIELD_NUMBER: _ClassVar[int]
    node: str
    settled: bool
    nodes: float
    count: float
    total: float
    mean: float
    variance: float
    minimum: float
    maximum: float
    sketch: SeriesMass
    def __init__(self, node: _Optional[str] = ..., settled: bool = ..., nodes: _Optional[float] = ..., count: _Optional[float] = ..., total: _Optional[float] = ..., mean: _Optional[float] = ..., variance: _Optional[float] = ..., minimum: _Optional[float] = ..., maximum: _Optional[float] = ..., sketch: _Optional[_Union[SeriesMass, _Mapping]] = ...) -> None: ...
