"""A house: its roof, its battery, its use, and its meter. Pure; all energy in whole Wh.

What it makes it uses first; what is over goes into the battery, what is missing comes out of it. What then is over or
missing is its balance, which it trades. Without anybody in charge (its agent has failed) the battery rests.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from .sky import STEPS, clouds, roof, use

HOUSES = 16
CHARGED_OF_TEN = 9
"""Of ten Wh that go into a battery, how many come out."""
HOURS_TO_FILL = 2
ROOFS_W = (2_000, 6_000)
BATTERIES_WH = (3_000, 8_000)
YEARLY_KWH = (2_000, 5_000)


@dataclass(slots=True, kw_only=True)
class Battery:
    """A battery, empty in the beginning. `capacity` and `stored` in Wh."""

    capacity: int
    stored: int = 0

    @property
    def most(self) -> int:
        """Wh in and out in a step."""
        return self.capacity // HOURS_TO_FILL // (STEPS // 24)

    def charge(self, offered: int) -> tuple[int, int]:
        """Wh that it takes of those, and Wh of these that are lost."""
        room = (self.capacity - self.stored) * 10 // CHARGED_OF_TEN
        taken = min(offered, self.most, room)
        kept = taken * CHARGED_OF_TEN // 10
        self.stored += kept
        return taken, taken - kept

    def discharge(self, wanted: int) -> int:
        """Wh that it gives of those."""
        given = min(wanted, self.most, self.stored)
        self.stored -= given
        return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Of a meter, for one step. `taken`, `given`, `lost`: by the battery."""

    made: int
    used: int
    taken: int = 0
    given: int = 0
    lost: int = 0

    @property
    def balance(self) -> int:
        """What is over; below 0: what is missing."""
        return self.made - self.used - self.taken + self.given


class House:
    """A house.

    Args:
        made, used: Wh in each step.
        battery: Wh that it holds; 0: there is none.
    """

    def __init__(self, name: str, made: tuple[int, ...], used: tuple[int, ...], battery: int) -> None:
        self.name = name
        self.made = made
        self.used = used
        self.battery = Battery(capacity=battery)
        self.readings: list[Reading] = []

    def live(self, step: int) -> Reading:
        """Lives through a step, with somebody in charge."""
        made, used = self.made[step], self.used[step]
        over = made - used
        taken = lost = given = 0
        if over > 0:
            taken, lost = self.battery.charge(over)
        else:
            given = self.battery.discharge(-over)
        return self._note(step, Reading(made=made, used=used, taken=taken, given=given, lost=lost))

    def idle(self, step: int) -> Reading:
        """Lives through a step with nobody in charge."""
        return self._note(step, Reading(made=self.made[step], used=self.used[step]))

    def _note(self, step: int, reading: Reading) -> Reading:
        if step != len(self.readings):
            raise ValueError(f"step {step} of {self.name}: {len(self.readings)} is next")
        self.readings.append(reading)
        return reading


def street(seed: int) -> list[House]:
    """The houses of a street: of sixteen, six have no panels, five have some, five a battery too."""
    rng = Random(f"street {seed}")
    through = clouds(rng)
    houses: list[House] = []
    for number in range(HOUSES):
        peak_w = rng.randrange(*ROOFS_W, 100) if number >= 6 else 0
        battery = rng.randrange(*BATTERIES_WH, 100) if number >= 11 else 0
        name = f"house-{number + 1:02}"
        houses.append(House(name, roof(peak_w, through), use(rng.randint(*YEARLY_KWH), rng), battery))
    return houses
