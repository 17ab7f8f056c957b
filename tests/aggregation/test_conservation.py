"""Mass is neither lost nor made, whatever becomes of packets and nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.aggregation import Aggregation, AggregationConfig, Relative, Summary
from agentbus.aggregation.ledger import Ledger
from agentbus.aggregation.model import Contribute, Effect, Key, Peers, Withdraw

Mode = Literal["push-pull", "push-sum"]
BINS = Relative(0.5)


class Chaos:
    """A fleet whose packets wait until somebody says what becomes of each, and whose nodes learn late who is there."""

    def __init__(self, mode: Mode) -> None:
        self.config = AggregationConfig(mode=mode, precision=0.2, spread_rounds=3)
        self.machines: dict[str, Aggregation] = {}
        self.waiting: list[Effect] = []
        self.lives = 0
        for _ in range(3):
            self.start(f"n{len(self.machines)}")
        for name in self.machines:
            self.notice(name)

    def start(self, name: str) -> None:
        self.lives += 1
        self.machines[name] = Aggregation(name, self.lives, self.config, Random(self.lives), 0.0)
        self.machines[name].handle(Contribute("x", Summary([float(self.lives)], bins=BINS)), 0.0)

    def notice(self, name: str) -> None:
        lives = {other: machine.life for other, machine in self.machines.items()}
        self.machines[name].handle(Peers(lives), 0.0)

    def deliver(self, effect: Effect) -> None:
        if effect.to in self.machines:
            self.waiting.extend(self.machines[effect.to].handle(effect.packet, 0.0))

    def settle(self) -> None:
        """All is well from now on: all know who is there, all arrives, and every push has its reply."""
        for name in self.machines:
            self.notice(name)
        for _ in range(200):
            for machine in self.machines.values():
                self.waiting.extend(machine.step())
                while self.waiting:
                    self.deliver(self.waiting.pop(0))
            quiet = not any(machine.waiting for machine in self.machines.values())
            one = len({machine.epoch for machine in self.machines.values()}) == 1
            if quiet and one and all(machine.settled for machine in self.machines.values()):
                return
        raise AssertionError("it does not settle")


def balance(ledger: Ledger) -> dict[Key, float]:
    """What a node should hold."""
    parts = [(ledger.own, 1.0)]
    for link in ledger.links.values():
        parts += [(link.given, -1.0), (dict(link.taken), 1.0)]
    total: dict[Key, float] = {}
    for part, factor in parts:
        for key, value in part.items():
            total[key] = total.get(key, 0.0) + factor * value
    return total


def added(masses: Iterable[Mapping[Key, float]]) -> dict[Key, float]:
    total: dict[Key, float] = {}
    for mass in masses:
        for key, value in mass.items():
            total[key] = total.get(key, 0.0) + value
    return total


def same(one: Mapping[Key, float], other: Mapping[Key, float]) -> bool:
    return all(one.get(key, 0.0) == pytest.approx(other.get(key, 0.0), abs=1e-7) for key in {*one, *other})


WORDS = st.sampled_from(
    (
        *("step", "step", "step", "deliver", "deliver", "deliver", "lose", "duplicate", "late"),
        *("join", "crash", "reborn", "notice", "notice", "contribute", "withdraw"),
    )
)
STEPS = st.lists(st.tuples(WORDS, st.integers(0, 1_000_000)), max_size=80)


def play(chaos: Chaos, what: str, number: int) -> None:
    names = list(chaos.machines)
    name = names[number % len(names)]
    machine = chaos.machines[name]
    if what == "step":
        chaos.waiting.extend(machine.step())
    elif what in ("deliver", "lose", "duplicate", "late") and chaos.waiting:
        place = number % len(chaos.waiting) if what == "late" else 0
        effect = chaos.waiting[place] if what == "duplicate" else chaos.waiting.pop(place)
        if what != "lose":
            chaos.deliver(effect)
    elif what == "join" and len(names) < 6:
        chaos.start(f"m{chaos.lives}")
    elif what == "crash" and len(names) > 2:
        del chaos.machines[name]
    elif what == "reborn":
        chaos.start(name)
    elif what == "notice":
        chaos.notice(name)
    elif what == "contribute":
        machine.handle(Contribute("x", Summary([float(number % 100)] * (number % 3), bins=BINS)), 0.0)
    elif what == "withdraw":
        machine.handle(Withdraw("x"), 0.0)


@pytest.mark.parametrize("mode", ["push-pull", "push-sum"])
@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_mass_is_conserved_whatever_happens(mode: Mode, steps: list[tuple[str, int]]) -> None:
    chaos = Chaos(mode)
    for what, number in steps:
        play(chaos, what, number)
        for machine in chaos.machines.values():
            assert same(machine.held, balance(_ledger(machine)))
    chaos.settle()
    machines = chaos.machines.values()
    assert same(added(machine.held for machine in machines), added(machine.own for machine in machines))
    truth = added(machine.own for machine in machines)
    for machine in machines:
        estimate = machine.estimate("x")
        if estimate is not None:
            assert estimate.epoch == machine.epoch
            assert truth["", "weight", 0] == len(chaos.machines)


def test_a_ledger_that_forgets_a_gift_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(self: Ledger, link: Any, gift: Mapping[Key, float]) -> None:
        for key, value in gift.items():
            self.held[key] = self.held.get(key, 0.0) - value

    monkeypatch.setattr(Ledger, "give", forget)
    chaos = Chaos("push-sum")
    chaos.settle()
    machines = chaos.machines.values()
    assert not same(added(machine.held for machine in machines), added(machine.own for machine in machines))


def _ledger(machine: Aggregation) -> Ledger:
    return machine._ledger  # pyright: ignore[reportPrivateUsage]
