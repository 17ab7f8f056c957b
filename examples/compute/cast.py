"""Who takes part, and the terms that all know."""

from __future__ import annotations

from dataclasses import dataclass

BUYERS = ("lab-1", "lab-2", "lab-3")
ARBITER, BANK, LEDGER = "arbiter", "bank", "ledger"

UNITS = 20
"""Blocks in one job."""
WORTH = 20
"""What a block is worth to a buyer, in cents: the most that it pays."""
FUNDS = 50_000
"""What a buyer has in the beginning, in cents."""

HOUR_S = 3_600.0
"""A round is an hour of the market's time."""
OFFERS_S, WORK_S, SETTLE_S = 600.0, 1_800.0, 2_700.0
"""When offers, work and settlement end, from the beginning of a round."""


class Clock:
    """The market's time in seconds, which the program puts forward from round to round. Ledger and agreements go by
    it, so that a hold of an hour needs no hour."""

    def __init__(self) -> None:
        self.round = 0

    def __call__(self) -> float:
        """Now."""
        return self.round * HOUR_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What kind of provider it is.

    Attributes:
        name: of the agent, and of its account.
        price: the least that it asks for a block, in cents; up to 2 more, by chance.
        fakes: the share of blocks whose answers it makes up.
        late: the round in which an offer of its comes too late.
        dies: the round from which on it dies in its next job.
        back: how many rounds later it is there again.
    """

    name: str
    price: int
    fakes: float = 0.0
    late: int | None = None
    dies: int | None = None
    back: int = 10

    @property
    def honest(self) -> bool:
        """Whether it does what it says."""
        return self.fakes == 0.0


PROVIDERS = (
    Provider(name="ada", price=10),
    Provider(name="bob", price=11),
    Provider(name="cleo", price=11, dies=18),
    Provider(name="dan", price=12, late=5),
    Provider(name="eve", price=7, fakes=0.25),
    Provider(name="fritz", price=8, fakes=0.1),
)
