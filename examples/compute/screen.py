"""What people see: what became of the providers, of the disputes and of the money."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from .cast import BUYERS, FUNDS, PROVIDERS
from .market import Story
from .primes import BLOCK

COLUMNS = (
    *("asks", "jobs", "blocks", "made up", "found wrong", "paid for", "earned"),
    *("disputes lost", "died", "last job", "trust"),
)


def show(console: Console, story: Story) -> None:
    """Prints the table, and what there is to say about it."""
    table = Table(title="Six providers (blocks, euros)", title_justify="left")
    table.add_column("")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for kind in PROVIDERS:
        account = story.accounts[kind.name]
        counts = (account.jobs, account.units, account.faked, account.refused, account.paid)
        table.add_row(
            kind.name,
            f"{kind.price / 100:.2f}",
            *map(str, counts),
            f"{account.income / 100:.2f}",
            str(account.lost),
            str(account.died),
            "never" if account.last is None else f"round {account.last + 1}",
            f"{account.trust:.1%}",
            style=None if kind.honest else "red",
        )
    console.print(table)
    console.print("trust: of all that the providers have; made up: nobody but this table knows", style="dim")
    say = [
        f"{story.false} deliveries had wrong answers, and a sample of {story.sample} caught {story.lost} of them.",
        f"To be expected were {story.expected:.1f} by 1 - (1 - q)^{story.sample}, {story.exact:.1f} as no answer is "
        "drawn twice.",
        f"{story.wrong} wrong answers were paid for, of {story.answers}: the buyers count {abs(story.off)} primes too "
        f"{'many' if story.off > 0 else 'few'} in {story.answers * BLOCK / 1e6:.1f} million numbers.",
        f"{story.late} offer{'s' * (story.late != 1)} came too late, and was refused."
        if story.late
        else "No offer came too late.",
        f"Of {FUNDS * len(BUYERS) / 100:.2f} euros the buyers have {sum(story.left.values()) / 100:.2f}, the providers "
        f"{sum(account.income for account in story.accounts.values()) / 100:.2f}.",
    ]
    for line in say:
        console.print(line, highlight=False)
    if story.conserved:
        console.print(
            f"the ledger is sound: {len(story.books.transactions)} transactions done again, nothing lost, nothing made",
            style="green",
        )
    for problem in story.books.problems:
        console.print(problem, style="red", highlight=False)
