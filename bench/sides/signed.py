"""agentbus with signed frames. The keys are made of fixed seeds: there is nothing here to be kept secret."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from agentbus import Node
from agentbus.security import Enrolment, Guard, KeyPair, signed_enrolment
from examples.bench.v1.bench_pb2 import Sample

from ..child import Channel
from .counting import Tally, at_once
from .ours import Hearer, Keeper
from .samples import SAMPLE_BYTES, sample_fields

ISSUER = KeyPair(bytes(32))
ISSUERS = {ISSUER.key: "worker"}
HOUR_S = 3600
WIDTH = 64


def guard_of(
    realm: str,
    node: str,
    *names: str,
    clock: Callable[[], float] = time.time,
    valid_s: int = HOUR_S,
    window_s: float = 30.0,
) -> Guard:
    """The guard of a node, enrolled from now on."""
    pair = KeyPair(node.encode().ljust(32, b"."))
    now_s = int(clock())
    enrolment = Enrolment(
        key=pair.key,
        realm=realm,
        node=node,
        names=names,
        role="worker",
        issued_s=now_s,
        expires_s=now_s + valid_s,
        issuer=ISSUER.key,
    )
    return Guard(pair, signed_enrolment(enrolment, ISSUER), ISSUERS, realm, window_s=window_s, clock=clock)


async def hear_events(
    channel: Channel, *, url: str, realm: str, count: int, signed: bool, durable: bool = False
) -> dict[str, Any]:
    """Receives events in an `@on` coroutine; `durable`: those that are stored."""
    tally = Tally(count)
    guard = guard_of(realm, "hearing", "hearer", "keeper") if signed else None
    agent = Keeper(tally) if durable else Hearer(tally)
    async with Node(url, realm=realm, name="hearing", guard=guard, agents=[agent]) as node:
        channel.tell("ready")
        began = time.process_time()
        result = await tally.result()
        return {**result, "refused": node.statistics().malformed, "cpu_s": time.process_time() - began}


async def publish_events(
    channel: Channel, *, url: str, realm: str, count: int, signed: bool, alone: bool, durable: bool = False
) -> dict[str, Any]:
    """Publishes a `Sample` in a loop. `alone`: each in a frame of its own; `durable`: each is stored, 64 at once."""
    message = Sample(**sample_fields())
    assert message.ByteSize() == SAMPLE_BYTES, f"the sample has {message.ByteSize()} bytes"
    guard = guard_of(realm, "speaking") if signed else None
    async with Node(url, realm=realm, name="speaking", guard=guard) as node:
        channel.tell("ready")
        await channel.told()
        began, cpu = time.monotonic(), time.process_time()
        if durable:
            await at_once(lambda: node.publish(message, durable=True), count, WIDTH)
        else:
            for _ in range(count):
                await node.publish(message, spread=alone)
        took = time.monotonic() - began
        frames = node.statistics().frames_sent
        while node.transport.congested:
            await node.transport.writable()
        cpu = time.process_time() - cpu
    return {"began_s": began, "took_s": took, "frames": frames or count, "cpu_s": cpu}
