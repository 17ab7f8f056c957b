"""Rules as users write them: checked when the class is made; what they return is checked, what they raise is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from agentbus.errors import ConfigurationError, DefinitionError
from agentbus.faults import LYING, SLOW
from agentbus.healing import (
    Action,
    HealingConfig,
    Known,
    Policy,
    Probation,
    Quarantine,
    Rehost,
    Rejoin,
    Restart,
    Trouble,
    on_fault,
)
from agentbus.healing.knowledge import Knowledge
from agentbus.healing.machine import HealingMachine
from agentbus.healing.model import Arrived, Life, Log, Perform
from agentbus.healing.policy import ANY
from agentbus.peers import PeerId, Standing


def known(fault: Trouble) -> Known:
    return Known(Knowledge(HealingConfig()), fault, 0.0, "n0")


def fault(kind: str) -> Trouble:
    return Trouble(kind=kind, life=Life("w", "n1", 7))


def machine(policy: Policy) -> HealingMachine:
    made = HealingMachine("n0", policy, Knowledge(HealingConfig()))
    for number in range(6):
        made.handle(Arrived(node=f"n{number}", epoch=7), 0.0)
    return made


class Mine(Policy):
    @on_fault(SLOW)
    def patient(self, fault: Trouble, known: Known) -> Iterable[Action]:
        return [Probation(for_s=3.0, reason="be patient")]

    @on_fault("hot", "cold")
    def weather(self, fault: Trouble, known: Known) -> Iterable[Action]:
        yield Rehost(by="load")
        if known.count() > 1:
            yield Restart()

    @on_fault(ANY)
    def others(self, fault: Trouble, known: Known) -> Iterable[Action]:
        return () if known.standing() is Standing.TRUSTED else [Rejoin()]


def test_a_rule_takes_the_place_of_the_default_and_the_others_stay() -> None:
    assert Mine().plan(fault(SLOW), known(fault(SLOW))) == [("Mine.patient", Probation(for_s=3.0, reason="be patient"))]
    assert [action.name for _, action in Mine().plan(fault(LYING), known(fault(LYING)))] == [
        "quarantine",
        "rehost",
        "restart",
    ]
    assert Policy.rules[SLOW] == "slow"


def test_a_rule_may_be_a_generator_and_for_several_kinds() -> None:
    for kind in ("hot", "cold"):
        assert [action for _, action in Mine().plan(fault(kind), known(fault(kind)))] == [Rehost(by="load")]


def test_the_rule_for_any_kind_is_asked_last_and_none_means_nothing() -> None:
    assert Mine().plan(fault("odd"), known(fault("odd"))) == []
    assert Policy().plan(fault("odd"), known(fault("odd"))) == []


def test_an_overriding_method_is_the_rule_still() -> None:
    class Strict(Policy):
        def slow(self, fault: Trouble, known: Known) -> Iterable[Action]:
            return [Quarantine()]

    assert [action for _, action in Strict().plan(fault(SLOW), known(fault(SLOW)))] == [Quarantine()]


def test_by_load_the_least_loaded_takes_over() -> None:
    loads = {"n0": 5.0, "n2": 0.1, "n3": 4.0}
    made = HealingMachine("n0", Mine(), Knowledge(HealingConfig()), loads.get)
    for number in range(4):
        made.handle(Arrived(node=f"n{number}", epoch=7), 0.0)
    assert made.preview(fault("hot"), 0.0)[0].target == "n2"


async def not_a_rule(self: Policy, fault: Trouble, known: Known) -> list[Action]:
    return []


@pytest.mark.parametrize(
    ("kinds", "function", "says"),
    [
        ((), lambda self, fault, known: [], "names no kind"),
        ((7,), lambda self, fault, known: [], "not a kind of fault"),
        (("",), lambda self, fault, known: [], "not a kind of fault"),
        (("x",), not_a_rule, "leave async out"),
        (("x",), lambda self: [], "takes (self)"),
        (("x",), "text", "not a function"),
    ],
)
def test_a_wrong_mark_fails_at_import_and_says_what_to_write(
    kinds: tuple[Any, ...], function: Callable[..., Any], says: str
) -> None:
    with pytest.raises(DefinitionError) as raised:
        on_fault(*kinds)(function)
    assert says in str(raised.value)


def test_two_rules_for_one_kind_are_one_too_many() -> None:
    with pytest.raises(DefinitionError, match="both 'one' and 'two' are rules for 'x'"):

        class Twice(Policy):
            @on_fault("x")
            def one(self, fault: Trouble, known: Known) -> list[Action]:
                return []

            @on_fault("x")
            def two(self, fault: Trouble, known: Known) -> list[Action]:
                return []


def test_a_static_rule_is_refused() -> None:
    with pytest.raises(DefinitionError, match="plain method"):

        class Still(Policy):
            @staticmethod
            @on_fault("x")
            def one(policy: Any, fault: Trouble, known: Known) -> list[Action]:
                return []


class Broken(Policy):
    @on_fault("raises")
    def raising(self, fault: Trouble, known: Known) -> list[Action]:
        raise ZeroDivisionError("oh")

    @on_fault("text")
    def text(self, fault: Trouble, known: Known) -> Any:
        return "quarantine"

    @on_fault("class")
    def kind(self, fault: Trouble, known: Known) -> Any:
        return [Quarantine]

    @on_fault("many")
    def many(self, fault: Trouble, known: Known) -> Any:
        return [Rejoin()] * 99


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("raises", "ZeroDivisionError: oh"),
        ("text", "return a list of actions"),
        ("class", "return Quarantine()"),
        ("many", "16 at most"),
    ],
)
def test_a_rule_that_fails_is_told_and_stops_nothing(kind: str, says: str) -> None:
    made = machine(Broken())
    (effect,) = made.handle(fault(kind), 0.0)
    assert isinstance(effect, Log)
    assert effect.record.action == "none"
    assert effect.record.outcome.startswith("rule failed: ")
    assert says in effect.record.outcome
    assert made.handle(fault(LYING), 0.0)


def test_rejoin_ends_a_probation_and_never_a_quarantine() -> None:
    class Kind(Policy):
        @on_fault("fine")
        def fine(self, fault: Trouble, known: Known) -> list[Action]:
            return [Rejoin()]

    made, peer = machine(Kind()), PeerId("w", 7)
    made.handle(fault(SLOW), 0.0)
    assert made.knowledge.standing(peer) is Standing.PROBATION
    made.handle(fault("fine"), 1.0)
    assert made.knowledge.standing(peer) is Standing.TRUSTED
    made.handle(fault(LYING), 2.0)
    made.handle(fault("fine"), 9.0)
    assert made.knowledge.standing(peer) is Standing.QUARANTINED


@pytest.mark.parametrize(
    "wrong",
    [{"faulty": -1}, {"max_share": 1.5}, {"probation_s": 0.0}, {"turn_s": float("nan")}, {"attempts": 0}],
)
def test_a_wrong_knob_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        HealingConfig(**wrong)


def test_presets_differ_in_what_they_say() -> None:
    local, lan, wan = HealingConfig.local(), HealingConfig.lan(), HealingConfig.wan(faulty=1)
    assert local.turn_s < lan.turn_s < wan.turn_s
    assert (lan.voices(), wan.voices()) == (4, 2)
    assert [lan.may_be_out(n) for n in (1, 2, 3, 6, 9, 12, 128)] == [0, 0, 1, 2, 3, 3, 3]


def test_actions_of_a_plan_that_are_done_once_reach_the_effector_in_order() -> None:
    order = machine(Policy())._order(fault(LYING), Restart())
    made = HealingMachine(order[0], Policy(), Knowledge(HealingConfig()))
    for number in range(6):
        made.handle(Arrived(node=f"n{number}", epoch=7 if number == 1 else 8), 0.0)
    effects = made.handle(fault(LYING), 0.0)
    assert [effect.action.name for effect in effects if isinstance(effect, Perform)][-1] == "restart"
