"""``python -m bench.blackboard``: how soon a team knows the same, and what that costs.

In virtual time, on the library's own simulation, with delays of 1 to 5 ms; all chance is decided by the seed. Times are
in periods, the median and the greatest of the seeds: from the write until all boards are the same.

* ``one``: one node writes one note;
* ``all``: each node writes a note of its own and adds to one counter;
* ``loss``: the same when a fifth of all messages is lost;
* ``heal``: both halves have written 50 notes while they were cut off from one another; from the heal on;
* ``newcomer``: a node begins, and there are 1,000 notes of 100 bytes;
* ``rest``: bytes that a node sends in a period when there is nothing new, with its frame, with 1,000 notes;
* ``busy``: the same while each node writes a note of 16 bytes in each period.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from agentbus import Agent, Context, Peer, PeerId, cooperative
from agentbus.blackboard import Blackboard, Seat, local
from agentbus.blackboard.codec import BoardStatusRequest
from agentbus.errors import AgentBusError
from agentbus.limits import Watcher
from agentbus.messages import full_name
from agentbus.testing import Simulation
from agentbus.transport import FrameGuard, Job, Opened, Transport
from examples.bench.v1.bench_pb2 import Answer, Question

from .table import number

RESULTS = Path(__file__).parent / "results" / "blackboard.json"
SIZES = (8, 32, 128)
SEEDS = 10
TEAM = "team"
PERIOD_S = local().period_s
NOTES = 1_000
WATCHED = 50
"""Periods in which bytes are counted."""


class Mate(Agent):
    """Has a policy, and so a seat."""

    @cooperative(Question, Answer)
    async def do(self, job: Question, ctx: Context) -> Answer:
        return Answer()

    @do.cost
    def cost(self, job: Question) -> float:
        return 0.0


class Everyone:
    """A view in which all nodes are alive: membership is measured elsewhere."""

    def __init__(self) -> None:
        self.nodes: list[str] = []

    def alive(self) -> Sequence[Peer]:
        """All boards."""
        answers = (full_name(BoardStatusRequest),)
        return [Peer(id=PeerId(TEAM, 1), node=node, answers=answers) for node in self.nodes]

    def get(self, name: str) -> Peer | None:
        """Nobody asks."""
        return None


class Scales(FrameGuard):
    """A guard of all nodes that trusts everybody, and weighs what is sent."""

    def __init__(self) -> None:
        self.watcher: Watcher | None = None
        self.frames = 0
        self.bytes = 0

    @property
    def overhead(self) -> int:
        """The sender and its epoch."""
        return 100

    def begin(self, transport: Transport, *, realm: str, node: str, clock_us: Callable[[], int]) -> None:
        """Of any node."""

    def end(self) -> None:
        """Nothing to end."""

    def vouch(self, name: str) -> None:
        """Anybody may speak."""

    def claim(self, consumer: str, opened: Opened, job: Job, then: Callable[[Job, AgentBusError | None], None]) -> None:
        """All is new."""
        then(job, None)

    def seal(self, body: bytes, *, subject: str, reply: str, source: str, epoch: int, durable: bool) -> bytes:
        """Weighs."""
        self.frames += 1
        self.bytes += len(body)
        return f"{source}|{epoch}|".encode() + body

    def open(self, sealed: bytes, *, subject: str, reply: str, ear: str, durable: bool) -> tuple[bytes, Opened]:
        """As it says of itself."""
        source, epoch, body = sealed.split(b"|", 2)
        return body, Opened(source.decode(), int(epoch), 1)


class Team:
    """Boards on nodes of one simulation."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.view = Everyone()
        self.scales = Scales()
        self.boards: list[Blackboard] = []
        self.seats: list[Seat] = []

    async def join(self) -> None:
        """One node more."""
        board, mate = Blackboard(local()), Mate()
        name = f"n{len(self.boards)}"
        self.view.nodes.append(name)
        await self.sim.node(name, agents={TEAM: board, name: mate}, peers=self.view, guard=self.scales)
        self.boards.append(board)
        self.seats.append(board.seat(mate, "do"))

    async def periods(self) -> float:
        """Periods from now until all boards are the same."""
        began = self.sim.now()
        await self.sim.until(lambda: len({board.board.root for board in self.boards}) == 1)
        return (self.sim.now() - began) / PERIOD_S


async def gathered(sim: Simulation, size: int) -> Team:
    """A team of so many, at rest."""
    team = Team(sim)
    for _ in range(size):
        await team.join()
    sim.link(delay_s=(0.001, 0.005))
    await sim.sleep(5 * PERIOD_S)
    return team


async def one(sim: Simulation, size: int) -> float:
    """One writes."""
    team = await gathered(sim, size)
    team.seats[0].put("x", 1)
    return await team.periods()


async def everybody(sim: Simulation, size: int, loss: float = 0.0) -> float:
    """All write."""
    team = await gathered(sim, size)
    sim.link(delay_s=(0.001, 0.005), loss=loss)
    for index, seat in enumerate(team.seats):
        seat.put(f"k{index}", index)
        seat.add("n")
    return await team.periods()


async def lossy(sim: Simulation, size: int) -> float:
    """All write, a fifth is lost."""
    return await everybody(sim, size, 0.2)


async def heal(sim: Simulation, size: int) -> float:
    """Two halves meet again."""
    team = await gathered(sim, size)
    sim.partition(team.view.nodes[: size // 2], [*team.view.nodes[size // 2 :], "broker"])
    for index in range(50):
        team.seats[index % (size // 2)].put(f"left {index}", index)
        team.seats[size // 2 + index % (size // 2)].put(f"right {index}", index)
    await sim.sleep(30 * PERIOD_S)
    sim.heal()
    return await team.periods()


async def newcomer(sim: Simulation, size: int) -> float:
    """One more comes to a full board."""
    team = await gathered(sim, size)
    await fill(team)
    await team.join()
    return await team.periods()


async def fill(team: Team) -> None:
    """A thousand notes, everywhere."""
    for index in range(NOTES):
        team.seats[0].put(f"note/{index}", "x" * 100)
    await team.periods()
    await team.sim.sleep(60 * PERIOD_S)  # until it is no news any more


async def rest(sim: Simulation, size: int) -> float:
    """Bytes when nothing is new."""
    team = await gathered(sim, size)
    await fill(team)
    before = team.scales.bytes
    await sim.sleep(WATCHED * PERIOD_S)
    return (team.scales.bytes - before) / size / WATCHED


async def busy(sim: Simulation, size: int) -> float:
    """Bytes when all write all the time."""
    team = await gathered(sim, size)
    before = team.scales.bytes
    for index in range(WATCHED):
        for number_, seat in enumerate(team.seats):
            seat.put(f"where/{number_}", b"%16d" % index)
        await sim.sleep(PERIOD_S)
    return (team.scales.bytes - before) / size / WATCHED


FIGURES: dict[str, tuple[Callable[[Simulation, int], Coroutine[Any, Any, float]], str]] = {
    "one": (one, "periods"),
    "all": (everybody, "periods"),
    "loss": (lossy, "periods"),
    "heal": (heal, "periods"),
    "newcomer": (newcomer, "periods"),
    "rest": (rest, "bytes a node and period"),
    "busy": (busy, "bytes a node and period"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure at one size."""

    figure: str
    nodes: int
    unit: str
    median: float
    greatest: float
    seeds: int


def measured(name: str, size: int, seeds: int) -> Row:
    """One figure, from so many seeds. Raises what its simulation does, with the seed."""
    figure, unit = FIGURES[name]

    def run(seed: int) -> float:
        return Simulation(seed).run(lambda sim: figure(sim, size))

    values = [run(seed) for seed in range(seeds)]
    return Row(figure=name, nodes=size, unit=unit, median=median(values), greatest=max(values), seeds=seeds)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs, prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m bench.blackboard", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(FIGURES), default=list(FIGURES), metavar="NAME")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="nodes; by default 8 32 128")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="by default 10; bytes are of one")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help=f"by default {RESULTS}")
    options = parser.parse_args(argv)
    rows: list[Row] = []
    for name in options.only:
        seeds = options.seeds if FIGURES[name][1] == "periods" else 1
        rows += [measured(name, size, seeds) for size in options.sizes]
    table = Table(title="a team's board, in virtual time", title_justify="left")
    for heading in ("figure", "nodes", "median", "greatest", "unit", "seeds"):
        table.add_column(heading)
    for row in rows:
        table.add_row(row.figure, str(row.nodes), number(row.median), number(row.greatest), row.unit, str(row.seeds))
    Console().print(table)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
