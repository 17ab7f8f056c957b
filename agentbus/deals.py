"""What a buyer is told of a job that was done. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from google.protobuf.message import Message

from .errors import AgentBusError

R = TypeVar("R", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner(Generic[R]):
    """Who did a job.

    Attributes:
        agent: the name of who won it.
        by: of who has done it: the same, unless the winner was busy and offered it once more.
        bid: what it asked for.
        price: by the award rule.
        payment: what it is to get, by the weight of its policy; less what offering it once more has saved its buyer.
        result: what it returned.
    """

    agent: str
    by: str
    bid: float
    price: float
    payment: float
    result: R


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal(Generic[R]):
    """How a job was done.

    Attributes:
        job: its id, for ``agentbus why``.
        winners: who did it, the best bid first: one, unless the award rule was `every`.
        bidders: how many answered.
        refusals: whose answer was no bid that counts, and why.
        failures: which winners failed before it was done, and how.
    """

    job: str
    winners: tuple[Winner[R], ...]
    bidders: int
    refusals: Mapping[str, AgentBusError] = field(default_factory=dict[str, AgentBusError])
    failures: Mapping[str, AgentBusError] = field(default_factory=dict[str, AgentBusError])

    @property
    def result(self) -> R:
        """What the best of the winners returned."""
        return self.winners[0].result
