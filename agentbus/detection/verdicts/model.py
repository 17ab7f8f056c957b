"""What is accused, voted and decided: frozen values. An accusation is a vote: its author's own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from ...peers import PeerId


class Finding(Enum):
    """What looking again has shown of an accusation."""

    CONFIRMED = "confirmed"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Case(NamedTuple):
    """What an agent is accused of. Two who accuse it of the same have one case.

    Attributes:
        kind: of fault, a word of `agentbus.faults` or of the application.
        accused: the agent, in one life.
        node: that hosts it.
        evidence: opaque here; what a reproducer needs to look again.
    """

    kind: str
    accused: PeerId
    node: str
    evidence: str


class Witness(NamedTuple):
    """Who votes: an agent that speaks for its node. Of one node there is one vote."""

    id: PeerId
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one witness has found. Event when heard, and what is published.

    Attributes:
        case: about what.
        finding: `CONFIRMED` or `DENIED`.
        by: whose.
        number: grows with each vote that the witness publishes, also of the same again.
        accuses: it is an accusation: the witness answers for it.
        undecided: the witness has not decided yet, and would like to hear others' votes.
    """

    case: Case
    finding: Finding
    by: Witness
    number: int
    accuses: bool = False
    undecided: bool = True


class Accuse(NamedTuple):
    """Event: this node has seen something itself."""

    case: Case


class Found(NamedTuple):
    """Event: the reproduction that was asked for has ended."""

    case: Case
    finding: Finding


Event = Vote | Accuse | Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a quorum has decided, final for that life of the agent.

    Attributes:
        kind: of the fault.
        agent: who.
        node: that hosts it.
        reason: for people.
        witnesses: the nodes that vouch for it, ordered; more than `faulty`.
    """

    kind: str
    agent: PeerId
    node: str
    reason: str
    witnesses: tuple[str, ...]


class Publish(NamedTuple):
    """Effect: tell everybody."""

    vote: Vote


class Reproduce(NamedTuple):
    """Effect: look again, and tell what was `Found`.

    Attributes:
        case: at what.
        author: the node that asks for it first: what one node asks for must not keep others' waiting.
    """

    case: Case
    author: str


class Convict(NamedTuple):
    """Effect: tell this node's agents."""

    verdict: Verdict


Effect = Publish | Reproduce | Convict
