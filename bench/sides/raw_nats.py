"""Raw nats-py: bytes to callbacks."""
# nats-py leaves the types of its options open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingFetched

from ..child import Channel
from .counting import Tally, at_once, one_at_a_time
from .samples import octets


async def hear_events(channel: Channel, *, url: str, subject: str, count: int) -> dict[str, Any]:
    """Receives events in a coroutine callback."""
    client = await nats.connect(url)
    tally = Tally(count)

    async def heard(message: Msg) -> None:
        if message.data:
            tally.add()

    await client.subscribe(subject, cb=heard)
    await client.flush()
    channel.tell("ready")
    result = await tally.result()
    await client.close()
    return result


async def publish_events(channel: Channel, *, url: str, subject: str, count: int, size: int) -> dict[str, Any]:
    """Publishes the same bytes in a loop."""
    client = await nats.connect(url)
    payload = octets(size)
    channel.tell("ready")
    await channel.told()
    began = time.monotonic()
    for _ in range(count):
        await client.publish(subject, payload)
    await client.flush(timeout=30)
    took = time.monotonic() - began
    await client.close()
    return {"began_s": began, "took_s": took}


async def answer_requests(channel: Channel, *, url: str, subject: str) -> dict[str, Any]:
    """Answers each request with the bytes that came."""
    client = await nats.connect(url)

    async def answer(message: Msg) -> None:
        await message.respond(message.data)

    await client.subscribe(subject, cb=answer)
    await client.flush()
    channel.tell("ready")
    await channel.told()
    await client.close()
    return {}


async def ask(channel: Channel, *, url: str, subject: str, count: int, width: int, size: int) -> dict[str, Any]:
    """Asks `count` times, `width` at once."""
    client = await nats.connect(url)
    payload = octets(size)

    async def request() -> None:
        await client.request(subject, payload, timeout=5)

    await at_once(request, max(64, count // 10), width)
    channel.tell("ready")
    await channel.told()
    if width == 1:
        result = {"p50_us": median(await one_at_a_time(request, count)) * 1e6}
    else:
        result = {"rate": count / await at_once(request, count, width)}
    await client.close()
    return result


async def store_events(
    channel: Channel, *, url: str, stream: str, subject: str, count: int, width: int, size: int
) -> dict[str, Any]:
    """Publishes to a stream, each awaiting its acknowledgement, `width` at once."""
    client = await nats.connect(url)
    stored = client.jetstream()
    payload = octets(size)
    channel.tell("ready")
    await channel.told()
    began = time.monotonic()
    await at_once(lambda: stored.publish(subject, payload, stream=stream), count, width)
    took = time.monotonic() - began
    await client.close()
    return {"began_s": began, "took_s": took}


async def hear_stored(
    channel: Channel, *, url: str, stream: str, subject: str, count: int, width: int
) -> dict[str, Any]:
    """Makes a stream in files, and fetches from it, acknowledging each message."""
    client = await nats.connect(url)
    storage = client.jetstream()
    await storage.add_stream(name=stream, subjects=[subject], max_bytes=1 << 30)
    pulled = await storage.pull_subscribe(subject, durable="bench", stream=stream)
    tally = Tally(count)
    finished = asyncio.ensure_future(tally.result())
    channel.tell("ready")
    while tally.count < count and not finished.done():
        try:
            messages = await pulled.fetch(width, timeout=0.5)
        except NothingFetched:
            continue
        for message in messages:
            await message.ack()
            tally.add()
    result = await finished
    await client.flush()
    await client.close()
    return {**result, "unsettled": await unsettled(url, [stream])}


async def unsettled(url: str, streams: list[str]) -> int:
    """How many messages of the streams were not delivered to their consumers, or not acknowledged; deletes them."""
    client = await nats.connect(url)
    storage = client.jetstream()
    consumers = [info for stream in streams for info in await storage.consumers_info(stream)]
    for stream in streams:
        await storage.delete_stream(stream)
    await client.close()
    return sum((info.num_ack_pending or 0) + (info.num_pending or 0) for info in consumers)


async def subscribe_many(channel: Channel, *, url: str, count: int) -> dict[str, Any]:
    """Connects and subscribes `count` times."""
    from .memory_use import resident_bytes

    async def heard(message: Msg) -> None: ...

    before = resident_bytes()
    began = time.perf_counter()
    client: Client = await nats.connect(url)
    for place in range(count):
        await client.subscribe(f"many.{place}", cb=heard)
    await client.flush(timeout=30)
    took = time.perf_counter() - began
    grown = resident_bytes() - before
    await client.close()
    return {"took_s": took, "each_kib": grown / count / 1024}
