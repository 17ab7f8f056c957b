"""Sun and habits: what a roof makes and what a household needs in each quarter of an hour. Pure.

* The sun's height: declination by P. I. Cooper, Solar Energy 12 (1969).
* What it sends from a clear sky to level ground: ``1098 cos z exp(-0.057 / cos z)`` W/m2 at the zenith angle z, by
  B. Haurwitz, Journal of Meteorology 2 (1945), as given in M. Reno, C. Hansen, J. Stein, SAND2012-2389 (2012).
* Clouds: a share of that, which wanders around 0.75 (an assumption of this example's).
* Panels: level, with losses of a fifth (an assumption).
* Use: three bells over a floor, fitted to the German standard load profile H0 of a summer workday (VDEW 1999), whose
  mean is 1: they differ by 0.05 (root mean square). Each household differs from it by chance.
"""

from __future__ import annotations

from math import cos, exp, pi, radians, sin
from random import Random

STEPS = 96
HOURS = 24 / STEPS
LATITUDE = 50.0
DAY_OF_YEAR = 140
PERFORMANCE = 0.8
FLOOR = 0.46
BELLS = ((0.67, 8.22, 1.98), (0.86, 12.69, 3.12), (0.98, 20.5, 3.73))
"""Height, hour, width."""


def sunshine(hour: float) -> float:
    """W/m2 from a clear sky at an hour of solar time."""
    declination = radians(23.45) * sin(2 * pi * (284 + DAY_OF_YEAR) / 365)
    latitude = radians(LATITUDE)
    height = sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(radians(15 * (hour - 12)))
    return 1098 * height * exp(-0.057 / height) if height > 0 else 0.0


def habit(hour: float) -> float:
    """What a household needs at an hour, as a multiple of its mean."""
    return FLOOR + sum(high * exp(-(((hour - at) / wide) ** 2)) for high, at, wide in BELLS)


def clouds(rng: Random) -> list[float]:
    """The share of the sunshine that comes through, in each step; the same for all roofs."""
    share = 0.75
    shares: list[float] = []
    for _ in range(STEPS):
        share = min(1.0, max(0.15, share + 0.25 * (0.75 - share) + rng.gauss(0.0, 0.1)))
        shares.append(share)
    return shares


def roof(peak_w: int, through: list[float]) -> tuple[int, ...]:
    """Wh that a roof makes in each step.

    Args:
        peak_w: under 1,000 W/m2.
        through: of `clouds`.
    """
    hours = [(step + 0.5) * HOURS for step in range(STEPS)]
    return tuple(
        round(peak_w * sunshine(hour) / 1000 * PERFORMANCE * share * HOURS)
        for hour, share in zip(hours, through, strict=True)
    )


def use(yearly_kwh: int, rng: Random) -> tuple[int, ...]:
    """Wh that a household needs in each step."""
    mean = yearly_kwh * 1000 / 365 / STEPS
    return tuple(round(mean * habit((step + 0.5) * HOURS) * rng.lognormvariate(-0.06, 0.35)) for step in range(STEPS))
