"""A team in virtual time: couriers with a policy, and boards."""

from __future__ import annotations

from agentbus import Agent, Context, cooperative
from agentbus.blackboard import Blackboard, BlackboardConfig, local
from agentbus.membership import Membership
from agentbus.membership import local as members
from agentbus.testing import Simulation
from examples.couriers.v1.couriers_pb2 import Delivery, Receipt

TEAM = "couriers"


class Courier(Agent):
    """Delivers, and shares what it knows while its weight is below 0.5."""

    def __init__(self, board: Blackboard) -> None:
        self.notes = board.seat(self, "deliver")

    @cooperative(Delivery, Receipt)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        self.notes.add("delivered")
        self.notes.put(f"to/{job.number}", ctx.me)
        return Receipt(number=job.number, courier=ctx.me)

    @deliver.cost
    def distance(self, job: Delivery) -> float:
        return abs(job.to_x - job.from_x)


async def join(
    sim: Simulation, name: str, config: BlackboardConfig | None = None, team: str = TEAM
) -> tuple[Blackboard, Courier]:
    """One more node of the team, with a courier of the node's name."""
    board = Blackboard(config or local())
    courier = Courier(board)
    agents = {"membership": Membership(members()), team: board, f"courier-{name}": courier}
    await sim.node(name, agents=agents)
    return board, courier


def same(*boards: Blackboard) -> bool:
    """Whether all boards are the same, to the byte."""
    return len({board.board.root for board in boards}) == 1 and len({board.board.spelled for board in boards}) == 1
