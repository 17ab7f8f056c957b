"""A life in quarantine that had seemed to be gone, and is back: it still has to begin a new one."""

from __future__ import annotations

from agentbus.faults import LYING
from agentbus.healing.machine import HealingMachine
from agentbus.healing.model import Arrived, Effect, Gone, Perform, Restart, Tick

from .test_machine import NODES, machine, trouble


def restarts(made: HealingMachine, effects: list[Effect], from_s: float, until_s: float) -> list[float]:
    """When it asks for a restart, and nobody else does."""
    found: list[float] = []
    now = from_s
    while True:
        found += [now for one in effects if isinstance(one, Perform) and isinstance(one.action, Restart)]
        if now >= until_s:
            return found
        now += 0.5
        effects = made.handle(Tick(), now)


def test_it_is_asked_again() -> None:
    made = machine()
    accused = trouble(LYING, "n3")
    turns_s = made.config.turn_s * len(NODES)
    assert made.knowledge.alive["n3"] == accused.life.epoch
    made.handle(accused, 1.0)
    made.handle(Gone(node="n3", epoch=accused.life.epoch), 1.1)
    assert restarts(made, [], 1.1, 1.1 + turns_s) == [], "a life that is over needs no restart"
    back_s = 2.0 + turns_s
    asked = restarts(made, made.handle(Arrived(node="n3", epoch=accused.life.epoch), back_s), back_s, back_s + turns_s)
    assert asked, "it is there, in the life that is refused"
    over_s = back_s + 2 * turns_s
    made.handle(Gone(node="n3", epoch=accused.life.epoch), over_s)
    anew = made.handle(Arrived(node="n3", epoch=accused.life.epoch + 1), over_s)
    assert restarts(made, anew, over_s, over_s + turns_s) == [], "a new life is not refused"
