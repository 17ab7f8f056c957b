"""The picture: the street's day in three charts, and what each house pays. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..paper import BLUE, FAINT, GREEN, GRID, INK, ORANGE, RED, SKY, Paper
from .books import EURO, FEED_IN, RETAIL
from .day import NOON, Day
from .screen import owns
from .sky import HOURS, STEPS

WIDTH, HEIGHT = 1180.0, 690.0
LEFT, RIGHT = 62.0, 740.0
BILLS, BILLS_END = 930.0, 1150.0
SUN, EXCHANGE, PRICES = (84.0, 224.0), (272.0, 432.0), (480.0, 620.0)
"""Where the charts are."""


class Chart:
    """One chart over the day.

    Args:
        top, bottom: where it is.
        low, high: the values there.
    """

    def __init__(self, paper: Paper, top: float, bottom: float, low: float, high: float) -> None:
        self.paper = paper
        self.top, self.bottom = top, bottom
        self._low, self._high = low, high

    def at(self, hour: float, value: float) -> tuple[float, float]:
        """Where a value is."""
        share = (value - self._low) / (self._high - self._low)
        return LEFT + (RIGHT - LEFT) * hour / 24, self.bottom - (self.bottom - self.top) * share

    def frame(self, title: str, marks: Sequence[float]) -> None:
        """Title, lines and labels."""
        self.paper.text(LEFT, self.top - 9, title, bold=True)
        for mark in marks:
            start, end = self.at(0, mark), self.at(24, mark)
            self.paper.line(start, end)
            self.paper.text(LEFT - 8, start[1] + 4, f"{mark:g}", anchor="end", fill=FAINT, size=11)
        for hour in range(0, 25, 3):
            x, _ = self.at(hour, self._low)
            self.paper.line((x, self.bottom), (x, self.bottom + 4), FAINT)

    def line(self, values: Sequence[float], colour: str, *, dash: str = "", width: float = 2.0) -> None:
        """A curve, a value a step."""
        self.paper.curve(self._points(values), colour, dash=dash, width=width)

    def area(self, values: Sequence[float], fill: str, floor: Sequence[float] | None = None) -> None:
        """What is between two curves."""
        under = self._points(floor or [0.0] * len(values))
        self.paper.area([*self._points(values), *reversed(under)], fill)

    def _points(self, values: Sequence[float]) -> list[tuple[float, float]]:
        return [self.at((step + 0.5) * HOURS, value) for step, value in enumerate(values)]


def draw(alone: Day, market: Day, failed: Day | None, fails: str | None, about: str) -> str:
    """The SVG.

    Args:
        alone: the day without a market.
        market: with it; all went well.
        failed: the same with a failure, if there was one: it is what the charts show.
        fails: who failed.
        about: which day it is.
    """
    paper = Paper(WIDTH, HEIGHT, "sixteen households trade solar energy for a day, and what they pay")
    paper.text(16, 26, "Sixteen households trade what their roofs make", size=15, bold=True)
    paper.text(16, 44, about, fill=FAINT)
    shown = failed or market
    _sun(paper, shown)
    _exchange(paper, alone, shown)
    prices = _prices(paper, shown)
    for hour in range(0, 25, 3):
        x, _ = prices.at(hour, 0)
        paper.text(x, prices.bottom + 18, f"{hour:02}:00", anchor="middle", fill=FAINT, size=11)
    paper.text((LEFT + RIGHT) / 2, prices.bottom + 36, "time of day", anchor="middle", fill=FAINT)
    if failed is not None:
        x, _ = prices.at(NOON * HOURS, 0)
        for top, bottom in (SUN, EXCHANGE, PRICES):
            paper.line((x, top), (x, bottom), INK, width=1.5, dash="4 3")
        paper.text(x + 5, SUN[0] + 12, f"{fails} fails", size=11)
    _bills(paper, alone, market, failed, fails)
    return paper.svg()


def _kw(wh: Sequence[int]) -> list[float]:
    return [each / HOURS / 1000 for each in wh]


def _top(values: Sequence[float], step: float) -> float:
    return step * (int(max(values) / step) + 1)


def _sun(paper: Paper, day: Day) -> None:
    made = _kw([sum(house.made[step] for house in day.houses) for step in range(STEPS)])
    used = _kw([sum(house.used[step] for house in day.houses) for step in range(STEPS)])
    high = _top([*made, *used], 5)
    chart = Chart(paper, *SUN, 0, high)
    chart.frame("the street, kW", [*range(0, int(high) + 1, 10)])
    chart.area(made, ORANGE)
    chart.line(used, BLUE)
    _key(paper, 190, 75, ((ORANGE, "roofs make"), (BLUE, "households use")))


def _exchange(paper: Paper, alone: Day, day: Day) -> None:
    traded, imports = _kw(day.books.traded), _kw(day.books.imports)
    exports = [-each for each in _kw(day.books.exports)]
    before = _kw(alone.books.imports), [-each for each in _kw(alone.books.exports)]
    stacked = [a + b for a, b in zip(traded, imports, strict=True)]
    high, low = _top([*stacked, *before[0]], 5), -_top([-each for each in (*exports, *before[1])], 5)
    chart = Chart(paper, *EXCHANGE, low, high)
    chart.frame("where it came from, and went, kW", [*range(int(low), int(high) + 1, 5)])
    chart.area(traded, GREEN)
    chart.area(stacked, RED, traded)
    chart.area(exports, SKY)
    for curve in before:
        chart.line(curve, INK, dash="2 2", width=1.0)
    names = ((GREEN, "neighbours"), (RED, "from the grid"), (SKY, "to the grid"), (INK, "grid, without market"))
    _key(paper, 310, 263, names)


def _prices(paper: Paper, day: Day) -> Chart:
    chart = Chart(paper, *PRICES, 0, 40)
    chart.frame("mean price among neighbours, cents a kWh", [0, 10, 20, 30, 40])
    for price, words in ((RETAIL, "the grid sells"), (FEED_IN, "the grid buys")):
        chart.paper.line(chart.at(0, price / 100), chart.at(24, price / 100), INK, dash="5 3")
        x, y = chart.at(0, price / 100)
        chart.paper.text(x + 6, y - 5, words, size=11)
    for step, price in enumerate(day.books.prices):
        if price is not None:
            chart.paper.dot(*chart.at((step + 0.5) * HOURS, price / 100), GREEN, radius=3)
    return chart


def _key(paper: Paper, x: float, y: float, names: Sequence[tuple[str, str]]) -> None:
    for colour, words in names:
        if colour == INK:
            paper.line((x - 4, y - 4), (x + 11, y - 4), INK, dash="2 2")
        else:
            paper.box(x, y - 9, 10, 10, colour)
        paper.text(x + 14, y, words, size=11)
        x += 28 + 6.4 * len(words)


def _bills(paper: Paper, alone: Day, market: Day, failed: Day | None, fails: str | None) -> None:
    days = [day.books.accounts for day in (alone, market, failed) if day is not None]
    bills = [account.bill / EURO for accounts in days for account in accounts.values()]
    low, high = int(min(bills)) - 1, int(max(bills)) + 1
    top, row = 112.0, 31.0
    bottom = top + row * len(alone.houses)

    def x(euros: float) -> float:
        return BILLS + (BILLS_END - BILLS) * (euros - low) / (high - low)

    paper.text(780, 75, "what each house pays, euros a day", bold=True)
    for euros in range(low, high + 1):
        paper.line((x(euros), top - 8), (x(euros), bottom), FAINT if euros == 0 else GRID)
        paper.text(x(euros), bottom + 18, f"{euros}", anchor="middle", fill=FAINT, size=11)
    paper.text(x((low + high) / 2), bottom + 36, "euros (below 0: it is paid)", anchor="middle", fill=FAINT)
    left = 780.0
    for colour, hollow, words in ((INK, True, "alone"), (GREEN, False, "market"), (RED, False, "market, one fails")):
        paper.dot(left + 5, 92, colour, hollow=hollow)
        paper.text(left + 15, 96, words, size=11)
        left += 34 + 6.4 * len(words)
    for number, house in enumerate(alone.houses):
        y = top + row * (number + 0.5)
        before, after = (accounts[house.name].bill / EURO for accounts in days[:2])
        paper.text(780, y, house.name, bold=house.name == fails)
        paper.text(780, y + 12, owns(house), fill=FAINT, size=10)
        paper.line((x(before), y), (x(after), y), FAINT, width=2)
        if failed is not None:
            paper.dot(x(days[2][house.name].bill / EURO), y, RED, radius=4.5 if house.name == fails else 2.5)
        paper.dot(x(before), y, INK, hollow=True)
        paper.dot(x(after), y, GREEN)
