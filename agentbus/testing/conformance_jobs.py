"""What any transport must keep for consumers and their jobs.

Wherever it can be, that something does not come again is proved by something later that does: a sentinel, delivered
after it and left unsettled, is due for redelivery after it. Reference: the docstring of `agentbus.transport`.
"""

from __future__ import annotations

import asyncio

from ..errors import StorageFailed
from ..transport import ConsumerSpec, Job, StreamSpec, Transport
from .conformance_ground import Check, Ground, promise, refused_async, require
from .conformance_streams import ack, consume, consumer, numbered, store

SHORT_ACK_S = 0.5


@promise("a consumer starts with the first message in the stream, and gets all of its filters, in order, and no others")
async def filters(ground: Ground) -> None:
    link = await ground.link()
    stream = await ground.stream(link)
    for number in range(5):
        for token in ("a", "b", "c.d"):
            await link.store(ground.subject("log", token), b"%d" % number, message_id=f"{token}{number}")
    wanted = (ground.subject("log", "a"), ground.subject("log", "c", "*"))
    worker = ground.worker(ack)
    await consume(ground, link, consumer(stream, filters=wanted), worker)
    await worker.wait(10, "jobs of two filters")
    await link.store(ground.subject("log", "b"), b"5", message_id="b5")
    await link.store(ground.subject("log", "a"), b"5", message_id="a5")
    await worker.wait(11, "a job stored while consuming")
    expected = [(ground.subject("log", token), b"%d" % n) for n in range(5) for token in ("a", "c.d")]
    expected.append((ground.subject("log", "a"), b"5"))
    got = [(job.subject, job.body) for job in worker.items]
    require(got == expected, f"delivered {got}")


@promise("consumers of different names each get every job")
async def independent_consumers(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    stream = await ground.stream(link)
    await store(link, ground.subject("log", "a"), numbered(5))
    one, two = ground.worker(ack), ground.worker(ack)
    await consume(ground, link, consumer(stream, "billing"), one)
    await consume(ground, other, consumer(stream, "audit"), two)
    await one.wait(5, "jobs of the first consumer")
    await two.wait(5, "jobs of the second consumer")
    require(one.bodies == two.bodies == numbered(5), f"{one.bodies} and {two.bodies}")


@promise("an unsettled job is delivered again after ack_wait_s, each time with the next attempt")
async def redelivery(ground: Ground) -> None:
    link = await ground.link()
    stream = await ground.stream(link)
    times: list[float] = []

    def note(job: Job) -> None:
        times.append(asyncio.get_running_loop().time())
        if job.attempt == 3:
            job.ack()

    worker = ground.worker(note)
    await store(link, ground.subject("log", "a"), [b"one"])
    await consume(ground, link, consumer(stream, ack_wait_s=SHORT_ACK_S), worker)
    await worker.wait(3, "deliveries of one unsettled job")
    require([job.attempt for job in worker.items] == [1, 2, 3], f"attempts {[job.attempt for job in worker.items]}")
    gap = min(times[1] - times[0], times[2] - times[1])
    require(gap >= SHORT_ACK_S * 0.8, f"delivered again after {gap:.3f} s, ack_wait is {SHORT_ACK_S} s")


@promise("a job that was acknowledged or discarded is never delivered again; settling a second time does nothing")
async def settled_for_good(ground: Ground) -> None:
    link = await ground.link()
    stream, subject = await ground.stream(link), ground.subject("log", "a")

    def settle(job: Job) -> None:
        if job.body == b"ack":
            job.ack()
            job.retry()
        elif job.body == b"discard":
            job.discard()
            job.retry()
        elif job.attempt == 3:
            job.ack()

    worker = ground.worker(settle)
    await consume(ground, link, consumer(stream, ack_wait_s=SHORT_ACK_S), worker)
    await store(link, subject, [b"ack", b"discard", b"sentinel"])
    await worker.wait(5, "three jobs, of which the unsettled one comes three times")
    require(worker.bodies == [b"ack", b"discard", b"sentinel", b"sentinel", b"sentinel"], f"delivered {worker.bodies}")


@promise("retry delivers again, with the next attempt, at once or not before its delay")
async def retry(ground: Ground) -> None:
    link = await ground.link()
    stream, times = await ground.stream(link), list[float]()

    def settle(job: Job) -> None:
        times.append(asyncio.get_running_loop().time())
        if job.attempt == 1:
            job.retry()
        elif job.attempt == 2:
            job.retry(0.5)
        else:
            job.ack()

    worker = ground.worker(settle)
    await store(link, ground.subject("log", "a"), [b"one"])
    await consume(ground, link, consumer(stream), worker)
    await worker.wait(3, "deliveries of a job that is retried twice")
    require([job.attempt for job in worker.items] == [1, 2, 3], f"attempts {[job.attempt for job in worker.items]}")
    require(times[2] - times[1] >= 0.4, f"retry(0.5) delivered again after {times[2] - times[1]:.3f} s")


@promise("progress starts ack_wait_s anew: a job that makes progress is not delivered again")
async def progress(ground: Ground) -> None:
    link = await ground.link()
    stream = await ground.stream(link)
    worker = ground.worker()
    await store(link, ground.subject("log", "a"), [b"slow", b"sentinel"])
    await consume(ground, link, consumer(stream, ack_wait_s=1.0), worker)
    slow = (await worker.wait(2, "two jobs"))[0]
    while worker.bodies.count(b"sentinel") < 3:
        require(worker.bodies.count(b"slow") == 1, "delivered again in spite of progress")
        slow.progress()
        await asyncio.sleep(0.2)
    slow.ack()


@promise("a job whose receiver raises is delivered again, and the others go on")
async def job_receiver_that_raises(ground: Ground) -> None:
    link = await ground.link()
    stream = await ground.stream(link)

    def settle(job: Job) -> None:
        if job.body == b"1" and job.attempt == 1:
            raise RuntimeError("a receiver of jobs that fails, on purpose")
        job.ack()

    worker = ground.worker(settle)
    await store(link, ground.subject("log", "a"), numbered(3))  # first: telling of the failure may take a while
    await consume(ground, link, consumer(stream, ack_wait_s=SHORT_ACK_S), worker)
    await worker.wait(4, "three jobs, one of them twice")
    require(worker.bodies == [b"0", b"1", b"2", b"1"], f"delivered {worker.bodies}")
    require(worker.items[3].attempt == 2, f"the second delivery is attempt {worker.items[3].attempt}")


@promise("a transport gets no more unsettled jobs than max_in_flight, and competing ones get each job once")
async def competing_consumers(ground: Ground) -> None:
    storing, links = await ground.link(), [await ground.link(), await ground.link()]
    stream = await ground.stream(storing)
    spec = consumer(stream, max_in_flight=4)
    await store(storing, ground.subject("log", "a"), numbered(40))
    held = [ground.worker(), ground.worker()]
    for link, worker in zip(links, held, strict=True):
        await consume(ground, link, spec, worker)
        await worker.wait(4, "jobs for one of two")
    await all_seen(ground, storing, stream, 40)
    await ground.settle(*links)
    require([len(worker.items) for worker in held] == [4, 4], f"in flight: {[len(w.items) for w in held]}, limit 4")
    for worker in held:
        worker.settle_with(ack)
    await ground.until(lambda: sum(len(w.items) for w in held) >= 40, "the rest did not come after acknowledgements")
    await ground.settle(*links)
    got = sorted(int(body) for worker in held for body in worker.bodies)
    require(got == list(range(40)), f"40 jobs, delivered {got}")


async def all_seen(ground: Ground, link: Transport, stream: StreamSpec, count: int) -> None:
    """Returns when another consumer has got all of the stream: had more been due elsewhere, it would be there."""
    observer = ground.worker(ack)
    await consume(ground, link, consumer(stream, "observer"), observer)
    await observer.wait(count, "jobs of an observer")


@promise("one settlement of max_in_flight jobs brings one more")
async def max_in_flight(ground: Ground) -> None:
    link, storing = await ground.link(), await ground.link()
    stream, worker = await ground.stream(storing), ground.worker()
    await consume(ground, link, consumer(stream, max_in_flight=3), worker)
    await store(storing, ground.subject("log", "a"), numbered(10))
    held = await worker.wait(3, "the first jobs")
    await all_seen(ground, storing, stream, 10)
    await link.flush()
    require(len(worker.items) == 3, f"{len(worker.items)} unsettled jobs with max_in_flight 3")
    held[0].ack()
    await worker.wait(4, "the job that a settlement makes room for")
    await ground.settle(link)
    require(worker.bodies == numbered(4), f"delivered {worker.bodies}")


@promise("stop ends deliveries; what was delivered can still be settled; the position stays, for whoever comes next")
async def position_survives_stop(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    stream, subject = await ground.stream(link), ground.subject("log", "a")
    spec = consumer(stream, ack_wait_s=1.0)
    first, second = ground.worker(), ground.worker(ack)
    consumption = await consume(ground, link, spec, first)
    await store(link, subject, numbered(5))
    held = list(await first.wait(5, "jobs before the stop"))
    consumption.stop()
    consumption.stop()
    for job in held[:4]:
        job.ack()
    await link.flush()
    await store(link, subject, numbered(3, first=5))
    await consume(ground, other, spec, second)
    await second.wait(4, "jobs after the stop: three new, one that was left unsettled")
    require(sorted(second.bodies) == [b"4", b"5", b"6", b"7"], f"who came next got {second.bodies}")
    require(len(first.items) == 5, "a receiver was called after stop")
    attempts = {job.body: job.attempt for job in second.items}
    require(attempts[b"4"] == 2, f"the job left unsettled came as attempt {attempts[b'4']}")


@promise("what a transport leaves unsettled when it closes is delivered to another")
async def unsettled_at_close(ground: Ground) -> None:
    leaving, staying = await ground.link(), await ground.link()
    stream = await ground.stream(staying)
    spec = consumer(stream, ack_wait_s=SHORT_ACK_S)
    lost, got = ground.worker(), ground.worker(ack)
    await consume(ground, leaving, spec, lost)
    await store(staying, ground.subject("log", "a"), numbered(3))
    await lost.wait(3, "jobs before the close")
    await leaving.close()
    await consume(ground, staying, spec, got)
    await got.wait(3, "jobs that a closed transport left unsettled")
    require(sorted(got.bodies) == numbered(3), f"delivered {got.bodies}")
    require({job.attempt for job in got.items} == {2}, f"attempts {[job.attempt for job in got.items]}, not 2")


@promise("consume without its stream, or under a name that has other filters, is StorageFailed, naming it")
async def consume_refused(ground: Ground) -> None:
    link = await ground.link()
    missing = ConsumerSpec(stream=f"{ground.realm}-missing", name="billing", filters=(ground.subject("log", ">"),))
    await refused_async(link.consume(missing, ack, timeout_s=2.0), StorageFailed, "consume without a stream")
    stream = await ground.stream(link)
    await consume(ground, link, consumer(stream), ground.worker(ack))
    other = consumer(stream, filters=(ground.subject("log", "other"),))
    told = await refused_async(link.consume(other, ack, timeout_s=2.0), StorageFailed, "a consumer with other filters")
    require("billing" in told, f"the error does not name the consumer: {told!r}")


JOBS: tuple[Check, ...] = (
    filters,
    independent_consumers,
    redelivery,
    settled_for_good,
    retry,
    progress,
    job_receiver_that_raises,
    competing_consumers,
    max_in_flight,
    position_survives_stop,
    unsettled_at_close,
    consume_refused,
)
