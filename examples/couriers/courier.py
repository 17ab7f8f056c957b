"""A courier: an agent that says what a job would cost it, and does it when it gets it.

What it asks for is the business of its policy, which is the decorator of `deliver`, and nothing else differs.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from agentbus import Agent, Context
from agentbus.negotiation import Terms
from agentbus.policies import Past, Policy, Strategy

from .town import LIMIT, Rider
from .v1.couriers_pb2 import Delivery, Receipt

Deliver = Callable[[Any, Delivery, Context], Coroutine[Any, Any, Receipt]]
Decorator = Callable[[Deliver], Policy[Delivery, Receipt]]
"""`cooperative(Delivery, Receipt)`, `competitive(...)` or `hybrid(...)`."""


class Courier(Agent):
    """Keeps its own books.

    Args:
        rider: its depot and rate.
        limit: jobs that it does at most.
    """

    def __init__(self, rider: Rider, limit: int = LIMIT) -> None:
        self.rider = rider
        self.limit = limit
        self.done: list[int] = []
        self.spent = 0
        self.income = 0.0

    @property
    def profit(self) -> float:
        """What is left to it, in cents."""
        return self.income - self.spent

    def fare(self, job: Delivery) -> float | None:
        """What a job would cost it, in cents; None: it is tired."""
        return float(self.rider.cost(job)) if len(self.done) < self.limit else None

    def note(self, job: Delivery, payment: float) -> None:
        """Writes a job into its books."""
        self.done.append(job.number)
        self.spent += self.rider.cost(job)
        self.income += payment


def hired(policy: Decorator) -> type[Courier]:
    """The couriers of a policy."""

    class Hired(Courier):
        @policy
        async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
            """Brings it."""
            assert ctx.contract is not None
            self.note(job, ctx.contract.payment)
            return Receipt(number=job.number, courier=ctx.me)

        @deliver.cost
        def cost(self, job: Delivery) -> float | None:
            """What it costs, or None."""
            return self.fare(job)

    return Hired


def asking(markup: float) -> Strategy:
    """A strategy: the cost and a share of it; but the cost alone where the price is made of others' bids."""

    def strategy(cost: float, terms: Terms, history: Sequence[Past], /) -> float:
        return cost if terms.second_price else cost * (1 + markup)

    return strategy
