"""The ledger's bytes: records to protobuf and back. The requests of the room stand here for its services."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from ..errors import LedgerInvalid
from ..messages import clip
from ..wire.v1 import ledger_pb2 as wire
from ..wire.v1.healing_pb2 import HealingAction
from ..wire.v1.ledger_pb2 import CosignReply, CosignRequest, HeldReply, HeldRequest, LedgerRecord
from .machine import Outcome
from .model import Kind, Record

__all__ = [
    "CosignReply",
    "CosignRequest",
    "HealingAction",
    "HeldReply",
    "HeldRequest",
    "from_outcome",
    "read_record",
    "to_outcome",
    "write_record",
]

LONGEST = 1000
"""Characters of a word in a record that has to be mended."""
SHORT = 100
"""Of one in a record that is too long."""
ROOM = 4000
"""Bytes of all that is not payload."""
WORDS = ("agent", "node", "peer", "subject", "type", "message_id", "outcome")

_TO_WIRE = {
    Kind.SENT: wire.LEDGER_KIND_SENT,
    Kind.RECEIVED: wire.LEDGER_KIND_RECEIVED,
    Kind.DECIDED: wire.LEDGER_KIND_DECIDED,
    Kind.DONE: wire.LEDGER_KIND_DONE,
    Kind.LOST: wire.LEDGER_KIND_LOST,
}
_FROM_WIRE = {number: kind for kind, number in _TO_WIRE.items()}
_OUTCOMES = {
    Outcome.COSIGNED: wire.COSIGN_OUTCOME_COSIGNED,
    Outcome.OTHER_SIZE: wire.COSIGN_OUTCOME_OTHER_SIZE,
    Outcome.ROLLBACK: wire.COSIGN_OUTCOME_ROLLBACK,
    Outcome.FORK: wire.COSIGN_OUTCOME_FORK,
    Outcome.INCONSISTENT: wire.COSIGN_OUTCOME_INCONSISTENT,
}
_FROM_OUTCOMES = {number: outcome for outcome, number in _OUTCOMES.items()}


def write_record(record: Record, size: int = 0, digest: bytes = b"", payload: bytes = b"") -> bytes:
    """A record as it is hashed and kept: fields in the order of their numbers, none twice, no maps.

    Args:
        record: what happened; of its payload it says nothing.
        size, digest, payload: of the payload.
    """
    message = LedgerRecord()
    message.at_us = record.at_us
    message.kind = _TO_WIRE[record.kind]
    try:
        message.agent = record.agent
        message.node = record.node
        message.peer = record.peer
        message.subject = record.subject
        message.type = record.type
        message.message_id = record.message_id
        message.outcome = record.outcome
    except ValueError:  # a lone surrogate, which protobuf refuses
        for name in WORDS:
            setattr(message, name, clip(getattr(record, name), LONGEST))
    if size:
        message.size = size
        message.digest = digest
        message.payload = payload
    entry = message.SerializeToString()
    if len(entry) - len(payload) > ROOM:  # words from elsewhere can be long: there is always room for what matters
        for name in WORDS:
            setattr(message, name, clip(getattr(record, name), SHORT))
        entry = message.SerializeToString()
    return entry


def read_record(entry: bytes) -> Record:
    """The record that these bytes are. Raises `LedgerInvalid`."""
    try:
        message = LedgerRecord.FromString(entry)
    except DecodeError as error:
        raise LedgerInvalid(f"not a record: {error}") from None
    kind = _FROM_WIRE.get(message.kind)
    if kind is None:
        raise LedgerInvalid(f"a record of an unknown kind, {message.kind}")
    return Record(
        at_us=message.at_us,
        kind=kind,
        agent=message.agent,
        node=message.node,
        peer=message.peer,
        subject=message.subject,
        type=message.type,
        message_id=message.message_id,
        size=message.size,
        digest=message.digest,
        payload=message.payload,
        outcome=message.outcome,
    )


def to_outcome(outcome: Outcome) -> wire.CosignOutcome:
    """As it travels."""
    return _OUTCOMES[outcome]


def from_outcome(number: wire.CosignOutcome) -> Outcome:
    """What a witness answered; what is unknown is taken for a refusal."""
    return _FROM_OUTCOMES.get(number, Outcome.INCONSISTENT)
