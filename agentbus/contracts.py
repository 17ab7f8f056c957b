"""A contract as its winner sees it, and its state while it is under way. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from .negotiation import Terms


class Contract(NamedTuple):
    """An award as its winner sees it: ``ctx.contract``.

    Attributes:
        job: its id, for ``agentbus why``.
        buyer: who called.
        bid: what this agent asked for.
        cost: what the job costs it by itself.
        price: by the award rule.
        payment: what it gets, by its weight.
    """

    job: str
    buyer: str
    terms: Terms
    bid: float
    cost: float
    price: float
    payment: float


@dataclass(slots=True)
class Engagement:
    """A contract under way at its winner.

    Attributes:
        cancelled: the buyer wants it no longer.
        ended: it is done, failed or given up.
        kept: the winner does it itself.
        stop: ends its handler, while that runs.
    """

    contract: Contract
    cancelled: bool = False
    ended: bool = False
    kept: bool = False
    stop: Callable[[], None] | None = None

    def cancel(self) -> None:
        """Ends it, or lets it not begin."""
        self.cancelled = True
        if self.stop is not None:
            self.stop()

    def begin(self, stop: Callable[[], None], *, late: bool) -> bool:
        """Its handler is about to run. False: it is over, cancelled or `late`."""
        if late or self.cancelled:
            self.end()
            return False
        self.stop = stop
        return True

    def end(self) -> None:
        """It is over."""
        self.ended = True
        self.stop = None
