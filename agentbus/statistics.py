"""What nodes, agents and behaviors count. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """What one behavior has seen since its agent was added; restarts do not reset it.

    Attributes:
        received: messages taken into the mailbox.
        handled: messages whose handler returned.
        failed: messages whose handler raised.
        refused: messages whose handler raised an error of agentbus's own, on purpose or passed on.
        expired: requests whose requester had stopped waiting before, or while, they were handled.
        dropped: messages that the mailbox had no room for, that their sender's rate refused, or that were left at the
            stop.
        malformed: payloads that could not be parsed.
        dead_lettered: durable events given up.
        limited: of the dropped, those that their sender may not send, by its rate.
        busy_s: seconds spent in handlers, their waits included.
        last_error: the last failure, as text.
    """

    received: int = 0
    handled: int = 0
    failed: int = 0
    refused: int = 0
    expired: int = 0
    dropped: int = 0
    malformed: int = 0
    dead_lettered: int = 0
    busy_s: float = 0.0
    last_error: str = ""
    limited: int = 0

    @property
    def errors(self) -> int:
        """All that was not handled well."""
        return self.failed + self.refused + self.malformed

    def copy(self) -> Counters:
        """The counts of this moment."""
        return Counters(
            self.received,
            self.handled,
            self.failed,
            self.refused,
            self.expired,
            self.dropped,
            self.malformed,
            self.dead_lettered,
            self.busy_s,
            self.last_error,
            self.limited,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatistics:
    """One agent's counts. `behaviors` by the method's name; `queued` messages wait in its mailboxes."""

    name: str
    state: str
    restarts: int
    queued: int
    behaviors: dict[str, Counters] = field(default_factory=dict[str, Counters])


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatistics:
    """One node's counts.

    Attributes:
        frames_sent, frames_received, messages_sent, malformed, lost: see `bus.BusCounters`.
        unhandled: messages for an agent that has no behavior for their type.
        coalesced: messages that came to a queue group several to a frame, and were shared among its members here.
        open_calls: requests that wait for an answer now.
        agents: by name.
    """

    name: str
    realm: str
    connected: bool
    frames_sent: int
    frames_received: int
    messages_sent: int
    malformed: int
    lost: int
    unhandled: int
    coalesced: int
    open_calls: int
    agents: dict[str, AgentStatistics] = field(default_factory=dict[str, AgentStatistics])
