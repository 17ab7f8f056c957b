"""Detection's messages: values and back. The events of the room stand here for its service."""

from __future__ import annotations

from collections.abc import Sequence

from ..faults import Fault
from ..peers import PeerId
from ..wire.v1 import detection_pb2 as wire
from ..wire.v1.detection_pb2 import LoadReport, Probe, ProbeEcho, Scores
from .verdicts.model import Case, Finding, Verdict, Vote, Witness
from .watch.model import Load

__all__ = [
    "LoadReport",
    "Probe",
    "ProbeEcho",
    "Scores",
    "VoteMessage",
    "from_report",
    "from_vote",
    "to_fault",
    "to_report",
    "to_vote",
]

VoteMessage = wire.Vote

_TO_WIRE = {Finding.CONFIRMED: wire.VOTE_FINDING_CONFIRMED, Finding.DENIED: wire.VOTE_FINDING_DENIED}
_FROM_WIRE = {number: finding for finding, number in _TO_WIRE.items()}


def to_vote(vote: Vote) -> VoteMessage:
    """A vote as a message."""
    case, by = vote.case, vote.by
    return wire.Vote(
        kind=case.kind,
        accused=case.accused.name,
        accused_epoch=case.accused.epoch,
        accused_node=case.node,
        evidence=case.evidence,
        finding=_TO_WIRE.get(vote.finding, wire.VOTE_FINDING_UNSPECIFIED),
        by=by.id.name,
        by_epoch=by.id.epoch,
        by_node=by.node,
        number=vote.number,
        accuses=vote.accuses,
        undecided=vote.undecided,
    )


def from_vote(message: VoteMessage) -> Vote:
    """A message as a vote; a finding that is not known here is `UNKNOWN`, and counts for nothing."""
    return Vote(
        case=Case(
            message.kind,
            PeerId(message.accused, message.accused_epoch),
            message.accused_node,
            message.evidence,
        ),
        finding=_FROM_WIRE.get(message.finding, Finding.UNKNOWN),
        by=Witness(PeerId(message.by, message.by_epoch), message.by_node),
        number=message.number,
        accuses=message.accuses,
        undecided=message.undecided,
    )


def to_fault(verdict: Verdict) -> Fault:
    """A verdict as the event that the node's agents hear."""
    return Fault(
        kind=verdict.kind,
        agent=verdict.agent.name,
        node=verdict.node,
        epoch=verdict.agent.epoch,
        reason=verdict.reason,
        witnesses=verdict.witnesses,
        score=1.0,
    )


def to_report(who: Witness, lag_s: float, loads: Sequence[Load]) -> LoadReport:
    """A node's loads as a message."""
    return LoadReport(
        node=who.node,
        epoch=who.id.epoch,
        by=who.id.name,
        lag_s=lag_s,
        agents=[wire.AgentLoad(**load._asdict()) for load in loads],
    )


def from_report(report: LoadReport) -> tuple[Witness, list[Load]]:
    """Who reports, and the loads of its agents."""
    loads = [Load(load.agent, load.group, load.latency_s, load.error_rate, load.queued) for load in report.agents]
    return Witness(PeerId(report.by, report.epoch), report.node), loads
