"""What streams keep, and how much they may: the values of a `Transport`'s durable half."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Headers = Mapping[str, str]

MAX_BATCH = 1000
"""Messages in a batch: what nats-server takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """What a stream of durable messages may hold. Whichever limit is reached first drops the oldest.

    Attributes:
        max_bytes: bytes, headers included; the server sets them aside when the stream is made. -1 for no limit. Default
            256 MiB.
        max_age_s: seconds; 0 for no limit. Default seven days.
        max_messages: messages; -1 for no limit.
        duplicate_window_s: for how long a message id is remembered, so that a second `store` of it is not stored
            again. Seconds, at least 0.1.
        replicas: copies in a cluster, 1 to 5.
    """

    max_bytes: int = 256 << 20
    max_age_s: float = 7 * 86400.0
    max_messages: int = -1
    duplicate_window_s: float = 120.0
    replicas: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec:
    """A stream: everything sent by `store` to a subject that one of `subjects` (patterns) matches.

    Attributes:
        name: ``[A-Za-z0-9_-]+``.
        subjects: the patterns.
        limits: how much it may hold.
        per_subject: messages kept of each subject, the newest; -1 for no limit.
        batches: whether `store_all` may write to it.
        message_ttl: whether `store` may give a message a life of its own.
        refuse_when_full: refuse what is above `limits` (`StorageFailed`) in place of dropping the oldest.
    """

    name: str
    subjects: tuple[str, ...]
    limits: StreamLimits = field(default_factory=StreamLimits)
    per_subject: int = -1
    batches: bool = False
    message_ttl: bool = False
    refuse_when_full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerSpec:
    """A named, durable position in a stream, shared by all who consume under its name.

    Attributes:
        stream: the stream's name.
        name: the consumer's name, ``[A-Za-z0-9_-]+``.
        filters: the patterns it hears.
        ack_wait_s: seconds without `Job.progress` after which an unsettled job is delivered again.
        max_in_flight: jobs delivered to this transport and not settled yet; the transport pulls no more than that.
    """

    stream: str
    name: str
    filters: tuple[str, ...]
    ack_wait_s: float = 30.0
    max_in_flight: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The stream's acknowledgement of a stored message. `duplicate`: its id had been stored before."""

    stream: str
    sequence: int
    duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One message of a batch (`Transport.store_all`). Attributes as the parameters of `Transport.store`."""

    subject: str
    body: bytes
    headers: Headers | None = None
    expected: int | None = None
    ttl_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A message as a stream keeps it.

    Attributes:
        subject: where it was stored.
        body: its bytes.
        headers: as they were given to `store`; None for none.
        sequence: its number in the stream, from 1.
        time_s: when the stream stored it: seconds since 1970 by the broker's clock; for people, not for decisions.
    """

    subject: str
    body: bytes
    headers: Headers | None
    sequence: int
    time_s: float
