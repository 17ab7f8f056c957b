"""Messages that a member sends as members become more."""

from __future__ import annotations

from agentbus.membership.config import local

from .figure import Asked, Figure, Line
from .simulator import Fleet

SIZES = (16, 64, 256, 1_024)
LASTS_S = 40.0


def rate(size: int, lasts_s: float, seed: int) -> float:
    """Messages a member and second, at rest; a broadcast counts once for each who hears it."""
    fleet = Fleet(size, local(), seed)
    fleet.run(5.0)
    before = fleet.sent
    fleet.run(lasts_s)
    return (fleet.sent - before) / size / lasts_s


def run(asked: Asked) -> list[Line]:
    """Each size in turn."""
    rates: dict[int, float] = {}
    for size in SIZES if not asked.quick else SIZES[:2]:
        asked.told(f"{size} members at rest")
        rates[size] = rate(size, LASTS_S if not asked.quick else 10.0, asked.seed)
    lines = [
        Line(title=f"messages a member and second, {size} members", value=value, reference="SWIM: constant")
        for size, value in rates.items()
    ]
    spread = 100.0 * (max(rates.values()) / min(rates.values()) - 1.0)
    return [*lines, Line(title="the most, more than the least by", value=spread, unit="%", most=20.0)]


FIGURE = Figure(
    name="traffic",
    title="Messages, as members become more",
    method=f"Simulated members at rest for {LASTS_S:g} s, preset local().",
    run=run,
)
