"""The books: what each house bought and sold, from whom and for how much, and whether it all adds up. Pure.

Energy is in Wh and prices are in hundredths of a cent a kWh, so money is in hundred-thousandths of a cent: `EURO` of
them are a euro. All are whole numbers; nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .house import House
from .sky import STEPS

RETAIL, FEED_IN = 3_500, 800
"""What the grid asks, and what it pays: 35 and 8 cents a kWh, about what households in Germany saw in 2024."""
EURO = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """Two neighbours have traded, in a step."""

    step: int
    seller: str
    buyer: str
    price: int
    quantity: int


@dataclass(slots=True, kw_only=True)
class Account:
    """Of a house, for the day: Wh and money. `bill`: what it pays; below 0: what it gets."""

    made: int = 0
    used: int = 0
    lost: int = 0
    stored: int = 0
    bought: int = 0
    sold: int = 0
    imported: int = 0
    exported: int = 0
    bill: int = 0


class Unbalanced(Exception):
    """Something was lost, or came from nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Of a day.

    Attributes:
        accounts: by house.
        grid: what the grid got for what it gave, less what it paid.
        imports, exports, traded: Wh in each step, of all together.
        prices: mean of each step's trades, or None.
    """

    accounts: dict[str, Account]
    grid: int
    imports: tuple[int, ...]
    exports: tuple[int, ...]
    traded: tuple[int, ...]
    prices: tuple[float | None, ...]

    def total(self, what: str) -> int:
        """The sum of all accounts' attribute of that name."""
        return sum(getattr(account, what) for account in self.accounts.values())

    @property
    def self_consumption(self) -> float:
        """The share of what the roofs made that stayed in the street, losses of batteries included."""
        return 1 - self.total("exported") / self.total("made")

    @property
    def self_sufficiency(self) -> float:
        """The share of what was used that did not come from the grid."""
        return 1 - self.total("imported") / self.total("used")

    def check(self) -> None:
        """Raises `Unbalanced` unless each Wh and each hundred-thousandth of a cent has come from somewhere and gone
        somewhere."""
        for name, each in self.accounts.items():
            came = each.made + each.bought + each.imported
            went = each.used + each.lost + each.stored + each.sold + each.exported
            if came != went:
                raise Unbalanced(f"{name}: {came} Wh came, {went} Wh went")
        if self.total("bought") != self.total("sold"):
            raise Unbalanced(f"{self.total('bought')} Wh were bought, {self.total('sold')} Wh were sold")
        if self.total("bill") != self.grid:
            raise Unbalanced(f"houses paid {self.total('bill')}, and the grid got {self.grid}")


def closed(houses: Sequence[House], deals: Iterable[Deal]) -> Books:
    """The books of a day that is over: what was not traded has gone through the grid."""
    deals = tuple(deals)
    accounts = {house.name: Account(stored=house.battery.stored) for house in houses}
    net: dict[tuple[str, int], int] = {}
    for house in houses:
        account = accounts[house.name]
        for step, reading in enumerate(house.readings):
            net[house.name, step] = reading.balance
            account.made += reading.made
            account.used += reading.used
            account.lost += reading.lost
    traded = [0] * STEPS
    paid = [0] * STEPS
    for deal in deals:
        money = deal.price * deal.quantity
        for name, sign in ((deal.seller, -1), (deal.buyer, 1)):
            net[name, deal.step] += sign * deal.quantity
            accounts[name].bill += sign * money
        accounts[deal.seller].sold += deal.quantity
        accounts[deal.buyer].bought += deal.quantity
        traded[deal.step] += deal.quantity
        paid[deal.step] += money
    imports, exports = [0] * STEPS, [0] * STEPS
    grid = 0
    for (name, step), left in net.items():
        account = accounts[name]
        money = -left * (FEED_IN if left > 0 else RETAIL)
        account.imported += max(0, -left)
        account.exported += max(0, left)
        account.bill += money
        imports[step] += max(0, -left)
        exports[step] += max(0, left)
        grid += money
    return Books(
        accounts=accounts,
        grid=grid,
        imports=tuple(imports),
        exports=tuple(exports),
        traded=tuple(traded),
        prices=tuple(money / wh if wh else None for money, wh in zip(paid, traded, strict=True)),
    )
