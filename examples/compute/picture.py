"""The picture: the providers' trust over the rounds, and under it who had which work and what became of it. Pure."""

from __future__ import annotations

from agentbus.market.agreements import AgreementState

from ..paper import BLUE, FAINT, GREEN, GRID, INK, ORANGE, PURPLE, RED, SKY, Paper
from .cast import PROVIDERS
from .market import Deal, Story

WIDTH, HEIGHT = 1180.0, 640.0
LEFT, RIGHT = 150.0, 860.0
TOP, BOTTOM = 100.0, 310.0
LANES, LANE = 366.0, 36.0
NUMBERS = (920.0, 985.0, 1050.0, 1120.0)
COLOURS = dict(zip((kind.name for kind in PROVIDERS), (BLUE, SKY, GREEN, PURPLE, RED, ORANGE), strict=True))
DASHES = {"eve": "7 3", "fritz": "3 3"}
PAID, WRONG, CAUGHT, DIED = "#a7d3c4", "#f3c98b", RED, INK


def draw(story: Story, about: str) -> str:
    """The SVG. `about`: which run it is."""
    paper = Paper(WIDTH, HEIGHT, "the trust and the work of six providers of compute, two of whom cheat")
    paper.text(16, 26, "Six providers of compute, two of whom cheat: trust, work and disputes", size=15, bold=True)
    paper.text(16, 44, about, fill=FAINT)
    _trust(paper, story)
    _lanes(paper, story)
    return paper.svg()


def _x(story: Story, number: float) -> float:
    return LEFT + (RIGHT - LEFT) * number / story.rounds


def _trust(paper: Paper, story: Story) -> None:
    high = max(0.1, *(share for each in story.trust.values() for share in each))

    def y(share: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * share / high

    paper.text(LEFT, TOP - 16, "trust after each round: of all that the providers have, the share", bold=True)
    for percent in range(0, int(100 * high) + 1, 20 if high > 0.5 else 10):
        paper.line((LEFT, y(percent / 100)), (RIGHT, y(percent / 100)))
        paper.text(LEFT - 8, y(percent / 100) + 4, f"{percent} %", anchor="end", fill=FAINT, size=11)
    for kind in PROVIDERS:
        shares = story.trust[kind.name]
        points = [(_x(story, number + 1), y(share)) for number, share in enumerate(shares)]
        paper.curve([(LEFT, y(0.0)), *points], COLOURS[kind.name], dash=DASHES.get(kind.name, ""), width=2.5)
    for row, kind in enumerate(PROVIDERS):
        there = TOP + 10 + 22 * row
        paper.line(
            (RIGHT + 24, there), (RIGHT + 54, there), COLOURS[kind.name], width=2.5, dash=DASHES.get(kind.name, "")
        )
        words = "honest" if kind.honest else f"makes up {kind.fakes:.0%}"
        words += f", dies once (from round {kind.dies + 1})" if kind.dies is not None else ""
        words += f", late once (round {kind.late + 1})" if kind.late is not None else ""
        paper.text(RIGHT + 62, there + 4, f"{kind.name}: {words}", size=11)


def _lanes(paper: Paper, story: Story) -> None:
    paper.text(LEFT, LANES - 18, "work: a job of twenty blocks is a box", bold=True)
    left = LEFT + 260
    for fill, words in ((PAID, "paid"), (WRONG, "paid, some answers wrong"), (CAUGHT, "dispute lost"), (DIED, "died")):
        paper.box(left, LANES - 28, 11, 11, fill)
        paper.text(left + 16, LANES - 18, words, size=11)
        left += 36 + 6.5 * len(words)
    for x, words in zip(NUMBERS, ("blocks", "made up", "paid for", "euros"), strict=True):
        paper.text(x, LANES - 18, words, anchor="end", bold=True, size=11)
    width = (RIGHT - LEFT) / story.rounds
    for row, kind in enumerate(PROVIDERS):
        account, y = story.accounts[kind.name], LANES + LANE * row
        paper.text(LEFT - 34, y + 21, kind.name, anchor="end", bold=not kind.honest)
        paper.text(LEFT - 8, y + 21, f"{kind.price}", anchor="end", fill=FAINT, size=11)
        paper.line((LEFT, y + LANE - 2), (RIGHT, y + LANE - 2), GRID)
        for deal in story.deals:
            if deal.provider == kind.name:
                x = _x(story, deal.round)
                paper.box(x + 1, y + 4, width - 2, LANE - 10, _fill(story, deal))
                if deal.state is AgreementState.RESOLVED:
                    paper.text(x + width / 2, y + 22, "x", anchor="middle", fill="#ffffff", bold=True)
        numbers = account.units, account.faked, account.paid, f"{account.income / 100:.2f}"
        for x, number in zip(NUMBERS, numbers, strict=True):
            paper.text(x, y + 21, f"{number}", anchor="end")
    bottom = LANES + LANE * len(PROVIDERS)
    paper.text(LEFT - 8, bottom + 18, "cents a block, at least", anchor="end", fill=FAINT, size=11)
    for number in range(1, story.rounds + 1):
        if number == 1 or number % 5 == 0:
            paper.text(_x(story, number - 0.5), bottom + 18, f"{number}", anchor="middle", fill=FAINT, size=11)
    paper.text((LEFT + RIGHT) / 2, bottom + 36, "round", anchor="middle", fill=FAINT)


def _fill(story: Story, deal: Deal) -> str:
    if deal.state is AgreementState.EXPIRED:
        return DIED
    if deal.paid < deal.units * deal.price:
        return CAUGHT
    return WRONG if story.undetected.get(deal.demand) else PAID
