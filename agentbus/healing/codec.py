"""Healing's messages: values to protobuf and back. The events and requests of the room stand here for its service."""

from __future__ import annotations

from collections.abc import Iterable

from ..faults import Fault
from ..peers import Standing
from ..wire.v1 import healing_pb2 as wire
from ..wire.v1.healing_pb2 import (
    AgentStanding,
    HealingAction,
    PlanReply,
    PlanRequest,
    RehostRequest,
    RestartRequest,
    Standings,
    StandingsRequest,
    StandingTold,
)
from .model import Belief, Life, Perform, Record, Trouble

__all__ = [
    "AgentStanding",
    "HealingAction",
    "PlanReply",
    "PlanRequest",
    "RehostRequest",
    "RestartRequest",
    "StandingTold",
    "Standings",
    "StandingsRequest",
    "from_belief",
    "from_fault",
    "from_restart",
    "to_action",
    "to_belief",
    "to_rehost",
    "to_restart",
]

MAX_TEXT = 1000
"""Characters of a text that are sent on."""
MAX_WITNESSES = 64

_TO_WIRE = {
    Standing.TRUSTED: wire.STANDING_KIND_TRUSTED,
    Standing.PROBATION: wire.STANDING_KIND_PROBATION,
    Standing.QUARANTINED: wire.STANDING_KIND_QUARANTINED,
}
_FROM_WIRE = {kind: standing for standing, kind in _TO_WIRE.items()}


def from_fault(fault: Fault) -> Trouble:
    """Of the hall's event."""
    return Trouble(
        kind=fault.kind,
        life=Life(fault.agent, fault.node, fault.epoch),
        reason=fault.reason[:MAX_TEXT],
        witnesses=_distinct(fault.witnesses),
        score=fault.score,
        recovered=fault.recovered,
    )


def to_action(record: Record, by: str, by_epoch: int) -> HealingAction:
    """As an event."""
    trouble, life = record.trouble, record.trouble.life
    return HealingAction(
        fault=trouble.id,
        kind=trouble.kind,
        agent=life.agent,
        node=life.node,
        epoch=life.epoch,
        action=record.action,
        reason=record.reason[:MAX_TEXT],
        rule=record.rule,
        witnesses=trouble.witnesses,
        outcome=record.outcome[:MAX_TEXT],
        by=by,
        by_epoch=by_epoch,
        target=record.target,
        latency_s=record.latency_s,
    )


def to_belief(belief: Belief, now: float) -> AgentStanding:
    """As a part of a message: times as what is left of them, as clocks differ."""
    return AgentStanding(
        agent=belief.life.agent,
        node=belief.life.node,
        epoch=belief.life.epoch,
        standing=_TO_WIRE[belief.standing],
        kind=belief.kind,
        reason=belief.reason[:MAX_TEXT],
        left_s=max(0.0, belief.until_s - now) if belief.until_s is not None else 0.0,
        shed=belief.shed,
    )


def from_belief(told: AgentStanding, now: float, longest_s: float) -> Belief | None:
    """Of a part of a message; None for a standing that this version does not know. A probation is cut to the
    longest."""
    standing = _FROM_WIRE.get(told.standing)
    if standing is None or standing is Standing.TRUSTED:
        return None
    ends = standing is Standing.PROBATION
    left_s = min(longest_s, max(0.0, told.left_s)) if told.left_s == told.left_s else 0.0
    return Belief(
        life=Life(told.agent, told.node, told.epoch),
        standing=standing,
        kind=told.kind,
        reason=told.reason[:MAX_TEXT],
        until_s=now + left_s if ends else None,
        shed=min(1.0, max(0.0, told.shed)) if ends and told.shed == told.shed else 0.0,
        since_s=now,
    )


def to_restart(perform: Perform, by: str, by_epoch: int) -> RestartRequest:
    """As an event to the accused's node."""
    trouble, life = perform.trouble, perform.trouble.life
    return RestartRequest(
        fault=trouble.id,
        kind=trouble.kind,
        agent=life.agent,
        node=life.node,
        epoch=life.epoch,
        reason=trouble.reason[:MAX_TEXT],
        witnesses=trouble.witnesses,
        by=by,
        by_epoch=by_epoch,
    )


def from_restart(request: RestartRequest) -> Trouble:
    """The fault behind the request."""
    return Trouble(
        kind=request.kind,
        life=Life(request.agent, request.node, request.epoch),
        reason=request.reason[:MAX_TEXT],
        witnesses=_distinct(request.witnesses),
    )


def to_rehost(perform: Perform, by: str, by_epoch: int) -> RehostRequest:
    """As an event to the node that takes over."""
    life = perform.trouble.life
    return RehostRequest(
        fault=perform.trouble.id,
        agent=life.agent,
        node=life.node,
        epoch=life.epoch,
        reason=perform.trouble.reason[:MAX_TEXT],
        target=perform.target,
        by=by,
        by_epoch=by_epoch,
    )


def _distinct(witnesses: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(witnesses)))[:MAX_WITNESSES]
