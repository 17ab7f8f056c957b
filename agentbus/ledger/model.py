"""What a log holds: records. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What happened."""

    SENT = "sent"
    RECEIVED = "received"
    DECIDED = "decided"
    DONE = "done"
    LOST = "lost"
    """Records were not taken, as the log could not follow."""


class Keep(StrEnum):
    """How much of a payload a record holds."""

    WHOLE = "whole"
    """Its bytes."""
    DIGEST = "digest"
    """Its SHA-256. Whoever can guess the payload can confirm the guess."""
    FACTS = "facts"
    """Who, when, where and of which type; of the payload its size only."""
    NOTHING = "nothing"
    """No record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that happened.

    Attributes:
        at_us: microseconds since 1970, by the clock of who wrote it.
        kind: what happened.
        agent: whom it is about.
        node: its node.
        peer: whom it was exchanged with; empty when nobody is known.
        subject: where the message travelled, or what was decided about.
        type: the payload's full protobuf name, or a word for what is no message.
        message_id: ``sender:epoch:sequence``.
        size: the payload's bytes, counted.
        digest: SHA-256 of the payload; empty where a rule keeps it out.
        payload: its bytes, where a rule wants them.
        outcome: what came of it: the name of an error's type, or empty.
    """

    at_us: int
    kind: Kind
    agent: str
    node: str = ""
    peer: str = ""
    subject: str = ""
    type: str = ""
    message_id: str = ""
    size: int = 0
    digest: bytes = b""
    payload: bytes = b""
    outcome: str = ""
