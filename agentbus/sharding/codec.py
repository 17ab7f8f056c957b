"""The shards' messages: bytes and back. The events and requests of the room stand here for its service."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from ..peers import PeerId
from ..wire.v1 import sharding_pb2 as wire
from ..wire.v1.sharding_pb2 import ShardReport, ShardStatus, ShardStatusRequest
from .model import Attest, Claim, Entry, Progress, Report, Segment

__all__ = [
    "ShardReport",
    "ShardStatus",
    "ShardStatusRequest",
    "decode_attest",
    "decode_entry",
    "encode",
    "from_report",
    "from_status",
    "to_report",
    "to_status",
]


def encode(entry: Entry) -> bytes:
    """A message of a shard's log, or an attestation, as bytes."""
    match entry:
        case Claim():
            claim = wire.ShardClaim(
                holder=entry.holder.name,
                epoch=entry.holder.epoch,
                node=entry.node,
                token=entry.token,
                rewind_to=entry.rewind_to,
            )
            return wire.ShardEntry(claim=claim).SerializeToString()
        case Segment():
            segment = wire.ShardSegment(
                token=entry.token,
                previous=entry.previous,
                inputs=entry.inputs,
                results=entry.results,
                digest=entry.digest,
                checkpoint=entry.checkpoint,
            )
            return wire.ShardEntry(segment=segment).SerializeToString()
        case Attest():
            return wire.ShardAttest(segment=entry.segment, by=entry.by.name, epoch=entry.by.epoch).SerializeToString()


def decode_entry(body: bytes) -> Claim | Segment | None:
    """A message of a shard's log; None for bytes that are none: they count for nothing."""
    read = wire.ShardEntry()
    try:
        read.ParseFromString(body)
    except DecodeError:
        return None
    match read.WhichOneof("entry"):
        case "claim":
            claim = read.claim
            return Claim(
                holder=PeerId(claim.holder, claim.epoch),
                node=claim.node,
                token=claim.token,
                rewind_to=claim.rewind_to,
            )
        case "segment":
            segment = read.segment
            return Segment(
                token=segment.token,
                previous=segment.previous,
                inputs=tuple(segment.inputs),
                results=tuple(segment.results),
                digest=segment.digest,
                checkpoint=segment.checkpoint,
            )
        case _:
            return None


def decode_attest(body: bytes) -> Attest | None:
    """An attestation; None for bytes that are none."""
    read = wire.ShardAttest()
    try:
        read.ParseFromString(body)
    except DecodeError:
        return None
    return Attest(segment=read.segment, by=PeerId(read.by, read.epoch))


def to_report(report: Report) -> ShardReport:
    """As an event."""
    return ShardReport(
        job=report.job, agent=report.peer.name, node=report.node, epoch=report.peer.epoch, holds=report.holds
    )


def from_report(report: ShardReport) -> Report:
    """Of an event."""
    return Report(job=report.job, peer=PeerId(report.agent, report.epoch), node=report.node, holds=tuple(report.holds))


def to_status(job: str, shards: list[Progress]) -> ShardStatus:
    """As an answer."""
    status = ShardStatus(job=job)
    for one in shards:
        status.shards.add(
            shard=one.shard,
            holder=one.holder.name if one.holder else "",
            epoch=one.holder.epoch if one.holder else 0,
            node=one.node,
            token=one.token,
            position=one.position,
            committed=one.committed,
            verified=one.verified,
            void_segments=one.void_segments,
            backlog=one.backlog,
        )
    return status


def from_status(status: ShardStatus) -> list[Progress]:
    """Of an answer."""
    return [
        Progress(
            shard=one.shard,
            holder=PeerId(one.holder, one.epoch) if one.holder else None,
            node=one.node,
            token=one.token,
            position=one.position,
            committed=one.committed,
            verified=one.verified,
            void_segments=one.void_segments,
            backlog=one.backlog,
        )
        for one in status.shards
    ]
