"""A team in virtual time: couriers with a policy, and boards."""

from __future__ import annotations

from collections.abc import Sequence

from agentbus import Agent, Context, Peer, PeerId, PeerView, cooperative
from agentbus.blackboard import Blackboard, BlackboardConfig, local
from agentbus.blackboard.codec import BoardStatusRequest
from agentbus.bus import MAX_HOPS
from agentbus.membership import Membership
from agentbus.membership import local as members
from agentbus.messages import full_name
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


class Everyone:
    """A view in which the boards of all these nodes are alive, whatever happens to them."""

    def __init__(self, nodes: Sequence[str]) -> None:
        answers = (full_name(BoardStatusRequest),)
        self._peers = [Peer(id=PeerId(TEAM, 1), node=node, answers=answers) for node in nodes]

    def alive(self) -> Sequence[Peer]:
        return self._peers

    def get(self, name: str) -> Peer | None:
        return None


async def join(
    sim: Simulation,
    name: str,
    config: BlackboardConfig | None = None,
    team: str = TEAM,
    peers: PeerView | None = None,
    max_hops: int = MAX_HOPS,
) -> tuple[Blackboard, Courier]:
    """One more node of the team, with a courier; beside membership, unless it is told who its peers are."""
    board = Blackboard(config or local())
    courier = Courier(board)
    agents: dict[str, Agent] = {} if peers else {"membership": Membership(members())}
    await sim.node(name, agents={**agents, team: board, f"courier-{name}": courier}, peers=peers, max_hops=max_hops)
    return board, courier


def same(*boards: Blackboard) -> bool:
    """Whether all boards are the same, to the byte."""
    return len({board.board.root for board in boards}) == 1 and len({board.board.spelled for board in boards}) == 1
