"""What people see: who has what of the day, and who earns what."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from .casts import casts
from .day import Day
from .town import MARKUPS, NAMES

COLUMNS = ("jobs", "cost", "at least", "ratio", "paid", "couriers keep", "senders save", "welfare", "of the most")


def show(console: Console, found: Mapping[str, Day]) -> None:
    """Prints both tables. `found`: the mean day of each cast, by its title."""
    shared = Table(title="What a day was good for (euros a day)", title_justify="left")
    shared.add_column("")
    for column in COLUMNS:
        shared.add_column(column, justify="right")
    for title, day in found.items():
        money = (day.cost, day.least, day.paid, day.kept, day.saved, day.welfare)
        cost, least, paid, kept, saved, welfare = (f"{cents / 100:.2f}" for cents in money)
        share = f"{day.welfare / day.best:.1%}"
        shared.add_row(title, f"{day.done:.1f}", cost, least, f"{day.ratio:.3f}", paid, kept, saved, welfare, share)
    console.print(shared)
    earned = Table(title="Who keeps what (euros a day; the jobs it did)", title_justify="left")
    earned.add_column("")
    for name, markup in zip(NAMES, MARKUPS, strict=True):
        earned.add_column(f"{name} +{markup:.0%}", justify="right")
    for cast in casts():
        day = found[cast.title]
        cells = (
            f"[{'dim' if cast.cooperative(number) else 'bold'}]{profit / 100:.2f}[/] ({jobs:.1f})"
            for number, (profit, jobs) in enumerate(zip(day.profits, day.jobs, strict=True))
        )
        earned.add_row(cast.title, *cells)
    console.print(earned)
