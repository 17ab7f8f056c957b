"""Where all that is seen comes together: the timeline, with a clock, for those who wait for something to happen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from .lanes import State, turn
from .timeline import Event, Injection, Timeline, What

LOOK_S = 0.1
"""Seconds between two looks of who waits for something that no event tells."""

FENCED = ("has it", "it is gone", "ended")
"""How a worker's reasons end for putting down a shard that it would have kept."""


class Screen(Protocol):
    """Where events are shown."""

    def show(self, recorder: Recorder, event: Event) -> None:
        """One more has happened."""
        ...


class Recorder:
    """The record of a run.

    Args:
        nodes: the agents' nodes.
        screen: told of each event.

    Attributes:
        timeline: what happened.
        states: what each agent is in now.
        closed: the run is over: what its end looks like is not noted.
    """

    def __init__(self, nodes: tuple[str, ...], screen: Screen) -> None:
        self.timeline = Timeline(nodes)
        self._screen = screen
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._holders: dict[int, str] = {}
        self.closed = False
        self.states = dict.fromkeys(nodes, State.DOWN)

    def now(self) -> float:
        """Seconds since the run began."""
        return self._loop.time() - self._began_s

    @property
    def holders(self) -> Mapping[int, str]:
        """Who claimed each shard last."""
        return self._holders

    def add(self, what: What, **facts: Any) -> None:
        """Notes that something has happened now."""
        if self.closed:
            return
        event = Event(at_s=self.now(), what=what, **facts)
        if what is What.CLAIMED:
            self._holders[event.shard] = event.who
        for node in {event.who, event.about} & self.states.keys():
            self.states[node] = turn(self.states[node], event, node) or self.states[node]
        self.timeline.add(event)
        self._screen.show(self, event)

    def inject(self, fault: Injection) -> None:
        """Notes a fault that begins now."""
        self.timeline.faults.append(fault)
        for victim in fault.victims:
            self.add(What.INJECTED, about=victim, text=fault.kind)

    def lift(self, fault: Injection) -> Injection:
        """Notes that the demo has ended a fault; returns it as it is now."""
        place = self.timeline.faults.index(fault)
        lifted = self.timeline.faults[place] = replace(fault, lifted_s=self.now())
        for victim in fault.victims:
            self.add(What.LIFTED, about=victim, text=fault.kind)
        return lifted

    def hear(self, name: str, facts: Mapping[str, Any]) -> None:
        """A process has told something, or of a process."""
        match facts["word"]:
            case "started":
                self.add(What.STARTED, who=name)
            case "ended":
                self.add(What.ENDED, who=name, text=_status(int(facts["status"])))
            case "up":
                self.add(What.UP, who=name)
            case "link":
                self.add(What.LINK_BACK if facts["connected"] else What.LINK_LOST, who=name)
            case "refused":
                self.add(What.REFUSED, who=name, shard=int(facts["shard"]))
            case "put down" if str(facts["reason"]).endswith(FENCED):
                self.add(What.FENCED, who=name, shard=int(facts["shard"]), text=str(facts["reason"]))
            case _:
                pass

    async def until(self, condition: Callable[[], object], timeout_s: float) -> bool:
        """Whether something becomes so within so many seconds."""
        until_s = self._loop.time() + timeout_s
        while not condition():
            if self._loop.time() >= until_s:
                return False
            await asyncio.sleep(LOOK_S)
        return True


def _status(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"
