"""Agents for the command to find."""

from __future__ import annotations

from agentbus import Agent, Context, Refused, cooperative, on, rpc
from examples.climate.v1.climate_pb2 import Reading, TargetReply, TargetRequest


class Thermostat(Agent):
    """Keeps a room at its target."""

    version = "1.2.3"

    def __init__(self, target: float) -> None:
        self.target = target

    @on(Reading)
    async def regulate(self, reading: Reading, ctx: Context) -> None:
        if reading.celsius > 100:
            raise ValueError("it burns")

    @rpc(TargetRequest, TargetReply)
    async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        if self.target == 13:
            raise Refused("not on the 13th")
        if self.target == 0:
            raise ValueError("absolute zero,\nor \x1b[31mso")
        return TargetReply(celsius=self.target)


class Echo(Agent):
    """Says what it hears, louder."""

    @rpc(Reading, Reading)
    async def louder(self, reading: Reading, ctx: Context) -> Reading:
        return Reading(room=reading.room.upper(), celsius=reading.celsius + 1)


class Courier(Agent):
    """Bids for readings."""

    @cooperative(Reading, Reading)
    async def deliver(self, job: Reading, ctx: Context) -> Reading:
        return job

    @deliver.cost
    def cost(self, job: Reading) -> float:
        return 1.0
