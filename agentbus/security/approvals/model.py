"""What the desk is told and tells: frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Which call an answer is about: all of it is signed.

    Attributes:
        realm, node: of the desk where the call waits.
        id: the desk's number for the call, of chance.
        approval: what is to be approved.
        agent, behavior: whose call it is.
        message_id: ``sender:epoch:sequence``; empty for a foreign client's call.
        payload_sha256: of the request's bytes.
    """

    realm: str
    node: str
    id: str
    approval: str
    agent: str
    behavior: str
    message_id: str
    payload_sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person says.

    Attributes:
        about: the call.
        approved: yes or no.
        reason: the person's words, may be empty.
        at_us: when, microseconds since 1970 by the person's clock.
    """

    about: Subject
    approved: bool
    reason: str
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that waits.

    Attributes:
        about: which.
        sender: who asks; empty for a foreign client.
        type: the request's full protobuf name.
        payload: its bytes.
        asked_us: when it came, microseconds since 1970.
        until_s: when it has waited too long, by the machine's clock.
    """

    about: Subject
    sender: str
    type: str
    payload: bytes
    asked_us: int
    until_s: float


class Outcome(Enum):
    """What became of a call."""

    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Why(Enum):
    """Why something does not count."""

    FULL = "too many calls wait"
    UNKNOWN = "no such call waits"
    LATE = "too late"
    DECIDED = "decided already"
    MISMATCH = "about something else"
    CLOCK = "signed at another time"


# -- events ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """A call has come that needs an approval."""

    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A person has answered, and may: who it is has been proven.

    Attributes:
        by: the person, for people to read.
        now_us: microseconds since 1970 by the desk's clock.
    """

    answer: Answer
    by: str
    now_us: int


@dataclass(frozen=True, slots=True)
class Gone:
    """The call is over: its agent has ended."""

    id: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = Asked | Answered | Gone | Tick


# -- effects -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A call waits no longer. Each call has one of these.

    Attributes:
        reason: the person's, or why nobody decided.
        by: who decided; empty for nobody.
    """

    call: Call
    outcome: Outcome
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What came changes nothing."""

    why: Why
    text: str


Effect = Decided | Refusal
