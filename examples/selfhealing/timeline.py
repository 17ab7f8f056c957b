"""What happened, in order: the events of a run, and what follows from them for each fault. Pure.

A timeline knows what somebody outside saw: what each agent's node believed and did, what stood in the shards' logs,
what the demo did to the processes. `outcome` says what it means. Times are seconds since the run began.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class What(Enum):
    """What an event tells. `who` did it or came to know it, `about` whom."""

    STARTED = "started"  # the process of `who`
    UP = "up"  # `who` is hosted and at work
    ENDED = "ended"  # the process of `who`
    LINK_LOST = "link lost"  # `who` has no broker
    LINK_BACK = "link back"
    FENCED = "fenced"  # `who` found that a shard is another's
    REFUSED = "refused"  # the server refused a write of `who`
    SUSPECTED = "suspected"  # `who` suspects `about`
    FAILED = "failed"  # `who` believes that `about` has failed
    JOINED = "joined"  # `who` believes that `about` is there
    LEFT = "left"
    CONVICTED = "convicted"  # `who` knows of a quorum's verdict on `about`; `text` is its kind
    CLEARED = "cleared"  # ... that it is over
    ACTED = "acted"  # `who` did something about `about`: `text`
    CLAIMED = "claimed"  # `who` has claimed `shard`; `records` were made void
    COMMITTED = "committed"  # `who` has committed `records` of `shard`
    BROKER_DOWN = "broker down"
    BROKER_UP = "broker up"
    INJECTED = "fault"  # the demo did `text` to `about`
    LIFTED = "lifted"  # ... and has ended it


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    Attributes:
        at_s: seconds since the run began.
        what: what.
        who, about: names of nodes, or of brokers; empty: nobody.
        shard: number; -1: none.
        records: how many it concerns.
        right: for a commit, whether all of its scores are the plain loop's.
        text: for people; for a verdict its kind.
    """

    at_s: float
    what: What
    who: str = ""
    about: str = ""
    shard: int = -1
    records: int = 0
    right: bool = True
    text: str = ""

    def sentence(self) -> str:
        """What happened, for people."""
        shard = f"shard {self.shard}"
        match self.what:
            case What.CLAIMED:
                void = f", {self.records:,} records are void and done again" if self.records else ""
                return f"{self.who} holds {shard}{void}"
            case What.COMMITTED:
                return f"{self.who} commits {self.records} records of {shard}{'' if self.right else ', WRONG'}"
            case What.FAILED | What.SUSPECTED | What.JOINED | What.LEFT:
                return f"{self.who}: {self.about} {self.what.value}"
            case What.CONVICTED | What.CLEARED:
                word = "is" if self.what is What.CONVICTED else "is no longer"
                return f"{self.who}: {self.about} {word} {self.text}"
            case What.ACTED:
                return f"{self.who}: {self.text} {self.about}"
            case What.FENCED:
                return f"{self.who} finds itself fenced from {shard}"
            case What.REFUSED:
                return f"the server refuses a write of {self.who} to {shard}"
            case What.INJECTED:
                return f"FAULT {self.text}: {self.about}"
            case What.LIFTED:
                return f"{self.text} of {self.about} is over"
            case What.BROKER_DOWN | What.BROKER_UP:
                return f"{self.about} is {self.what.value.removeprefix('broker ')}"
            case _:
                return f"{self.who}: {self.what.value}{f' ({self.text})' if self.text else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A fault that the demo has made.

    Attributes:
        kind: its name, as on the command line.
        at_s: when.
        victims: the nodes, or the broker, that it was done to.
        shards: those that the victims held; all, if it was done to a broker.
        lifted_s: when the demo ended it; None: not yet, or it can't be.
    """

    kind: str
    at_s: float
    victims: tuple[str, ...]
    shards: tuple[int, ...]
    lifted_s: float | None = None


class Timeline:
    """The events of one run, in order of time.

    Args:
        nodes: the agents' nodes.

    Attributes:
        events: all so far.
        faults: all so far.
    """

    def __init__(self, nodes: Sequence[str]) -> None:
        self.nodes = tuple(nodes)
        self.events: list[Event] = []
        self.faults: list[Injection] = []

    def add(self, event: Event) -> None:
        """Notes one more; it is not before the last."""
        self.events.append(event)

    def window(self, fault: Injection) -> Sequence[Event]:
        """The events from a fault on, up to the next one."""
        index = self.faults.index(fault)
        later = self.faults[index + 1 : index + 2]
        first = bisect_left(self.events, fault.at_s, key=_at_s)
        last = bisect_left(self.events, later[0].at_s, key=_at_s) if later else len(self.events)
        return self.events[first:last]


def _at_s(event: Event) -> float:
    return event.at_s
