"""Who works on a day: the same eight couriers, under one policy or a mixture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentbus import competitive, cooperative, hybrid, lowest_bid, second_price
from agentbus.awards import AwardRule

from .courier import Decorator, asking
from .town import Rider
from .v1.couriers_pb2 import Delivery, Receipt


def helps(rider: Rider) -> Decorator:
    """Asks for its cost, and is paid that."""
    return cooperative(Delivery, Receipt)


def competes(rider: Rider) -> Decorator:
    """Asks for its cost and its markup."""
    return competitive(Delivery, Receipt, strategy=asking(rider.markup))


def between(weight: float) -> Callable[[Rider], Decorator]:
    """Asks for its cost and a share of its markup."""
    return lambda rider: hybrid(Delivery, Receipt, weight=weight, strategy=asking(rider.markup))


def learns(rider: Rider) -> Decorator:
    """Competes with the library's default strategy, whose markup follows the market."""
    return competitive(Delivery, Receipt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """A name, the policy of each courier (of the first, the second, and round again), and who gets a job."""

    title: str
    policies: tuple[Callable[[Rider], Decorator], ...]
    award: AwardRule

    def policy(self, number: int, rider: Rider) -> Decorator:
        """The policy of a courier."""
        return self.policies[number % len(self.policies)](rider)

    def cooperative(self, number: int) -> bool:
        """Whether a courier is."""
        return self.policies[number % len(self.policies)] is helps


def casts() -> tuple[Cast, ...]:
    """From all for one to each for itself; the last two compete in other ways."""
    low = lowest_bid()
    return (
        Cast(title="all cooperative", policies=(helps,), award=low),
        Cast(title="emil competes, seven help", policies=(*[helps] * 4, competes, *[helps] * 3), award=low),
        Cast(title="half and half", policies=(competes, helps), award=low),
        Cast(title="emil helps, seven compete", policies=(*[competes] * 4, helps, *[competes] * 3), award=low),
        Cast(title="hybrid, weight 0.25", policies=(between(0.25),), award=low),
        Cast(title="hybrid, weight 0.5", policies=(between(0.5),), award=low),
        Cast(title="hybrid, weight 0.75", policies=(between(0.75),), award=low),
        Cast(title="all competitive", policies=(competes,), award=low),
        Cast(title="competitive, who learn", policies=(learns,), award=low),
        Cast(title="competitive, second price", policies=(competes,), award=second_price()),
    )
