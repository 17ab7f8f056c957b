"""A fleet in rounds, without a clock or a network: for tests, benchmarks, and whoever wants to know what comes out.

Deterministic: the seed decides all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from random import Random
from typing import Literal

from .config import AggregationConfig
from .machine import Aggregation
from .model import Contribute, Effect, Estimate, Key, Peers
from .sketch import Summary


class Rounds:
    """Machines that hear one another at once.

    Args:
        config: of all of them.
        seed: of all chance.
        order: ``"sequence"``: one node after the other, shuffled anew each round, and what it says is heard and
            answered before the next begins (GETPAIR_SEQ of Jelasity et al., section 3.3.2); ``"together"``: all make
            their round, then all hear (Kempe et al.).
        loss: probability that a packet is lost.
        duplicate: probability that it comes twice.

    Attributes:
        machines: by name.
        sent: packets.
    """

    def __init__(
        self,
        config: AggregationConfig | None = None,
        *,
        seed: int = 0,
        order: Literal["sequence", "together"] = "sequence",
        loss: float = 0.0,
        duplicate: float = 0.0,
    ) -> None:
        self.config = config or AggregationConfig()
        self.order = order
        self.loss = loss
        self.duplicate = duplicate
        self.machines: dict[str, Aggregation] = {}
        self.sent = 0
        self._rng = Random(seed)
        self._life = 0

    def join(self, *names: str) -> None:
        """Nodes begin; one that was there before begins another life."""
        for name in names:
            self._life += 1
            self.machines[name] = Aggregation(name, self._life, self.config, Random(self._rng.random()), 0.0)
        self._introduce()

    def leave(self, *names: str) -> None:
        """Nodes are gone, and everybody knows it."""
        for name in names:
            del self.machines[name]
        self._introduce()

    def contribute(self, node: str, name: str, value: float | Summary) -> None:
        """A node's part of what is known under a name: one number, or a summary of many."""
        summary = value if isinstance(value, Summary) else Summary([value])
        self.machines[node].handle(Contribute(name, summary), 0.0)

    def run(self, rounds: int = 1) -> None:
        """So many rounds of everybody."""
        for _ in range(rounds):
            if self.order == "together":
                self._deliver([machine.step() for machine in self.machines.values()])
            else:
                in_turn = list(self.machines.values())
                self._rng.shuffle(in_turn)
                for machine in in_turn:
                    self._deliver([machine.step()])

    def estimate(self, node: str, name: str) -> Estimate | None:
        """What a node knows of the fleet."""
        return self.machines[node].estimate(name)

    def held(self) -> dict[Key, float]:
        """What all of them hold together."""
        return _added(machine.held for machine in self.machines.values())

    def own(self) -> dict[Key, float]:
        """What all of them contribute together."""
        return _added(machine.own for machine in self.machines.values())

    def _introduce(self) -> None:
        lives = {name: machine.life for name, machine in self.machines.items()}
        for machine in self.machines.values():
            machine.handle(Peers(lives), 0.0)

    def _deliver(self, said: list[list[Effect]]) -> None:
        waiting = deque(effect for effects in said for effect in effects)
        while waiting:
            effect = waiting.popleft()
            self.sent += 1
            machine = self.machines.get(effect.to)
            if machine is None or (self.loss and self._rng.random() < self.loss):
                continue
            waiting.extend(machine.handle(effect.packet, 0.0))
            if self.duplicate and self._rng.random() < self.duplicate:
                waiting.extend(machine.handle(effect.packet, 0.0))


def _added(masses: Iterable[Mapping[Key, float]]) -> dict[Key, float]:
    total: dict[Key, float] = {}
    for mass in masses:
        for key, value in mass.items():
            total[key] = total.get(key, 0.0) + value
    return total
