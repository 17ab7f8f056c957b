"""EigenTrust beside networkx's personalised PageRank, and under the threat models of its paper.

Jobs stand for the paper's downloads: in each round each honest agent has some jobs, meets some candidates for each,
chooses by trust, and tells how it went. Malicious agents fail jobs and lie about others:

* A, alone: they fail all jobs and tell the contrary of what they saw;
* B, together: they fail all jobs and praise one another;
* C, camouflaged: as B, but do some jobs well (`CAMOUFLAGE`);
* D, spies: a third of them does all jobs well, and praises the others, which fail and praise one another too.

Source: S. D. Kamvar, M. T. Schlosser, H. Garcia-Molina, WWW 2003, section 7; PageRank's form of it in section 4.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from random import Random
from typing import Any

from agentbus.market import Reputation, ReputationConfig

AGENTS = 100
PRETRUSTED = 5
MALICIOUS = 0.3
JOBS = 5
"""Of each agent in each round."""
CANDIDATES = 8
EXPLORING = 0.05
"""The share of jobs whose worker is chosen without regard to trust: how newcomers come to some."""
SLIPS = 0.02
"""The share of jobs in which an honest agent fails."""
CAMOUFLAGE = 0.5
"""In C: the share of jobs that malicious agents do well."""
SPIES = 1 / 3
ALPHA = 0.5
"""The default of `ReputationConfig`."""
MODELS = ("A", "B", "C", "D")


class Society:
    """Agents that work for one another.

    Args:
        model: A, B, C or D.
        seed: of all that is drawn.
        trusting: whether workers are chosen by trust; otherwise at random, the baseline.
        alpha: EigenTrust's share for the pre-trusted.
    """

    def __init__(self, model: str, seed: int, *, trusting: bool = True, alpha: float = ALPHA) -> None:
        self._rng = Random(f"{model} {seed}")
        self._model = model
        self._trusting = trusting
        names = [f"n{number}" for number in range(AGENTS)]
        self.malicious = names[AGENTS - round(AGENTS * MALICIOUS) :]
        self._honest = names[: AGENTS - len(self.malicious)]
        self._names = names
        spies = round(len(self.malicious) * SPIES) if model == "D" else 0
        self._spies = set(self.malicious[:spies])
        self.reputation = Reputation(ReputationConfig(pretrusted=frozenset(names[:PRETRUSTED]), alpha=alpha))
        self.reputation.meet(names)
        self._trust: Mapping[str, float] = self.reputation.trust(0.0)

    def round(self, number: int) -> float:
        """One round. Returns the share of honest agents' jobs that failed."""
        now = float(number)
        failed = 0
        for buyer in self._honest:
            for _ in range(JOBS):
                worker = self._choose(buyer)
                well = self._works(worker)
                failed += not well
                self.reputation.record(buyer, worker, 1.0 if well else -1.0, now)
        self._lie(now)
        if self._trusting:
            self._trust = self.reputation.trust(now)
        return failed / (len(self._honest) * JOBS)

    def believed(self) -> float:
        """The share of trust that malicious agents have."""
        return sum(self._trust[name] for name in self.malicious)

    def _choose(self, buyer: str) -> str:
        candidates = self._rng.sample([name for name in self._names if name != buyer], CANDIDATES)
        weights = [self._trust[name] for name in candidates]
        if not self._trusting or self._rng.random() < EXPLORING or not any(weights):
            return self._rng.choice(candidates)
        return self._rng.choices(candidates, weights)[0]

    def _works(self, worker: str) -> bool:
        if worker in self._spies:
            return True
        if worker in self._honest:
            return self._rng.random() >= SLIPS
        return self._model == "C" and self._rng.random() < CAMOUFLAGE

    def _lie(self, now: float) -> None:
        """What malicious agents tell, as often as others do."""
        for liar in self.malicious:
            for _ in range(JOBS):
                if self._model == "A":
                    worker = self._choose(liar)
                    self.reputation.record(liar, worker, -1.0 if self._works(worker) else 1.0, now)
                else:
                    friend = self._rng.choice([name for name in self.malicious if name not in {liar, *self._spies}])
                    self.reputation.record(liar, friend, 1.0, now)


def failures(model: str, seed: int, rounds: int, *, trusting: bool = True, alpha: float = ALPHA) -> list[float]:
    """The share of jobs that failed, round by round."""
    society = Society(model, seed, trusting=trusting, alpha=alpha)
    return [society.round(number) for number in range(rounds)]


def difference(seed: int, agents: int) -> float:
    """The greatest difference of any agent's trust from networkx's personalised PageRank, for random dealings."""
    rng = Random(seed)
    names = [f"n{number}" for number in range(agents)]
    config = ReputationConfig(pretrusted=frozenset(names[:3]), alpha=rng.choice((0.05, 0.15, 0.5)))
    reputation = Reputation(config)
    reputation.meet(names)
    for _ in range(agents * 5):
        rater, rated = rng.sample(names, 2)
        reputation.record(rater, rated, rng.choice((-1.0, 1.0, 1.0, rng.uniform(-1.0, 1.0))), 0.0)
    ours = reputation.trust(0.0)
    theirs = pagerank(reputation, names, config)
    return max(abs(ours[name] - theirs[name]) for name in names)


def pagerank(reputation: Reputation, names: Sequence[str], config: ReputationConfig) -> Mapping[str, float]:
    """The same by networkx."""
    networkx: Any = import_module("networkx")
    graph = networkx.DiGraph()
    graph.add_nodes_from(names)
    for rater in names:
        for rated, weight in reputation.opinions(rater, 0.0).items():
            graph.add_edge(rater, rated, weight=weight)
    start = {name: float(name in config.pretrusted) for name in names}
    return networkx.pagerank(
        graph,
        alpha=1.0 - config.alpha,
        personalization=start,
        dangling=start,
        tol=1e-15 / len(names),
        max_iter=10_000,
    )
