"""Agents: their names, what they are made of, and that a restart makes them anew."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from agentbus import Agent, Context, Supervision, on
from agentbus.agent import again, default_name
from examples.climate.v1.climate_pb2 import Reading


class Thermostat(Agent):
    """Keeps a room at its target.

    By hook or by crook.
    """

    def __init__(self, target: float, *, rooms: tuple[str, ...] = ()) -> None:
        self.target = target
        self.rooms = rooms
        self.seen = 0


@pytest.mark.parametrize(
    ("name", "kebab"),
    [
        ("Thermostat", "thermostat"),
        ("HTTPProbe", "http-probe"),
        ("RoomHTTP2Probe", "room-http2-probe"),
        ("snake_case", "snake-case"),
        ("_Hidden", "hidden"),
        ("A", "a"),
    ],
)
def test_the_default_name_is_the_class_in_kebab_case(name: str, kebab: str) -> None:
    assert default_name(type(name, (Agent,), {})) == kebab


def test_a_restart_makes_a_fresh_instance_of_the_same_arguments() -> None:
    first = Thermostat(21.0, rooms=("hall",))
    first.target, first.seen = 99.0, 7
    second = again(first)
    assert type(second) is Thermostat
    assert second is not first
    assert (second.target, second.rooms, second.seen) == (21.0, ("hall",), 0)
    third = again(second)
    assert third.target == 21.0


def test_a_frozen_dataclass_can_be_an_agent() -> None:
    @dataclass(frozen=True)
    class Frozen(Agent):
        target: float
        log: list[str] = field(default_factory=list)

    first = Frozen(3.0)
    first.log.append("x")
    assert again(first) == Frozen(3.0)


def test_an_agent_needs_no_init() -> None:
    class Bare(Agent): ...

    assert type(again(Bare())) is Bare


def test_wrong_arguments_fail_as_for_any_class() -> None:
    with pytest.raises(TypeError, match="target"):
        Thermostat()  # type: ignore[call-arg]


def test_the_description_is_the_docstrings_first_line_unless_said() -> None:
    class Said(Thermostat):
        """Not this."""

        description = "This."

    class Silent(Thermostat): ...

    assert Thermostat.description == "Keeps a room at its target."
    assert Said.description == "This."
    assert Silent.description == ""


def test_policy_and_version_are_the_classes() -> None:
    class Stubborn(Thermostat):
        supervision = Supervision(max_restarts=9)
        version = "2.0.0"

    assert Stubborn.supervision.max_restarts == 9
    assert (Agent.supervision, Agent.version) == (Supervision(), "0.1.0")


def test_a_subclass_may_take_class_arguments_of_its_own() -> None:
    class Tagged(Agent):
        tag = ""

        def __init_subclass__(cls, tag: str = "", **kwargs: object) -> None:
            super().__init_subclass__(**kwargs)
            cls.tag = tag

    class One(Tagged, tag="one"):
        @on(Reading)
        async def hear(self, reading: Reading, ctx: Context) -> None: ...

    assert One.tag == "one"
    assert [spec.name for spec in One.behaviors.on] == ["hear"]
