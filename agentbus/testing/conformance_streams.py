"""What any transport must keep for streams: what they take, what they know again, what their limits drop.

Reference: the docstring of `agentbus.transport`, and JetStream's for limits and message ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from ..errors import PayloadTooLarge, StorageFailed
from ..transport import ConsumerSpec, Consumption, Job, StreamSpec, Transport
from .conformance_ground import Check, Ground, promise, refused_async, require


def consumer(
    stream: StreamSpec,
    name: str = "billing",
    *,
    filters: tuple[str, ...] = (),
    ack_wait_s: float = 30.0,
    max_in_flight: int = 256,
) -> ConsumerSpec:
    """A consumer, of all that the stream holds unless it is told otherwise."""
    return ConsumerSpec(
        stream=stream.name,
        name=name,
        filters=filters or stream.subjects,
        ack_wait_s=ack_wait_s,
        max_in_flight=max_in_flight,
    )


async def consume(ground: Ground, link: Transport, spec: ConsumerSpec, receiver: Callable[[Job], None]) -> Consumption:
    return ground.running(await link.consume(spec, receiver, timeout_s=ground.patience_s))


async def store(link: Transport, subject: str, bodies: Iterable[bytes]) -> None:
    for body in bodies:
        await link.store(subject, body, message_id=f"{subject}:{body.decode()}")


def ack(job: Job) -> None:
    job.ack()


def numbered(count: int, first: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(first, first + count)]


@promise("store returns the stream and a growing sequence; the job has the same subject, body, headers and sequence")
async def store_and_consume(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    stream = await ground.stream(link)
    headers, body = {"Trace-Id": "abc"}, bytes(range(256))
    first = await link.store(ground.subject("log", "a"), body, message_id="m1", headers=headers)
    second = await link.store(ground.subject("log", "b"), b"", message_id="m2")
    require((first.stream, first.duplicate) == (stream.name, False), f"the first was stored as {first}")
    require(second.sequence > first.sequence, f"sequences {first.sequence}, {second.sequence} do not grow")
    worker = ground.worker(ack)
    await consume(ground, other, consumer(stream), worker)
    one, two = (await worker.wait(2, "jobs"))[:2]
    require((one.subject, one.body) == (ground.subject("log", "a"), body), f"job of {one.subject}: {one.body!r}")
    require((one.headers or {}).get("Trace-Id") == "abc", f"the job's headers are {one.headers}")
    require((two.subject, two.body) == (ground.subject("log", "b"), b""), f"job of {two.subject}: {two.body!r}")
    require((one.sequence, two.sequence) == (first.sequence, second.sequence), "a job's sequence is not the message's")
    require((one.attempt, two.attempt) == (1, 1), f"first deliveries are attempts {one.attempt} and {two.attempt}")


@promise("a message id stored before is a duplicate with the first one's sequence, and is delivered once")
async def duplicate_ids(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    stream, subject = await ground.stream(link), ground.subject("log", "a")
    first = await link.store(subject, b"one", message_id="same")
    again = await other.store(subject, b"one", message_id="same")
    await link.store(subject, b"two", message_id="other")
    require(again.duplicate, f"the second store of one id was {again}")
    require(again.sequence == first.sequence, f"the duplicate got sequence {again.sequence}, not {first.sequence}")
    worker = ground.worker(ack)
    await consume(ground, link, consumer(stream), worker)
    await worker.wait(2, "jobs")
    await ground.settle(link)
    require(worker.bodies == [b"one", b"two"], f"delivered {worker.bodies}")


@promise("a message id is forgotten after the duplicate window")
async def duplicate_window(ground: Ground) -> None:
    link = await ground.link()
    await ground.stream(link, duplicate_window_s=0.2)
    subject = ground.subject("log", "a")
    await link.store(subject, b"one", message_id="same")
    await asyncio.sleep(1.0)
    later = await link.store(subject, b"one", message_id="same")
    require(not later.duplicate, "after a second, with a window of 0.2 s, the id was still known")


@promise("store to a subject of no stream is StorageFailed, within its time")
async def store_nowhere(ground: Ground) -> None:
    link = await ground.link()
    started = asyncio.get_running_loop().time()
    lost = link.store(ground.subject("nowhere"), b"", message_id="m1", timeout_s=1.0)
    await refused_async(lost, StorageFailed, "store without a stream")
    require(asyncio.get_running_loop().time() - started < 3.0, "store took longer than its timeout_s")


@promise("store of more than max_payload is PayloadTooLarge, and the link is untouched")
async def store_too_large(ground: Ground) -> None:
    link = await ground.link()
    await ground.stream(link)
    too_large = link.store(ground.subject("log", "a"), b"x" * (link.max_payload + 1), message_id="m1")
    await refused_async(too_large, PayloadTooLarge, "store of more than max_payload")
    await link.store(ground.subject("log", "a"), b"small", message_id="m2")


@promise("durable messages are not heard by live subscribers of other subjects, nor live ones by consumers")
async def stored_apart_from_live(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    stream, inbox, worker = await ground.stream(link), ground.inbox(), ground.worker(ack)
    await ground.listen(other, ground.subject("live", ">"), inbox)
    await consume(ground, other, consumer(stream), worker)
    await store(link, ground.subject("log", "a"), [b"stored"])
    link.send(ground.subject("live", "a"), b"live")
    await store(link, ground.subject("log", "a"), [b"last"])
    await worker.wait(2, "jobs")
    await ground.settle(link, other)
    require(inbox.bodies == [b"live"], f"the live subscriber heard {inbox.bodies}")
    require(worker.bodies == [b"stored", b"last"], f"the consumer got {worker.bodies}")


@promise("ensure_stream keeps what a stream holds, and changes its limits where they differ")
async def ensure_stream(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    stream, subject = await ground.stream(link), ground.subject("log", "a")
    await store(link, subject, numbered(5))
    await ground.stream(other)
    everything, rest = ground.worker(ack), ground.worker(ack)
    await consume(ground, link, consumer(stream, "before"), everything)
    await everything.wait(5, "jobs after a second ensure_stream")
    await ground.stream(other, max_messages=3)
    await consume(ground, link, consumer(stream, "after"), rest)
    await rest.wait(3, "jobs after the limit was lowered")
    require(rest.bodies == numbered(3, first=2), f"with max_messages=3 the stream still held {rest.bodies}")


@promise("max_messages drops the oldest")
async def max_messages(ground: Ground) -> None:
    link, worker = await ground.link(), ground.worker(ack)
    stream = await ground.stream(link, max_messages=3)
    await store(link, ground.subject("log", "a"), numbered(10))
    await consume(ground, link, consumer(stream), worker)
    await worker.wait(3, "jobs")
    require(worker.bodies == numbered(3, first=7), f"the stream held {worker.bodies}")


@promise("max_bytes drops the oldest")
async def max_bytes(ground: Ground) -> None:
    link, worker = await ground.link(), ground.worker(ack)
    stream = await ground.stream(link, max_bytes=10_000)
    for number in range(20):
        await link.store(ground.subject("log", "a"), b"%02d" % number + b"x" * 998, message_id=str(number))
    await consume(ground, link, consumer(stream), worker)
    await ground.until(lambda: any(body.startswith(b"19") for body in worker.bodies), "the newest message did not come")
    held = [int(body[:2]) for body in worker.bodies]
    require(held == list(range(20 - len(held), 20)), f"not the newest were kept: {held}")
    require(4 <= len(held) <= 10, f"{len(held)} messages of 1,000 bytes in a stream of 10,000")


@promise("max_age_s drops what is older")
async def max_age(ground: Ground) -> None:
    link, worker, subject = await ground.link(), ground.worker(ack), ground.subject("log", "a")
    stream = await ground.stream(link, max_age_s=1.0, duplicate_window_s=0.5)
    await store(link, subject, [b"old"])
    await asyncio.sleep(2.5)
    await store(link, subject, [b"new"])
    await consume(ground, link, consumer(stream), worker)
    await worker.wait(1, "the job that is not too old")
    require(worker.bodies == [b"new"], f"delivered {worker.bodies}")


STREAMS: tuple[Check, ...] = (
    store_and_consume,
    duplicate_ids,
    duplicate_window,
    store_nowhere,
    store_too_large,
    stored_apart_from_live,
    ensure_stream,
    max_messages,
    max_bytes,
    max_age,
)
