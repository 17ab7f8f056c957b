"""What each agent was in at each time: the lanes of the picture, and the states on the screen. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from .timeline import Event, Timeline, What


class State(Enum):
    """What an agent is in."""

    STARTING = "starting"
    WELL = "well"
    STOPPED = "stopped"
    CUT = "cut off"
    LYING = "lying"
    SLOW = "slow"
    QUARANTINED = "quarantined"
    PROBATION = "on probation"
    DOWN = "down"


BY_FAULT = {"stop": State.STOPPED, "partition": State.CUT, "lie": State.LYING, "slow": State.SLOW}

NOT_DONE = ("(waits", "(refused:", "(failed", "(dry run", "(given up")
"""What healing says of an action that it has not taken."""


@dataclass(frozen=True, slots=True)
class Span:
    """A state, from when to when, in seconds since the run began."""

    state: State
    from_s: float
    until_s: float


def spans(timeline: Timeline, node: str, now_s: float) -> list[Span]:
    """The states of a node from its first start until `now_s`."""
    found: list[Span] = []
    state: State | None = None
    since_s = 0.0
    for event in timeline.events:
        turned = turn(state, event, node)
        if turned is None or turned is state:
            continue
        if state is not None:
            found.append(Span(state, since_s, event.at_s))
        state, since_s = turned, event.at_s
    if state is not None:
        found.append(Span(state, since_s, now_s))
    return found


def turn(state: State | None, event: Event, node: str) -> State | None:
    """The state after an event; None for one that changes nothing."""
    match event.what:
        case What.STARTED if event.who == node:
            return State.STARTING
        case What.ENDED if event.who == node:
            return State.DOWN
        case What.UP if event.who == node:
            return State.WELL
        case What.INJECTED if event.about == node:
            return BY_FAULT.get(event.text)
        case What.LIFTED if event.about == node and state in (State.STOPPED, State.CUT):
            return State.WELL
        case What.ACTED if event.about == node:
            return _acted(state, event.text)
        case _:
            return None


def _acted(state: State | None, action: str) -> State | None:
    if state in (State.DOWN, State.STARTING) or any(word in action for word in NOT_DONE):
        return None
    if action.startswith("quarantine"):
        return State.QUARANTINED
    if action.startswith("probation"):
        return State.PROBATION
    if action.startswith("rejoin") and state in (State.PROBATION, State.QUARANTINED):
        return State.WELL
    return None


def rates(events: Sequence[Event], node: str, bins: int, width_s: float) -> list[tuple[int, int]]:
    """Records that a node committed in each of `bins` intervals of `width_s` seconds: all, and wrong ones."""
    counts = [[0, 0] for _ in range(bins)]
    for event in events:
        if event.what is What.COMMITTED and node in ("", event.who):
            place = counts[min(bins - 1, int(event.at_s / width_s))]
            place[0] += event.records
            place[1] += 0 if event.right else event.records
    return [(every, wrong) for every, wrong in counts]
