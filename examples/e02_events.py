"""Events: publish on a topic, listen by pattern.

A topic is words joined by dots. In a listener's pattern ``*`` stands for one word, and ``>`` at the end for one or
more. ``@on(Reading)`` without a topic hears every Reading there is. Events are live: whoever isn't there misses them
(example 5 has events that wait). From one publisher to one topic they arrive in order.
"""

from __future__ import annotations

import asyncio

from agentbus import Agent, Context, Node, on

from .climate.v1.climate_pb2 import Reading
from .starting import start

ROOMS = {"house.hall.north": 19.5, "house.hall.south": 21.0, "house.cellar": 12.0, "garden": 4.5}


class Listener(Agent):
    """Notes what it hears, by pattern."""

    def __init__(self) -> None:
        self.heard: dict[str, list[str]] = {}
        self.count = asyncio.Semaphore(0)

    @on(Reading)
    async def everything(self, reading: Reading, ctx: Context) -> None:
        """No topic: all."""
        self.note("everything", reading)

    @on(Reading, topic="house.hall.*")
    async def hall(self, reading: Reading, ctx: Context) -> None:
        """`*` is exactly one word."""
        self.note("house.hall.*", reading)

    @on(Reading, topic="house.>")
    async def house(self, reading: Reading, ctx: Context) -> None:
        """`>` is one word or more."""
        self.note("house.>", reading)

    @on(Reading, topic="garden")
    async def garden(self, reading: Reading, ctx: Context) -> None:
        """Exactly this topic."""
        self.note("garden", reading)

    def note(self, pattern: str, reading: Reading) -> None:
        """Keeps the room's name."""
        self.heard.setdefault(pattern, []).append(reading.room)
        self.count.release()


async def main(url: str | None) -> None:
    """One listener with four ears, and four readings."""
    listener = Listener()
    async with Node(url, realm="e02", agents=[listener]), Node(url, realm="e02", name="sensors") as sensors:
        for topic, celsius in ROOMS.items():
            await sensors.publish(Reading(room=topic.rpartition(".")[2], celsius=celsius), topic=topic)
        async with asyncio.timeout(5.0):
            for _ in range(4 + 2 + 3 + 1):
                await listener.count.acquire()
    for pattern in ("everything", "house.hall.*", "house.>", "garden"):
        print(f"{pattern:<13} heard {', '.join(sorted(listener.heard[pattern]))}")


if __name__ == "__main__":
    start(main)
