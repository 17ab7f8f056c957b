"""A small house: thermostats and sensors. Host them from the shell, each in a process of its own::

agentbus run examples.climate:Thermostat --name hall
agentbus run examples.climate:Sensor --set room=hall
agentbus ps
"""

from __future__ import annotations

from agentbus import Agent, Context, every, on, on_start, rpc

from .v1.climate_pb2 import Alarm, Reading, TargetReply, TargetRequest

TOO_WARM = 5.0
"""Degrees above the target at which a thermostat raises an alarm."""


class Thermostat(Agent):
    """Keeps a room at its target.

    Args:
        target: degrees Celsius.
    """

    def __init__(self, target: float = 21.0) -> None:
        self.target = target

    @on_start
    async def greet(self, ctx: Context) -> None:
        """Says that it is there."""
        ctx.log.info("up", target=self.target)

    @on(Reading, topic="hall.*")
    async def regulate(self, reading: Reading, ctx: Context) -> None:
        """Raises an alarm when a room of the hall is much too warm."""
        if reading.celsius > self.target + TOO_WARM:
            await ctx.publish(Alarm(room=reading.room, celsius=reading.celsius), topic=reading.room)

    @rpc(TargetRequest, TargetReply)
    async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        """Tells the target."""
        return TargetReply(celsius=self.target)


class Sensor(Agent):
    """Measures a room of the hall once a second; the temperature wanders.

    Args:
        room: one word.
        celsius: where it begins.
    """

    def __init__(self, room: str = "north", celsius: float = 20.0) -> None:
        self.room = room
        self.celsius = celsius

    @every(1.0, immediately=True)
    async def measure(self, ctx: Context) -> None:
        """Publishes a reading."""
        self.celsius += ctx.rng.uniform(-0.5, 0.5)
        await ctx.publish(Reading(room=self.room, celsius=self.celsius), topic=f"hall.{self.room}")
