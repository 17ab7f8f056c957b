"""Jobs that are delegated: one buyer and eight bidders, ours and on raw nats-py, by the same exchange.

A job is a call, eight bids, an award, seven rejections and a result: 18 publishes. The buyer waits for all bids, awards
to the lowest, waits for the result, then tells the others. In the raw exchange the bodies are a few bytes of text, and
nothing is typed, checked, logged or bounded by a deadline. Ours says the same in fewer publishes: the bids of one node
share one, and all rejections are one.
"""
# nats-py leaves the types of its options open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from statistics import median
from typing import Any

import nats
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from agentbus import Agent, Context, Node, cooperative
from examples.bench.v1.bench_pb2 import Answer, Question

from ..child import Channel
from .counting import at_once, one_at_a_time

BIDDERS = 8
WARM_UP = 64
WINDOW_S = 2.5
"""How long bids may take on a machine that does other things, too; bidding closes before, when all have answered."""


def cost_of(bidder: int, job: int) -> float:
    """What a job costs a bidder: each wins as often as the others."""
    return float((bidder * 5 + job * 3) % BIDDERS)


class Bidder(Agent):
    """Bids its cost; a job is to answer."""

    def __init__(self, number: int) -> None:
        self.number = number

    @cooperative(Question, Answer, concurrency=64)
    async def do(self, job: Question, ctx: Context) -> Answer:
        return Answer(number=job.number)

    @do.cost
    def cost(self, job: Question) -> float:
        return cost_of(self.number, job.number)


def _quietly() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))


async def bid(channel: Channel, *, url: str, realm: str, apart: bool) -> dict[str, Any]:
    """Eight agents, on one node or on a node each."""
    _quietly()
    async with AsyncExitStack() as nodes:
        groups = [[number] for number in range(BIDDERS)] if apart else [list(range(BIDDERS))]
        for group in groups:
            agents = {f"b{number}": Bidder(number) for number in group}
            await nodes.enter_async_context(Node(url, realm=realm, agents=agents))
        channel.tell("ready")
        await channel.told()
    return {}


async def delegate(channel: Channel, *, url: str, realm: str, count: int, width: int) -> dict[str, Any]:
    """Delegates `count` jobs, `width` at once."""
    _quietly()
    jobs = iter(range(1 << 60))
    async with Node(url, realm=realm) as node:

        async def job() -> None:
            number = next(jobs)
            answer = await node.delegate(Question(number=number), Answer, bid_window_s=WINDOW_S)
            assert answer.number == number

        return await _measured(channel, job, count, width)


async def _measured(channel: Channel, job: Any, count: int, width: int) -> dict[str, Any]:
    await at_once(job, max(WARM_UP, count // 10), width)
    channel.tell("ready")
    await channel.told()
    if width == 1:
        return {"rate": 1 / median(await one_at_a_time(job, count))}
    return {"rate": count / await at_once(job, count, width)}


async def raw_bid(channel: Channel, *, url: str, realm: str, apart: bool) -> dict[str, Any]:
    """Eight bidders on nats-py, on one connection or on one each."""
    async with AsyncExitStack() as connections:
        shared = None if apart else await nats.connect(url)
        for number in range(BIDDERS):
            client = shared or await nats.connect(url)
            await _raw_bidder(client, realm, number)
            await client.flush()
            if apart:
                connections.push_async_callback(client.close)
        if shared:
            connections.push_async_callback(shared.close)
        channel.tell("ready")
        await channel.told()
    return {}


async def _raw_bidder(client: Client, realm: str, number: int) -> None:
    open_jobs: dict[bytes, bytes] = {}

    async def called(message: Msg) -> None:
        job = message.data
        open_jobs[job] = job
        await client.publish(message.reply, b"%d %f" % (number, cost_of(number, int(job))))

    async def awarded(message: Msg) -> None:
        job, _ = message.data.split()
        await client.publish(message.reply, open_jobs.pop(job))

    async def rejected(message: Msg) -> None:
        job, _ = message.data.split()
        open_jobs.pop(job, None)

    await client.subscribe(f"{realm}.call", cb=called)
    await client.subscribe(f"{realm}.award.{number}", cb=awarded)
    await client.subscribe(f"{realm}.reject.{number}", cb=rejected)


async def raw_delegate(channel: Channel, *, url: str, realm: str, count: int, width: int) -> dict[str, Any]:
    """The buyer on nats-py: one inbox for all answers, a future for each step."""
    client = await nats.connect(url)
    inbox = client.new_inbox()
    jobs = iter(range(1 << 60))
    bids: dict[str, tuple[list[tuple[float, int]], asyncio.Future[None]]] = {}
    results: dict[str, asyncio.Future[bytes]] = {}
    loop = asyncio.get_running_loop()

    async def heard(message: Msg) -> None:
        _, step, job = message.subject.rsplit(".", 2)
        if step == "bid":
            offers, enough = bids[job]
            bidder, bid = message.data.split()
            offers.append((float(bid), int(bidder)))
            if len(offers) == BIDDERS:
                enough.set_result(None)
        else:
            results[job].set_result(message.data)

    async def job() -> None:
        number = str(next(jobs))
        offers: list[tuple[float, int]] = []
        enough = loop.create_future()
        bids[number] = offers, enough
        body = number.encode()
        await client.publish(f"{realm}.call", body, reply=f"{inbox}.bid.{number}")
        await enough
        del bids[number]
        price, winner = min(offers)
        results[number] = loop.create_future()
        word = b"%s %f" % (body, price)
        await client.publish(f"{realm}.award.{winner}", word, reply=f"{inbox}.result.{number}")
        assert await results[number] == body
        del results[number]
        for _, bidder in offers:
            if bidder != winner:
                await client.publish(f"{realm}.reject.{bidder}", word)

    await client.subscribe(f"{inbox}.>", cb=heard)
    await client.flush()
    measured = await _measured(channel, job, count, width)
    await client.close()
    return measured
