"""FastStream on NATS: pydantic models to coroutine subscribers. Its log of each message is off."""
# FastStream and pydantic live in a virtual environment of their own.
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUntypedBaseClass=false, reportUntypedFunctionDecorator=false, reportUnknownArgumentType=false

from __future__ import annotations

import time
from typing import Any

from faststream.nats import NatsBroker
from pydantic import BaseModel

from ..child import Channel
from .counting import Tally
from .samples import sample_fields


class Sample(BaseModel):
    """The same fields as the protobuf `Sample`."""

    sensor: str
    room: str
    celsius: float
    humidity: float
    number: int
    note: str


async def hear_events(channel: Channel, *, url: str, subject: str, count: int) -> dict[str, Any]:
    """Receives events in a subscriber that takes the model."""
    broker = NatsBroker(url, logger=None)
    tally = Tally(count)

    @broker.subscriber(subject)
    async def heard(sample: Sample) -> None:
        if sample.room:
            tally.add()

    async with broker:
        await broker.start()
        channel.tell("ready")
        return await tally.result()


async def publish_events(channel: Channel, *, url: str, subject: str, count: int) -> dict[str, Any]:
    """Publishes the same model in a loop."""
    sample = Sample(**sample_fields())
    async with NatsBroker(url, logger=None) as broker:
        channel.tell("ready")
        await channel.told()
        began = time.monotonic()
        for _ in range(count):
            await broker.publish(sample, subject)
        took = time.monotonic() - began
    return {"began_s": began, "took_s": took}
