"""Packets and estimates, to protobuf and back. What comes from the wire is not trusted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isfinite

from ..wire.v1.aggregation_pb2 import (
    Aggregate,
    EstimateReply,
    EstimateRequest,
    Extremum,
    SeriesMass,
)
from ..wire.v1.aggregation_pb2 import Mass as MassMessage
from .model import BIN, COUNT, ROOT, SQUARES, TOTAL, WEIGHT, EpochId, Estimate, Extrema, Key, Mass, Packet, PacketKind

__all__ = ["Aggregate", "EstimateReply", "EstimateRequest", "decode", "encode", "encode_estimate"]

VERSION = 1
MAX_NUMBER = 1 << 62
"""Epochs' numbers are below it, so that there is always a next one."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")
_KINDS = {int(kind): kind for kind in PacketKind}


def encode(packet: Packet) -> Aggregate:
    """A packet for one node."""
    return Aggregate(
        version=VERSION,
        kind=int(packet.kind),  # pyright: ignore[reportArgumentType]
        source=packet.source,
        life=packet.life,
        epoch=packet.epoch.number,
        starter=packet.epoch.starter,
        sequence=packet.sequence,
        ask=packet.ask,
        given=_encode_mass(packet.given),
        held=_encode_mass(packet.held),
        extrema=[Extremum(series=series, minimum=low, maximum=high) for series, (low, high) in packet.extrema.items()],
    )


def decode(message: Aggregate) -> Packet | None:
    """The packet, or None when it is of a later version, of nobody, or makes no sense."""
    kind = _KINDS.get(message.kind)
    if kind is None or message.version > VERSION or not 0 < message.epoch < MAX_NUMBER:
        return None
    if not _NAME.fullmatch(message.source) or not _NAME.fullmatch(message.starter):
        return None
    given, held = _decode_mass(message.given), _decode_mass(message.held)
    extrema: Extrema = {of.series: (of.minimum, of.maximum) for of in message.extrema}
    finite = all(isfinite(low) and isfinite(high) for low, high in extrema.values())
    if given is None or held is None or not finite:
        return None
    return Packet(
        kind=kind,
        source=message.source,
        life=message.life,
        epoch=EpochId(message.epoch, message.starter),
        sequence=message.sequence,
        ask=message.ask,
        given=given,
        held=held,
        extrema=extrema,
    )


def encode_estimate(node: str, name: str, estimate: Estimate | None) -> EstimateReply:
    """What a node answers to whoever asks."""
    if estimate is None:
        return EstimateReply(node=node)
    summary = estimate.summary
    tag = summary.bins.tag if summary.bins is not None else ""
    return EstimateReply(
        node=node,
        settled=True,
        nodes=estimate.nodes,
        count=estimate.count,
        total=estimate.total,
        mean=estimate.mean,
        variance=estimate.variance,
        minimum=estimate.minimum,
        maximum=estimate.maximum,
        sketch=SeriesMass(
            series=f"{name}|{tag}",
            count=summary.count,
            total=summary.total,
            squares=summary.squares,
            bins=list(summary.masses),
            masses=list(summary.masses.values()),
        ),
    )


def _encode_mass(mass: Mapping[Key, float]) -> MassMessage:
    message = MassMessage(weight=mass.get(WEIGHT, 0.0), root=mass.get(ROOT, 0.0))
    parts: dict[str, SeriesMass] = {}
    for (series, what, index), value in mass.items():
        if not series:
            continue
        part = parts.get(series)
        if part is None:
            part = parts[series] = message.series.add(series=series)
        if what == BIN:
            part.bins.append(index)
            part.masses.append(value)
        elif what == COUNT:
            part.count = value
        elif what == TOTAL:
            part.total = value
        else:
            part.squares = value
    return message


def _decode_mass(message: MassMessage) -> Mass | None:
    mass: Mass = {WEIGHT: message.weight, ROOT: message.root}
    for part in message.series:
        if not part.series or len(part.bins) != len(part.masses):
            return None
        mass[part.series, COUNT, 0] = part.count
        mass[part.series, TOTAL, 0] = part.total
        mass[part.series, SQUARES, 0] = part.squares
        for index, value in zip(part.bins, part.masses, strict=True):
            mass[part.series, BIN, index] = value
    return mass if _finite(mass.values()) else None


def _finite(values: Iterable[float]) -> bool:
    return all(isfinite(value) for value in values)
