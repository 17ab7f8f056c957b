"""Agreements' values, to protobuf and back. What comes from the wire is not trusted: the machine refuses what is wrong
in itself, and terms that make no sense are no `Demand`."""

from __future__ import annotations

from typing import overload

from ..errors import SchemaMismatch
from ..wire.v1 import market_pb2 as wire
from .agreements import Acceptance, Approval, Contest, Demand, Escrowed, Offer, Ruling, Usage

Value = Demand | Offer | Acceptance | Escrowed | Usage | Approval | Contest | Ruling
Message = (
    wire.Demand | wire.Offer | wire.Acceptance | wire.Escrowed | wire.Usage | wire.Approval | wire.Contest | wire.Ruling
)


def encode(value: Value) -> Message:
    """The message that says it: of the same name, in `agentbus.wire.v1.market_pb2`. Raises `SchemaMismatch`."""
    fields = {name: getattr(value, name) for name in type(value).__dataclass_fields__}
    try:
        return getattr(wire, type(value).__name__)(**fields)
    except (TypeError, ValueError) as error:
        raise SchemaMismatch(f"{value}: can't be written: {error}") from None


@overload
def decode(message: wire.Demand) -> Demand: ...
@overload
def decode(message: wire.Offer) -> Offer: ...
@overload
def decode(message: wire.Acceptance) -> Acceptance: ...
@overload
def decode(message: wire.Escrowed) -> Escrowed: ...
@overload
def decode(message: wire.Usage) -> Usage: ...
@overload
def decode(message: wire.Approval) -> Approval: ...
@overload
def decode(message: wire.Contest) -> Contest: ...
@overload
def decode(message: wire.Ruling) -> Ruling: ...
@overload
def decode(message: Message) -> Value: ...
def decode(message: Message) -> Value:
    """What a message says. Raises `SchemaMismatch` for a message of another kind."""
    kind = _VALUES.get(type(message))
    if kind is None:
        raise SchemaMismatch(f"{type(message).__name__} says nothing of an agreement")
    return kind(**{field.name: getattr(message, field.name) for field in message.DESCRIPTOR.fields})


_VALUES: dict[type[Message], type[Value]] = {
    wire.Demand: Demand,
    wire.Offer: Offer,
    wire.Acceptance: Acceptance,
    wire.Escrowed: Escrowed,
    wire.Usage: Usage,
    wire.Approval: Approval,
    wire.Contest: Contest,
    wire.Ruling: Ruling,
}
