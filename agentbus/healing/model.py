"""What healing speaks of: lives, troubles, actions, records. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..peers import PeerId, Standing


@dataclass(frozen=True, slots=True, order=True)
class Life:
    """An agent of a node in one life of that node.

    Attributes:
        agent: its name; empty for all agents of the node.
        node: the node's name.
        epoch: the node's epoch, unique in the fleet.
    """

    agent: str
    node: str
    epoch: int

    @property
    def peer(self) -> PeerId:
        """As others know it."""
        return PeerId(self.agent, self.epoch)

    def __str__(self) -> str:
        return f"{self.agent}@{self.node}/{self.epoch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A fault as it is heard (`agentbus.faults.Fault`).

    Attributes:
        kind: "lying", say.
        life: whose.
        reason: for people.
        witnesses: the nodes that have each found it out by themselves.
        score: how bad, 0 to 1.
        recovered: it is over.
    """

    kind: str
    life: Life
    reason: str = ""
    witnesses: tuple[str, ...] = ()
    score: float = 0.0
    recovered: bool = False

    @property
    def id(self) -> str:
        """Names it, the same on every node."""
        return f"{self.kind}/{self.life}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a rule asks for; it is always about the life that the fault is about.

    Attributes:
        reason: why, for people; added to what the fault says.
    """

    name: ClassVar[str] = ""
    once: ClassVar[bool] = False
    """Whether one node does it for all."""
    takes_out: ClassVar[bool] = False
    """Whether the fleet has one node less to work with while it lasts."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine(Action):
    """Refuse this life for ever: its votes, its words, its work. Each node does it for itself."""

    name = "quarantine"
    takes_out = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart(Action):
    """Ask for a new life, through the `Effector`. One node does it for all."""

    name = "restart"
    once = True
    takes_out = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehost(Action):
    """Say which node takes over, through the `Effector`. One node does it for all.

    Attributes:
        by: ``"hash"``: rendezvous hashing, the same choice wherever it is made; ``"load"``: who has least to do.
    """

    name = "rehost"
    once = True

    by: Literal["hash", "load"] = "hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shed(Action):
    """Spare it a share of its work until the fault is over. Each node does it for itself.

    Attributes:
        share: above 0, at most 1.
    """

    name = "shed"

    share: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Probation(Action):
    """Trust it less for a time. Each node does it for itself.

    Attributes:
        for_s: seconds; None: as the config's formula says, longer with each fault.
    """

    name = "probation"

    for_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejoin(Action):
    """Trust it again, unless it is quarantined. Each node does it for itself."""

    name = "rejoin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One step taken, and why: what the log holds.

    Attributes:
        trouble: the fault behind it.
        action: the action's name, or "none".
        reason: why, for people.
        rule: the rule's name.
        outcome: what came of it.
        latency_s: seconds from the fault's being heard.
        target: the node that takes over.
    """

    trouble: Trouble
    action: str
    reason: str
    rule: str
    outcome: str
    latency_s: float = 0.0
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """How far one life is to be trusted.

    Attributes:
        life: whose.
        standing: how far.
        kind: of the fault behind it.
        reason: for people.
        until_s: when a probation ends, on the machine's clock; None: never.
        shed: the share of its work that it is spared.
        since_s: when the fault was heard.
    """

    life: Life
    standing: Standing
    kind: str
    reason: str = ""
    until_s: float | None = None
    shed: float = 0.0
    since_s: float = 0.0


# -- what a machine is told ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A node is alive, in that life."""

    node: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A node has failed or left, in that life."""

    node: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Another node says what it believes. `by` is known to be alive, and to have said it."""

    belief: Belief
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """Another node says that it has taken a step that is taken once. `by` is known to be alive, and to have said it."""

    fault: str
    action: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """The effector has done, or failed to do, what it was asked for."""

    perform: Perform
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed."""


Event = Trouble | Arrived | Gone | Told | Announced | Performed | Tick


# -- what a machine asks for -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Perform:
    """Through the effector: `Restart` or `Rehost`."""

    trouble: Trouble
    action: Restart | Rehost
    rule: str
    heard_s: float
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Tell all nodes what this one has come to believe."""

    belief: Belief


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Write it down, and let others know."""

    record: Record


Effect = Perform | Tell | Log
