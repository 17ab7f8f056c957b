"""What people see: the street's day lived in three ways, and each house's bill."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from .books import EURO, FEED_IN, RETAIL
from .day import Day
from .house import House

COLUMNS = ("made", "used", "from neighbours", "from the grid", "to the grid", "lost", "left", "stayed", "own", "bill")


def show(console: Console, days: Mapping[str, Day], fails: str | None) -> None:
    """Prints both tables. `days`: by title."""
    console.print(f"The grid sells at {RETAIL / 100:g} cents a kWh, and buys at {FEED_IN / 100:g}.", highlight=False)
    street = Table(title="The street's day (kWh, euros)", title_justify="left")
    street.add_column("")
    for column in COLUMNS:
        street.add_column(column, justify="right")
    for title, day in days.items():
        books = day.books
        parts = ("made", "used", "bought", "imported", "exported", "lost", "stored")
        kwh = (f"{books.total(part) / 1000:.1f}" for part in parts)
        shares = f"{books.self_consumption:.1%}", f"{books.self_sufficiency:.1%}"
        street.add_row(title, *kwh, *shares, f"{books.total('bill') / EURO:.2f}")
    console.print(street)
    console.print("left: in the batteries at midnight; stayed: of what was made; own: of what was used", style="dim")
    bills = Table(title="Bills (euros; below 0 it is paid)", title_justify="left")
    bills.add_column("")
    bills.add_column("has")
    for title in days:
        bills.add_column(title, justify="right")
    first = next(iter(days.values()))
    for house in first.houses:
        cells = (f"{day.books.accounts[house.name].bill / EURO:.2f}" for day in days.values())
        bills.add_row(house.name, owns(house), *cells, style="red" if house.name == fails else None)
    console.print(bills)
    for day in days.values():
        for name, (step, number) in day.silent.items():
            when = f"{step // 4:02}:{step % 4 * 15:02}, in round {number + 1}"
            console.print(f"{name} fell silent at {when}: {day.lapsed} Wh of orders lapsed", highlight=False)
    console.print("energy and money balance, to the last Wh and the last hundred-thousandth of a cent", style="green")


def owns(house: House) -> str:
    """What it has."""
    if not any(house.made):
        return "no panels"
    return "panels, battery" if house.battery.capacity else "panels"
