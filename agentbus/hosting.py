"""What a cell asks of the node that hosts it."""

from __future__ import annotations

import random
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from .agent import Agent
from .approvals import ApprovalDesk
from .errors import AgentStopped
from .intake import Realm
from .middleware import Middleware
from .peers import Electorate, PeerView
from .reporting import Reporting
from .statistics import NodeStatistics


class Hosting(Realm, Protocol):
    """The node's side of a cell."""

    name: str
    epoch: int
    middleware: tuple[Middleware, ...]
    reporting: Reporting

    @property
    def log(self) -> FilteringBoundLogger: ...
    @property
    def peers(self) -> PeerView: ...
    @property
    def electorate(self) -> Electorate | None: ...
    @property
    def approvals(self) -> ApprovalDesk | None: ...
    def statistics(self) -> NodeStatistics:
        """The node's counts."""
        ...

    def adopt(self, agent: Agent) -> None:
        """Told of each instance before it starts."""
        ...

    def make_rng(self, name: str) -> random.Random:
        """A source of chance for the agent of that name."""
        ...

    def agent_ended(self, agent: str, error: AgentStopped | None, escalate: bool) -> None:
        """Supervision gave the agent up."""
        ...
