"""One day: forty jobs come up one after the other, and each is delegated to whoever asks for the least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from agentbus import Node
from agentbus.errors import NoBids

from .casts import Cast
from .courier import hired
from .optimum import least_cost
from .town import LIMIT, Order, Rider, costs
from .v1.couriers_pb2 import Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How a day went, or some days on average; in cents.

    Attributes:
        done: jobs that were done.
        value: what they were worth to who sent them.
        cost: what they cost the couriers.
        paid: what the couriers were paid.
        least: what the same jobs would have cost at least.
        best: the greatest welfare that there was to have.
        profits: what each courier keeps.
        jobs: how many each did.
    """

    done: float
    value: float
    cost: float
    paid: float
    least: float
    best: float
    profits: tuple[float, ...]
    jobs: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """What the jobs cost, to what they would have cost at least."""
        return self.cost / self.least if self.least else 1.0

    @property
    def saved(self) -> float:
        """What is left to those who sent: value less payment."""
        return self.value - self.paid

    @property
    def kept(self) -> float:
        """What is left to the couriers: payment less cost."""
        return self.paid - self.cost

    @property
    def welfare(self) -> float:
        """What the day was good for, whoever has it: value less cost."""
        return self.value - self.cost


async def live(
    riders: Sequence[Rider], orders: Sequence[Order], cast: Cast, best: float, url: str, *, limit: int = LIMIT
) -> Day:
    """Lives through a day, on a node of its own.

    Args:
        best: the greatest welfare that there is to have.
        limit: jobs that a courier does at most.
    """
    couriers = [hired(cast.policy(number, rider))(rider, limit) for number, rider in enumerate(riders)]
    done: list[Order] = []
    paid = 0.0
    async with Node(url, realm="couriers", agents={courier.rider.name: courier for courier in couriers}) as node:
        for order in orders:
            try:
                deal = await node.negotiate(order.job, Receipt, award=cast.award, value=order.value)
            except NoBids:
                continue  # nobody would do it for what it is worth
            done.append(order)
            paid += deal.winners[0].payment
    return Day(
        done=len(done),
        value=sum(order.value for order in done),
        cost=sum(courier.spent for courier in couriers),
        paid=paid,
        least=least_cost(costs(riders, done), limit),
        best=best,
        profits=tuple(courier.profit for courier in couriers),
        jobs=tuple(len(courier.done) for courier in couriers),
    )


def average(days: Sequence[Day]) -> Day:
    """The mean day."""
    return Day(
        done=mean(day.done for day in days),
        value=mean(day.value for day in days),
        cost=mean(day.cost for day in days),
        paid=mean(day.paid for day in days),
        least=mean(day.least for day in days),
        best=mean(day.best for day in days),
        profits=tuple(map(mean, zip(*(day.profits for day in days), strict=True))),
        jobs=tuple(map(mean, zip(*(day.jobs for day in days), strict=True))),
    )
