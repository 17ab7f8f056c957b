"""``python -m bench.negotiation``: what delegating costs, how well it assigns, and what margins waste.

* ``rate``: jobs delegated a second, on NATS, against the same exchange on raw nats-py (`bench.figures.contracts`).
* ``assignment``: n jobs offered to n cooperative agents who take one each, the values uniform from 0 to 1: the total
  against the optimum (scipy's Hungarian method), the mean of the seeds. The bar is for jobs that are offered at once,
  as by a buyer who has n; beside it, one after the other.
* ``welfare``: the value of what is done less its cost, as a function of the weight, from 0 to 1, among agents with
  unequal markups (0 to 2), jobs of unequal values (0.5 to 1.5) and costs (0.3 to 1.3); the mean of the seeds. Both
  ends are also run with `@cooperative` and `@competitive`.

The last two run the library's own policies, award rules and contract net, without a wire. Exit status with
``--check``: 1 when a bar is missed.
"""
# scipy leaves its types open.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from math import sqrt
from pathlib import Path
from random import Random
from statistics import mean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table

from agentbus import Agent, Context, competitive, cooperative, hybrid, lowest_bid
from agentbus.awards import Bid
from agentbus.errors import Refused
from agentbus.negotiation import Accept, Declined, Fell, Negotiation, Performed, Proposed, Terms
from agentbus.policies import Past, PolicyState
from agentbus.specs import PolicySpec
from examples.bench.v1.bench_pb2 import Answer, Question

from . import machine, table
from .broker import nats_server
from .figures.contracts import FIGURE
from .frame import Ground, measure

RESULTS = Path(__file__).parent / "results" / "negotiation.json"
SIZES = (10, 50, 200)
AGENTS, JOBS = 5, 40
MARKUPS = (0.0, 2.0)
VALUES = (0.5, 1.5)
COSTS = (0.3, 1.3)
"""The market of the welfare, drawn uniformly: a markup for each agent, a value for each job, a cost for each pair."""
STEPS = 20
NOISE = 2.0
"""Standard errors of the difference between neighbours on the curve that a rise may have."""


Values = list[list[float]]
"""What each agent makes of each job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. `bar`: the least that is asked; None: told only."""

    what: str
    value: float
    bar: float | None = None
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether the bar is missed."""
        return self.bar is not None and not self.value >= self.bar


def delegated(
    job: Question, value: float | None, agents: Sequence[tuple[PolicyState, float | None]]
) -> tuple[int, float] | None:
    """One job by the library's contract net, without a wire: who does it, and what it costs; None: nobody.

    Args:
        agents: each one's policy, and what the job would cost it.
    """
    names = [str(number) for number in range(len(agents))]
    net = Negotiation(lowest_bid(), value=value, expected=names, now=0.0, window_s=1.0, deadline_s=2.0)
    for name, (policy, cost) in zip(names, agents, strict=True):
        decision = policy.decide(job, Terms(value=value), lambda _, cost=cost: cost, 0.0)
        if decision.bid is None:
            effects = net.handle(Declined(name, decision.refusal or Refused("")), 0.0)
        else:
            effects = net.handle(Proposed(Bid(bidder=name, bid=decision.bid, weight=decision.weight or 0.0)), 0.0)
        for effect in effects:
            if isinstance(effect, Accept):
                winner = effect.ranked.bid.bidder
                net.handle(Performed(winner), 0.0)
                spent = agents[int(winner)][1]
                assert spent is not None
                return int(winner), spent
    return None


class Helper(Agent):
    """Bids its cost."""

    @cooperative(Question, Answer)
    async def do(self, job: Question, ctx: Context) -> Answer:
        return Answer()

    @do.cost
    def cost(self, job: Question) -> float:
        return 0.0


class Mixed(Agent):
    """Bids between its cost and what its strategy says."""

    @hybrid(Question, Answer, weight=0.5)
    async def do(self, job: Question, ctx: Context) -> Answer:
        return Answer()

    @do.cost
    def cost(self, job: Question) -> float:
        return 0.0


class Trader(Agent):
    """Bids what its strategy says."""

    @competitive(Question, Answer)
    async def do(self, job: Question, ctx: Context) -> Answer:
        return Answer()

    @do.cost
    def cost(self, job: Question) -> float:
        return 0.0


def policy_of(kind: type[Agent], markup: float = 0.0) -> PolicyState:
    """The policy of an agent class that has one, with a strategy that adds a markup."""

    def strategy(cost: float, terms: Terms, history: Sequence[Past], /) -> float:
        return cost * (1 + markup)

    (spec,) = kind.behaviors.rpc
    assert isinstance(spec, PolicySpec)
    return PolicyState(replace(spec, strategy=strategy))


def one_after_the_other(values: Values) -> float:
    """Each job is offered when the last is done; who has one does no other. Returns the total value."""
    size = len(values)
    policy = policy_of(Helper)
    free = [True] * size
    total = 0.0
    for number in range(size):
        costs = [1.0 - values[agent][number] if free[agent] else None for agent in range(size)]
        done = delegated(Question(number=number), None, [(policy, cost) for cost in costs])
        assert done is not None
        free[done[0]] = False
        total += 1.0 - done[1]
    return total


def at_once(values: Values) -> float:
    """All jobs are offered at once, and all agents bid for all; who was awarded one refuses the others, and the next
    best bid is taken. Returns the total value."""
    size = len(values)
    names = [str(number) for number in range(size)]
    nets = [Negotiation(lowest_bid(), value=None, expected=names, now=0.0, window_s=1.0, deadline_s=2.0) for _ in names]
    awards: deque[tuple[int, int]] = deque()
    for job, net in enumerate(nets):
        for agent, name in enumerate(names):
            effects = net.handle(Proposed(Bid(bidder=name, bid=1.0 - values[agent][job], weight=0.0)), 0.0)
            awards.extend((job, int(effect.ranked.bid.bidder)) for effect in effects if isinstance(effect, Accept))
    has: dict[int, int] = {}
    while awards:
        job, agent = awards.popleft()
        if has.setdefault(agent, job) == job:
            nets[job].handle(Performed(str(agent)), 0.0)
            continue
        effects = nets[job].handle(Fell(str(agent), Refused("it has a job by now")), 0.0)
        awards.extend((job, int(effect.ranked.bid.bidder)) for effect in effects if isinstance(effect, Accept))
    return sum(values[agent][job] for agent, job in has.items())


def ratio(size: int, seed: int, offered: Callable[[Values], float]) -> float:
    """How near to the optimum cooperative agents come, one job each."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    rng = Random(seed)
    values = [[rng.random() for _ in range(size)] for _ in range(size)]
    chosen: Any = linear_sum_assignment(np.array(values), maximize=True)
    return offered(values) / sum(values[row][column] for row, column in zip(*chosen, strict=True))


def assignment_rows(seeds: int) -> Iterator[Row]:
    """The contract net against the optimum."""
    for size in SIZES:
        runs = max(1, seeds * SIZES[0] // size)
        for how, offered, bar in (("at once", at_once, 0.92), ("one after the other", one_after_the_other, None)):
            found = [ratio(size, seed, offered) for seed in range(runs)]
            note = f"mean of {runs} seeds, {min(found):.3f} to {max(found):.3f}, standard error {spread(found):.4f}"
            what = f"one job an agent, n = {size}, offered {how}, to the optimum"
            yield Row(what=what, value=mean(found), bar=bar, note=note)


def spread(found: Sequence[float]) -> float:
    """The standard error of a mean."""
    return stdev(found) / sqrt(len(found)) if len(found) > 1 else 0.0


def welfare(seed: int, kind: type[Agent], weight: float | None = None) -> float:
    """Of one seed's market, among agents of a kind, with that weight if it is said."""
    rng = Random(seed)
    markups = [rng.uniform(*MARKUPS) for _ in range(AGENTS)]
    policies = [policy_of(kind, markup) for markup in markups]
    for policy in policies:
        policy.weight = policy.weight if weight is None else weight
    total = 0.0
    for number in range(JOBS):
        value = rng.uniform(*VALUES)
        costs = [rng.uniform(*COSTS) for _ in range(AGENTS)]
        done = delegated(Question(number=number), value, list(zip(policies, costs, strict=True)))
        total += value - done[1] if done else 0.0
    return total


def welfare_rows(seeds: int) -> tuple[list[Row], list[tuple[float, float, float]]]:
    """The figures, and the curve: weight, mean, standard error."""
    weights = [step / STEPS for step in range(STEPS + 1)]
    runs = [[welfare(seed, Mixed, weight) for seed in range(seeds)] for weight in weights]
    rises: list[float] = []
    for before, after in pairwise(runs):
        steps = [b - a for a, b in zip(before, after, strict=True)]
        rises.append(mean(steps) - NOISE * spread(steps))
    pure = [welfare(seed, Helper) for seed in range(seeds)]
    selfish = [welfare(seed, Trader) for seed in range(seeds)]
    note = f"mean of {seeds} seeds: W(0) {mean(runs[0]):.3f}, W(1) {mean(runs[-1]):.3f}"
    rows = [
        Row(what="welfare, W(0) / W(1)", value=mean(runs[0]) / mean(runs[-1]), bar=1.1, note=note),
        Row(what="welfare: steps that rise beyond the noise, 1 for none", value=float(max(rises) <= 0), bar=1.0),
        Row(
            what="welfare: the ends are the pure policies', 1 if so",
            value=float(runs[0] == pure and runs[-1] == selfish),
            bar=1.0,
        ),
    ]
    return rows, [(weight, mean(run), spread(run)) for weight, run in zip(weights, runs, strict=True)]


def picture(curve: Sequence[tuple[float, float, float]]) -> str:
    """The curve as SVG: the mean, and a band of two standard errors."""
    low = min(value - 2 * error for _, value, error in curve)
    high = max(value + 2 * error for _, value, error in curve)

    def at(weight: float, value: float) -> str:
        return f"{60 + 500 * weight:.1f},{20 + 260 * (high - value) / (high - low or 1.0):.1f}"

    line = " ".join(at(weight, value) for weight, value, _ in curve)
    upper = [at(weight, value + 2 * error) for weight, value, error in curve]
    lower = [at(weight, value - 2 * error) for weight, value, error in reversed(curve)]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 330" font-family="sans-serif" font-size="12">'
        '<rect width="600" height="330" fill="#fff"/>'
        f'<polygon points="{" ".join(upper + lower)}" fill="#4c9a2a" opacity="0.25"/>'
        f'<polyline points="{line}" fill="none" stroke="#1a7f37" stroke-width="2"/>'
        f'<text x="4" y="24">{high:.2f}</text><text x="4" y="284">{low:.2f}</text>'
        '<text x="50" y="300">0, cooperative</text><text x="490" y="300">1, competitive</text>'
        '<text x="220" y="320">welfare as a function of the weight</text></svg>\n'
    )


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.negotiation", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=["rate", "assignment", "welfare"], help="some of the figures")
    parser.add_argument("--seeds", type=int, default=200, help="of welfare, and of assignment at n = 10")
    parser.add_argument("--rounds", type=int, help="of rate; by default 5")
    parser.add_argument("--quick", action="store_true", help="few seeds and jobs: whether it works, no numbers")
    parser.add_argument(
        "--json", type=Path, default=RESULTS, metavar="FILE", help=f"by default {RESULTS}; a plot beside"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 when a bar is missed")
    return parser.parse_args(argv)


def show(console: Console, rows: Sequence[Row]) -> None:
    """Prints the table."""
    shown = Table(title="Negotiation", title_justify="left")
    for heading in ("figure", "value", "bar", "verdict", "note"):
        shown.add_column(heading, overflow="fold")
    for row in rows:
        verdict = "" if row.bar is None else "[bold red]missed[/]" if row.missed else "[green]met[/]"
        shown.add_row(row.what, f"{row.value:.4f}", "" if row.bar is None else f">= {row.bar:g}", verdict, row.note)
    console.print(shown)


async def _rate(quick: bool, rounds: int | None, console: Console) -> Any:
    async with nats_server() as url:
        with console.status("starting") as status:
            ground = Ground(url, quick, machine.python_with)
            return await measure(FIGURE, ground, rounds or (1 if quick else FIGURE.rounds), status.update)


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints, writes. Returns 1 when a side failed, or a bar was missed and ``--check`` was given."""
    asked = arguments(argv)
    wanted = asked.only or ["rate", "assignment", "welfare"]
    seeds = 4 if asked.quick else asked.seeds
    console = Console(width=None if sys.stdout.isatty() else 200)
    about = machine.description()
    rows: list[Row] = []
    document: dict[str, Any] = {"about": about}
    bad: set[str] = set()
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    if "assignment" in wanted:
        rows.extend(assignment_rows(seeds))
    if "welfare" in wanted:
        found, curve = welfare_rows(seeds)
        rows.extend(found)
        document["welfare"] = curve
        asked.json.with_suffix(".svg").write_text(picture(curve))
    if rows:
        show(console, rows)
    if "rate" in wanted:
        outcome = asyncio.run(_rate(asked.quick, asked.rounds, console))
        busy = machine.busy(about) or asked.quick
        table.show(console, [outcome], about, busy)
        document["rate"] = table.document([outcome], about, busy)
        bad = {row.verdict for row in outcome.rows}
    document["figures"] = [{**asdict(row), "missed": row.missed} for row in rows]
    asked.json.write_text(json.dumps(document, indent=1) + "\n")
    missed = "missed" in bad or any(row.missed for row in rows)
    return int("failed" in bad or (asked.check and missed))


if __name__ == "__main__":
    sys.exit(main())
