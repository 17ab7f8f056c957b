"""Sides for the tests of `bench.processes`."""

from __future__ import annotations

import time
from typing import Any

from bench.child import Channel


async def greet(channel: Channel, *, name: str) -> dict[str, Any]:
    print("not JSON")  # noqa: T201 - what is tested
    channel.tell("ready", name=name)
    return {"number": (await channel.told())["number"] + 1}


async def fail(channel: Channel) -> dict[str, Any]:
    raise RuntimeError("the reason")


async def hang(channel: Channel) -> dict[str, Any]:
    channel.tell("ready")
    time.sleep(60)  # noqa: ASYNC251 - a side whose event loop stands still
    return {}
