"""What is measured of agents, and what is suspected of them: frozen values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from ...faults import SLOW
from ...peers import PeerId

LATENCY = "latency"
"""Mean seconds that an agent's handlers took."""
ERRORS = "errors"
"""The share of its messages that an agent did not handle well."""
QUEUE = "queue"
"""Messages that wait in its mailboxes."""
REPLY = "reply"
"""Seconds until a node answered a probe, as the observer saw it."""
LAG = "lag"
"""Seconds by which a node's event loop is late."""
SILENCE = "silence"
"""Nothing heard of a node though it is believed alive."""


class Measured(NamedTuple):
    """One number of one agent, as one observer knows it.

    Attributes:
        agent: whose.
        node: that hosts it.
        measure: what was measured. Larger is worse.
        value: the number, in the measure's unit.
        group: agents of one group do alike work, and are compared with one another.
        kind: of the fault that too large a value is.
        floor: values below are never abnormal, in the measure's unit.
    """

    agent: PeerId
    node: str
    measure: str
    value: float
    group: str = ""
    kind: str = SLOW
    floor: float = 0.0


class Load(NamedTuple):
    """What a node tells of one of its agents.

    Attributes:
        agent: its name.
        group: agents with the same behaviors are of one group.
        latency_s: mean seconds a message took since the report before; below 0: it handled none.
        error_rate: the share that was not handled well; below 0: there was none.
        queued: messages that wait.
    """

    agent: str
    group: str
    latency_s: float
    error_rate: float
    queued: int


class Suspicion(NamedTuple):
    """An agent that is abnormal in this node's eyes, and has been for a while."""

    kind: str
    agent: PeerId
    node: str
    measure: str


class Gauges(Protocol):
    """What an application measures of agents beside what is measured anyway: backlogs, say. Best effort."""

    def measured(self) -> Iterable[Measured]:
        """The numbers of this moment, of agents anywhere. Called once a report; must not wait."""
        ...
