"""What any transport must keep while its broker is away and when it is back. For kits that can stop the broker.

Reference: the docstring of `agentbus.transport`.
"""

from __future__ import annotations

import asyncio

from ..errors import NotConnected
from ..transport import Transport
from .conformance_ground import Check, Ground, is_linked, promise, refused, refused_async, require, send_until_taken
from .conformance_streams import ack, consume, consumer, store

LOST_S = 10.0
"""Seconds within which a transport notices that its broker has stopped, or is back."""


async def broker_gone(ground: Ground, *links: Transport) -> None:
    """Stops the broker, and returns when all of `links` know."""
    await ground.broker.stop()
    for link in links:
        await ground.until(lambda link=link: not is_linked(link), "a stopped broker was not noticed", within_s=LOST_S)


async def broker_back(ground: Ground, *links: Transport) -> None:
    """Starts the broker, and returns when all of `links` are connected."""
    await ground.broker.start()
    for link in links:
        await ground.until(lambda link=link: is_linked(link), "no link after the broker's restart", within_s=LOST_S)


@promise("while there is no link send and flush raise NotConnected at once, and nothing is sent later", deadline_s=30.0)
async def nothing_is_buffered(ground: Ground) -> None:
    sender, listener = await ground.link(), await ground.link()
    inbox, subject = ground.inbox(), ground.subject("news")
    await ground.listen(listener, subject, inbox)
    await broker_gone(ground, sender, listener)
    refused(lambda: sender.send(subject, b"lost"), NotConnected, "send without a link")
    await refused_async(sender.flush(timeout_s=1.0), NotConnected, "flush without a link")
    await broker_back(ground, listener)
    await send_until_taken(ground, sender, subject, b"after")
    await ground.settle(sender, listener)
    require(inbox.bodies == [b"after"], f"after the outage heard {inbox.bodies}")


@promise("subscriptions, also those made without a link, are there again before connected is true", deadline_s=30.0)
async def subscriptions_outlive_the_link(ground: Ground) -> None:
    link = await ground.link()
    inbox, added, ended = ground.inbox(), ground.inbox(), ground.inbox()
    subject = ground.subject("news")
    await ground.listen(link, subject, inbox)
    subscription = await ground.listen(link, subject, ended)
    await broker_gone(ground, link)
    link.subscribe(subject, added)
    subscription.unsubscribe()
    await ground.broker.start()
    await send_until_taken(ground, link, subject, b"after")
    await ground.settle(link)
    require(inbox.bodies == [b"after"], f"the old subscription heard {inbox.bodies}")
    require(added.bodies == [b"after"], f"the one made without a link heard {added.bodies}")
    require(not ended.items, "the one ended without a link is back")


@promise("stored messages survive the broker's restart, and consuming goes on", deadline_s=40.0)
async def consuming_goes_on(ground: Ground) -> None:
    link = await ground.link()
    stream, worker, subject = await ground.stream(link), ground.worker(), ground.subject("log", "a")
    await consume(ground, link, consumer(stream, ack_wait_s=2.0), worker)
    await store(link, subject, [b"1", b"2"])
    held = await worker.wait(2, "jobs before the outage")
    held[0].ack()
    await link.flush()
    await broker_gone(ground, link)
    worker.settle_with(ack)
    await broker_back(ground, link)
    await store(link, subject, [b"3"])
    await ground.until(lambda: {b"2", b"3"} <= set(worker.bodies[2:]), "jobs after the outage", within_s=20.0)


@promise("store tries again until its time is over, across a reconnect, and stores once", deadline_s=40.0)
async def store_across_an_outage(ground: Ground) -> None:
    link = await ground.link()
    stream, worker, subject = await ground.stream(link), ground.worker(ack), ground.subject("log", "a")
    await broker_gone(ground, link)
    storing = asyncio.create_task(
        link.store(subject, b"one", message_id="m1", timeout_s=20.0), name="conformance-store"
    )
    try:
        await asyncio.sleep(0)
        await ground.broker.start()
        stored = await storing
    finally:
        storing.cancel()
    require(stored.stream == stream.name, f"stored as {stored}")
    await consume(ground, link, consumer(stream), worker)
    await worker.wait(1, "the job that was stored across an outage", within_s=LOST_S)
    await ground.settle(link)
    require(worker.bodies == [b"one"], f"delivered {worker.bodies}")


OUTAGE: tuple[Check, ...] = (
    nothing_is_buffered,
    subscriptions_outlive_the_link,
    consuming_goes_on,
    store_across_an_outage,
)
