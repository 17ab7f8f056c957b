"""A team of `BundleAgent`s in rounds, with neither broker nor loop: for trying things out, tests and benches.

Chance is an argument: the same ``rng`` gives the same run.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from .bundles import Beliefs, BundleAgent
from .model import Tick


class Rounds:
    """Delivers what agents tell one another, round by round.

    Args:
        agents: the team.
        rng: chance; None: a new one of seed 0.
        loss: the share of messages that are lost, 0 to 1.
        delay: a message takes 0 to so many rounds more, so that later ones overtake it.

    Attributes:
        messages: how many were sent.
    """

    def __init__(
        self, agents: Iterable[BundleAgent], *, rng: Random | None = None, loss: float = 0.0, delay: int = 0
    ) -> None:
        self.agents = {agent.name: agent for agent in agents}
        self.messages = 0
        self.round = 0
        self._rng = rng or Random(0)
        self._loss = loss
        self._delay = delay
        self._flight: dict[int, list[tuple[str, Beliefs]]] = {}

    def run(self, most: int, quiet: int) -> bool:
        """Runs until nobody has changed its mind for `quiet` rounds, and nothing that is under way could change it.

        Args:
            most: rounds at most.
            quiet: more than the team's diameter, and than the delay.

        Returns:
            Whether all have settled.
        """
        for _ in range(most):
            self._begin()
            if all(agent.settled(quiet) for agent in self.agents.values()):
                return True
        return False

    def bundles(self) -> dict[str, tuple[str, ...]]:
        """What each agent does, in its order."""
        return {name: agent.path for name, agent in self.agents.items()}

    def _begin(self) -> None:
        now = 0.0 if not self.round else max(agent.next_deadline() or 0.0 for agent in self.agents.values())
        self.round += 1
        for agent in self.agents.values():
            for told in agent.handle(Tick(), now):
                self.messages += 1
                if told.to in self.agents and self._rng.random() >= self._loss:
                    due = self.round + self._rng.randint(0, self._delay)
                    self._flight.setdefault(due, []).append(told)
        arrived = self._flight.pop(self.round, [])
        if self._delay:
            self._rng.shuffle(arrived)
        for to, beliefs in arrived:
            self.agents[to].handle(beliefs, now)
