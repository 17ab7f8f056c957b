"""A life in quarantine that is back has to begin a new one; what one that is over has done stays refused."""

from __future__ import annotations

from agentbus.faults import LYING, SLOW
from agentbus.healing import HealingConfig
from agentbus.healing.machine import HealingMachine
from agentbus.healing.model import Arrived, Belief, Effect, Gone, Perform, Restart, Tick, Told
from agentbus.peers import Standing

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


def test_what_a_life_that_is_over_has_done_is_refused_all_the_same() -> None:
    made = machine()
    accused = trouble(LYING, "n3")
    made.handle(Arrived(node="n3", epoch=accused.life.epoch + 1), 0.5)
    effects = made.handle(accused, 1.0)
    assert made.knowledge.standing(accused.life.peer) is Standing.QUARANTINED
    assert not [one for one in effects if isinstance(one, Perform)], "there is nobody to restart"
    assert made.knowledge.quarantined_nodes() == set()
    slow = trouble(SLOW, "n4")
    made.handle(Arrived(node="n4", epoch=slow.life.epoch + 1), 0.5)
    assert made.handle(slow, 1.0) == []


def test_a_newcomer_is_told_of_lives_that_are_over() -> None:
    made = machine(HealingConfig(faulty=1))
    life = trouble(LYING, "n3").life
    made.handle(Arrived(node="n3", epoch=life.epoch + 1), 0.5)
    belief = Belief(life=life, standing=Standing.QUARANTINED, kind=LYING)
    made.handle(Told(belief=belief, by="n1"), 1.0)
    assert made.knowledge.standing(life.peer) is Standing.TRUSTED, "of one voice"
    made.handle(Told(belief=belief, by="n2"), 1.0)
    assert made.knowledge.standing(life.peer) is Standing.QUARANTINED
    doubted = Belief(life=trouble(SLOW, "n5").life, standing=Standing.PROBATION, kind=SLOW)
    made.handle(Arrived(node="n5", epoch=doubted.life.epoch + 1), 0.5)
    for by in ("n1", "n2"):
        made.handle(Told(belief=doubted, by=by), 1.0)
    assert made.knowledge.standing(doubted.life.peer) is Standing.TRUSTED
