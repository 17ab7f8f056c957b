"""A lease's record as the bytes of its key's value."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from ...wire.v1 import leases_pb2 as wire
from .model import Holder, LeaseRecord


def encode(record: LeaseRecord) -> bytes:
    """The value that says who holds a lease."""
    holder = record.holder
    return wire.LeaseRecord(
        name=holder.name, epoch=holder.epoch, node=holder.node, token=record.token
    ).SerializeToString()


def decode(value: bytes) -> LeaseRecord:
    """What a value says. One that is no record is held by nobody alive: it goes stale."""
    read = wire.LeaseRecord()
    try:
        read.ParseFromString(value)
    except DecodeError:
        read = wire.LeaseRecord(name="?")
    return LeaseRecord(holder=Holder(name=read.name, epoch=read.epoch, node=read.node), token=read.token)
