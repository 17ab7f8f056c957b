"""The picture: a row for each cast, with what the day was good for, and who keeps what. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ..paper import FAINT, GRID, INK, ORANGE, RED, SKY, Paper
from .casts import casts
from .day import Day
from .town import MARKUPS, NAMES

WIDTH, TOP, ROW = 1180.0, 104.0, 36.0
BAR, BAR_WIDTH, CELL, CELL_WIDTH = 196.0, 330.0, 664.0, 63.0


def draw(found: Mapping[str, Day], about: str) -> str:
    """The SVG of the mean days of all casts, by title. `about`: which days they are."""
    bottom = TOP + ROW * len(casts())
    paper = Paper(WIDTH, bottom + 58, "what a day of forty jobs was good for under each policy, and who keeps what")
    best = max(day.best for day in found.values())
    scale = BAR_WIDTH / best
    most = max(1.0, *(profit for day in found.values() for profit in day.profits))
    _head(paper, best, scale, bottom, about)
    for number, cast in enumerate(casts()):
        _row(paper, TOP + ROW * number, found[cast.title], cast.title, scale)
        day = found[cast.title]
        for courier, (profit, jobs) in enumerate(zip(day.profits, day.jobs, strict=True)):
            x, y = CELL + CELL_WIDTH * courier, TOP + ROW * number
            fill, share = (GRID, 0.5) if cast.cooperative(courier) else (ORANGE, 0.08 + 0.92 * profit / most)
            paper.box(x + 1, y + 2, CELL_WIDTH - 2, ROW - 4, fill, opacity=round(share, 3))
            paper.text(x + CELL_WIDTH / 2, y + 17, f"{profit / 100:.2f}", anchor="middle")
            paper.text(x + CELL_WIDTH / 2, y + 29, f"{jobs:.1f} jobs", anchor="middle", size=9.5)
    return paper.svg()


def _head(paper: Paper, best: float, scale: float, bottom: float, about: str) -> None:
    paper.text(16, 26, "Forty jobs, eight couriers: what the day was good for, and who keeps it", size=15, bold=True)
    paper.text(16, 44, about, fill=FAINT)
    paper.text(BAR, 68, "welfare: value of the jobs done, less their cost", bold=True)
    paper.box(BAR, 78, 11, 11, SKY)
    paper.text(BAR + 16, 88, "senders save")
    paper.box(BAR + 108, 78, 11, 11, ORANGE)
    paper.text(BAR + 123, 88, "couriers keep")
    paper.line((BAR + 216, 84), (BAR + 236, 84), RED, width=2, dash="5 3")
    paper.text(BAR + 241, 88, "the most there is")
    paper.text(570, 68, "jobs", anchor="middle", bold=True)
    paper.text(570, 88, "done", anchor="middle", bold=True)
    paper.text(622, 68, "cost to", anchor="middle", bold=True)
    paper.text(622, 88, "least", anchor="middle", bold=True)
    paper.text(CELL, 68, "who keeps what, euros a day (grey: cooperative, is paid its cost)", bold=True)
    for courier, (name, markup) in enumerate(zip(NAMES, MARKUPS, strict=True)):
        x = CELL + CELL_WIDTH * (courier + 0.5)
        paper.text(x, 86, name, anchor="middle", size=11)
        paper.text(x, 99, f"+{markup:.0%}", anchor="middle", size=10, fill=FAINT)
    for euros in range(0, int(best / 100) + 1, 50):
        x = BAR + 100 * euros * scale
        paper.line((x, TOP), (x, bottom + 4))
        paper.text(x, bottom + 18, f"{euros}", anchor="middle", fill=FAINT)
    paper.line((BAR + best * scale, TOP - 6), (BAR + best * scale, bottom + 4), RED, width=2, dash="5 3")
    paper.text(BAR + BAR_WIDTH / 2, bottom + 38, "euros a day", anchor="middle", fill=FAINT)
    paper.text(CELL, bottom + 18, "+10%: the share of its cost that a courier adds when it competes.", fill=FAINT)
    paper.text(
        CELL,
        bottom + 38,
        "Cost to least: to what the same jobs cost at least, no courier doing more than eight.",
        fill=FAINT,
    )


def _row(paper: Paper, y: float, day: Day, title: str, scale: float) -> None:
    paper.text(BAR - 10, y + 22, title, anchor="end", fill=INK)
    paper.box(BAR, y + 6, day.saved * scale, ROW - 12, SKY)
    paper.box(BAR + day.saved * scale, y + 6, day.kept * scale, ROW - 12, ORANGE)
    paper.text(BAR + 6, y + 22, f"{day.welfare / day.best:.1%} of the most", size=11)
    paper.text(570, y + 22, f"{day.done:.1f}", anchor="middle")
    paper.text(622, y + 22, f"{day.ratio:.3f}", anchor="middle")
