"""What the processes of a load test run: see `bench.child`."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from agentbus import Node

from ..child import Channel
from .generator import Generator
from .settings import Settings
from .strain import Strain
from .target import Targets

PROGRESS_S = 0.25
PATIENCE_S = 3.0
"""Seconds without an arrival after which what is missing is taken for lost."""


async def host(channel: Channel, *, settings: dict[str, Any], places: list[int]) -> dict[str, Any]:
    """Hosts agents; counts when asked; tells all when the test is over."""
    targets = Targets(Settings(**settings), places)
    async with targets.node:
        channel.tell("ready")
        targets.begin((await channel.told())["start_s"])
        async with Strain() as strain:
            while True:
                told = await channel.told(timeout_s=3600.0)
                if "finish" in told:
                    break
                channel.tell("count", received=targets.heard.received)
            result = {**await targets.finish(), "processor": strain.processor(), "loop_lag_s": strain.lag_s()}
        if told["finish"] == "clear":
            await targets.clear()
    return result


async def generate(channel: Channel, *, settings: dict[str, Any], place: int) -> dict[str, Any]:
    """Generates load; tells how far it is."""
    generator = Generator(Settings(**settings), place)
    asked = generator.settings
    async with Node(asked.url, realm=asked.realm, name=f"load-generator-{place}") as node:
        channel.tell("ready")
        start_s = (await channel.told())["start_s"]
        progress = asyncio.create_task(_tell_progress(channel, generator), name="progress")
        try:
            return await generator.run(node, start_s)
        finally:
            progress.cancel()


async def both(channel: Channel, *, settings: dict[str, Any]) -> dict[str, Any]:
    """Agents and generator in one process, for ``memory://``."""
    asked = Settings(**settings)
    targets = Targets(asked, range(asked.agents))
    generator = Generator(asked, 0)
    async with targets.node, Node(asked.url, realm=asked.realm, name="load-generator-0") as node:
        channel.tell("ready")
        start_s = (await channel.told())["start_s"]
        targets.begin(start_s)
        progress = asyncio.create_task(_tell_progress(channel, generator), name="progress")
        generated = await generator.run(node, start_s)
        progress.cancel()
        received, since = -1, time.monotonic()
        while targets.heard.received < generated["sent"] and time.monotonic() - since < PATIENCE_S:
            if targets.heard.received != received:
                received, since = targets.heard.received, time.monotonic()
            await asyncio.sleep(0.02)
        hosted = {**await targets.finish(), "processor": generated["processor"], "loop_lag_s": generated["loop_lag_s"]}
    return {"generated": generated, "hosted": hosted}


async def _tell_progress(channel: Channel, generator: Generator) -> None:
    while True:
        await asyncio.sleep(PROGRESS_S)
        channel.tell("progress", sent=generator.sent, failed=sum(generator.failures.values()))
