"""What any transport must keep for stores built on streams: compare and set, batches, reads, followers.

Reference: the docstring of `agentbus.transport`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ..errors import AgentBusError, ConfigurationError, Conflict, StorageFailed
from ..transport import StoredMessage, StreamLimits, StreamSpec, Transport, Write
from .conformance_ground import Check, Collected, Ground, is_linked, promise, refused_async, require


async def keys(ground: Ground, link: Transport, **settings: object) -> StreamSpec:
    """A small stream of all that a store needs."""
    wanted: dict[str, object] = {"per_subject": 1, "batches": True, "message_ttl": True, **settings}
    spec = replace(ground.stream_spec("kv"), **wanted)  # pyright: ignore[reportArgumentType]
    await link.ensure_stream(spec, timeout_s=ground.patience_s)
    return spec


class Followed(Collected[StoredMessage]):
    """A receiver of a follower that keeps what it is told."""

    def __call__(self, message: StoredMessage) -> None:
        self.add(message)

    @property
    def bodies(self) -> list[bytes]:
        return [message.body for message in self.items]


async def follow(ground: Ground, link: Transport, spec: StreamSpec, after: int | None, *filters: str) -> Followed:
    followed = Followed(ground.patience_s)
    consumption = await link.follow(
        spec.name, filters or spec.subjects, followed, after=after, timeout_s=ground.patience_s
    )
    ground.running(consumption)
    return followed


@promise("of writers that expect the same sequence one is stored, and the others get Conflict")
async def compare_and_set(ground: Ground) -> None:
    one, other = await ground.link(), await ground.link()
    spec, subject = await keys(ground, one), ground.subject("kv", "a")
    expected = 0
    for turn in range(3):
        attempts = [
            link.store(subject, b"%d" % number, message_id=f"{turn}.{number}", expected=expected)
            for number, link in enumerate((one, other) * 4)
        ]
        results = await asyncio.gather(*attempts, return_exceptions=True)
        won = [result for result in results if not isinstance(result, BaseException)]
        odd = [result for result in results if isinstance(result, BaseException) and not isinstance(result, Conflict)]
        require(not odd, f"some writers got {odd!r}")
        require(len(won) == 1, f"{len(won)} of {len(attempts)} writers were stored")
        last = await other.last(spec.name, subject)
        require(last is not None and last.sequence == won[0].sequence, f"the last message is {last}, not {won[0]}")
        expected = won[0].sequence
    stale = one.store(subject, b"stale", message_id="stale", expected=0)
    await refused_async(stale, Conflict, "expecting no message where there is one")


@promise("what is expected among a pattern's messages holds writers of different subjects apart")
async def compare_and_set_among(ground: Ground) -> None:
    one, other = await ground.link(), await ground.link()
    spec = await keys(ground, one)
    subjects, among = [ground.subject("kv", name, "x") for name in ("a", "b")], ground.subject("kv", "*", "x")
    await one.store(ground.subject("kv", "c", "y"), b"another", message_id="y")
    expected = 0
    for turn in range(3):
        attempts = [
            link.store(subject, b"", message_id=f"{turn}.{number}.{subject}", expected=expected, among=among)
            for number in range(4)
            for link, subject in zip((one, other), subjects, strict=True)
        ]
        results = await asyncio.gather(*attempts, return_exceptions=True)
        won = [result for result in results if not isinstance(result, BaseException)]
        odd = [result for result in results if isinstance(result, BaseException) and not isinstance(result, Conflict)]
        require(not odd, f"some writers got {odd!r}")
        require(len(won) == 1, f"{len(won)} of {len(attempts)} writers were stored")
        last = await other.last(spec.name, among)
        require(last is not None and last.sequence == won[0].sequence, f"the last message is {last}, not {won[0]}")
        expected = won[0].sequence
    again = await one.store(subjects[0], b"once", message_id="once", expected=expected, among=among)
    await other.store(subjects[1], b"next", message_id="next", expected=again.sequence, among=among)
    repeated = await one.store(subjects[0], b"once", message_id="once", expected=expected, among=among)
    require((repeated.sequence, repeated.duplicate) == (again.sequence, True), f"{again} again is {repeated}")


@promise("a message stored with an expectation is a duplicate when it is stored again, also when another followed")
async def expectation_again(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    await keys(ground, link)
    subject = ground.subject("kv", "a")
    first = await link.store(subject, b"1", message_id="one", expected=0)
    again = await link.store(subject, b"1", message_id="one", expected=0)
    require((again.sequence, again.duplicate) == (first.sequence, True), f"{first} again is {again}")
    await other.store(subject, b"2", message_id="two", expected=first.sequence)
    again = await link.store(subject, b"1", message_id="one", expected=0)
    require((again.sequence, again.duplicate) == (first.sequence, True), f"{first} after another is {again}")
    unknown = link.store(subject, b"1", message_id="three", expected=first.sequence)
    await refused_async(unknown, Conflict, "another id with the same expectation")


@promise("a message with ttl_s is dropped after so long, and then nothing is expected; fractions are refused")
async def time_to_live(ground: Ground) -> None:
    link = await ground.link()
    spec = await keys(ground, link)
    subject, lasting = ground.subject("kv", "a"), ground.subject("kv", "b")
    await link.store(subject, b"short", message_id="m1", ttl_s=1.0)
    await link.store(lasting, b"long", message_id="m2")
    require(await link.last(spec.name, subject) is not None, "it was gone at once")
    await refused_async(link.store(subject, b"", message_id="m3", ttl_s=0.5), ConfigurationError, "ttl_s=0.5")
    async with asyncio.timeout(ground.patience_s):
        while await link.last(spec.name, subject) is not None:  # noqa: ASYNC110 - the broker tells nobody
            await asyncio.sleep(0.25)
    require(await link.last(spec.name, lasting) is not None, "a message without ttl_s is gone too")
    await link.store(subject, b"next", message_id="m4", expected=0)


@promise("per_subject keeps the newest of each subject, and as many as it says")
async def per_subject(ground: Ground) -> None:
    link = await ground.link()
    spec = await keys(ground, link, per_subject=2)
    for number in range(5):
        await link.store(ground.subject("kv", "a"), b"%d" % number, message_id=f"a{number}")
    await link.store(ground.subject("kv", "b"), b"b", message_id="b")
    counts = await link.subjects(spec.name, ground.subject("kv", "*"))
    require(list(counts.values()) == [2, 1], f"kept {dict(counts)}")
    followed = await follow(ground, link, spec, 0)
    await followed.wait(3, "messages")
    require(followed.bodies == [b"3", b"4", b"b"], f"kept {followed.bodies}")


@promise("a stream that refuses when it is full drops nothing, and takes what replaces")
async def refuse_when_full(ground: Ground) -> None:
    link = await ground.link()
    limits = StreamLimits(max_bytes=1 << 20, max_age_s=0.0, max_messages=2)
    spec = await keys(ground, link, limits=limits, refuse_when_full=True)
    for name in ("a", "b"):
        await link.store(ground.subject("kv", name), b"", message_id=name)
    one_more = link.store(ground.subject("kv", "c"), b"", message_id="c", timeout_s=2.0)
    await refused_async(one_more, StorageFailed, "a third message of two")
    await link.store(ground.subject("kv", "a"), b"again", message_id="a2")
    counts = await link.subjects(spec.name, ground.subject("kv", "*"))
    require(list(counts.values()) == [1, 1], f"kept {dict(counts)}")


@promise("a batch is stored whole with adjacent sequences, or, if one expectation fails, not at all; once for one id")
async def batches(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    spec = await keys(ground, link)
    a, b, c = (ground.subject("kv", name) for name in "abc")
    await other.store(a, b"0", message_id="a")
    batch = [
        Write(subject=a, body=b"1", expected=1),
        Write(subject=b, body=b"2", headers={"Kind": "x"}, expected=0),
        Write(subject=c, body=b"3"),
    ]
    stored = await link.store_all(batch, message_id="batch")
    numbers = [each.sequence for each in stored]
    require(numbers == list(range(numbers[0], numbers[0] + 3)), f"sequences {numbers} are not adjacent")
    again = await link.store_all(batch, message_id="batch")
    require([each.sequence for each in again] == numbers, f"the same batch again got {again}")
    read = await other.last(spec.name, b)
    require(read is not None and (read.body, read.headers) == (b"2", {"Kind": "x"}), f"read {read}")
    for failing in range(3):
        wrong = [replace(write, body=b"no", expected=None) for write in batch]
        wrong[failing] = replace(wrong[failing], expected=9999)
        refused = link.store_all(wrong, message_id=f"wrong{failing}")
        await refused_async(refused, Conflict, f"a batch whose message {failing} expects what is not so")
    bodies = [message.body for message in [await other.last(spec.name, subject) for subject in (a, b, c)] if message]
    require(bodies == [b"1", b"2", b"3"], f"after batches that failed the stream holds {bodies}")


@promise("of batches that write the same with the same expectation one is stored")
async def batches_at_once(ground: Ground) -> None:
    links = [await ground.link(), await ground.link()]
    spec = await keys(ground, links[0])
    subjects = [ground.subject("kv", name) for name in "abcd"]
    attempts = [
        links[number % 2].store_all(
            [Write(subject=subject, body=b"%d" % number, expected=0) for subject in subjects], message_id=str(number)
        )
        for number in range(6)
    ]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    won = [result for result in results if not isinstance(result, BaseException)]
    odd = [result for result in results if isinstance(result, BaseException) and not isinstance(result, Conflict)]
    require(not odd, f"some got {odd!r}")
    require(len(won) == 1, f"{len(won)} of {len(attempts)} batches were stored")
    bodies = {message.body for message in [await links[1].last(spec.name, each) for each in subjects] if message}
    require(len(bodies) == 1, f"the stream holds of several batches: {bodies}")


@promise("a batch that no stream can take whole is refused, and nothing of it is stored")
async def batches_refused(ground: Ground) -> None:
    link = await ground.link()
    spec = await keys(ground, link, batches=False)
    a, b = ground.subject("kv", "a"), ground.subject("kv", "b")
    two = [Write(subject=a, body=b""), Write(subject=b, body=b"")]
    await refused_async(link.store_all(two, message_id="m1"), StorageFailed, "a stream that takes no batches")
    twice = link.store_all([two[0], two[0]], message_id="m2")
    await refused_async(twice, ConfigurationError, "a subject twice in a batch")
    await refused_async(link.store_all([], message_id="m3"), ConfigurationError, "an empty batch")
    require(not await link.subjects(spec.name, ">"), "something of a refused batch was stored")


@promise("last, after and subjects read what is kept, by patterns; of no stream it is StorageFailed")
async def reads(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    spec = await keys(ground, link, per_subject=-1)
    a, b, every = ground.subject("kv", "a"), ground.subject("kv", "b"), ground.subject("kv", "*")
    require(await other.last(spec.name, every) is None, "an empty stream has a last message")
    for number, subject in enumerate((a, b, a, b)):
        await link.store(
            subject, b"%d" % number, message_id=str(number), headers={"Kind": "x"} if number == 3 else None
        )
    last = await other.last(spec.name, a)
    require(last is not None and (last.sequence, last.body, last.headers) == (3, b"2", None), f"the last is {last}")
    last = await other.last(spec.name, every)
    require(last is not None and (last.subject, last.headers) == (b, {"Kind": "x"}), f"the last of all is {last}")
    after = await other.after(spec.name, b, 2)
    require(after is not None and after.sequence == 4, f"the next of b after 2 is {after}")
    after = await other.after(spec.name, every, 0)
    require(after is not None and (after.sequence, after.body) == (1, b"0"), f"the first of all is {after}")
    require(await other.after(spec.name, every, 4) is None, "there is one after the last")
    counts = await other.subjects(spec.name, every)
    require(dict(counts) == {a: 2, b: 2}, f"the subjects are {counts}")
    await refused_async(link.last("nowhere", every, timeout_s=2.0), StorageFailed, "a read of no stream")


@promise("purge drops what the pattern matches, below `before` if given, and what is dropped is not expected")
async def purge(ground: Ground) -> None:
    link = await ground.link()
    spec = await keys(ground, link, per_subject=-1)
    a, b = ground.subject("kv", "a"), ground.subject("kv", "b")
    for number in range(3):
        await link.store_all(
            [Write(subject=a, body=b"%d" % number), Write(subject=b, body=b"")], message_id=str(number)
        )
    require(await link.purge(spec.name, a, before=5) == 2, "purge below the last did not drop two")
    kept = await link.after(spec.name, a, 0)
    require(kept is not None and kept.body == b"2", f"kept {kept}")
    require(await link.purge(spec.name, a) == 1, "purge did not drop the rest")
    require(dict(await link.subjects(spec.name, ">")) == {b: 3}, "another subject was purged too")
    await link.store(a, b"new", message_id="new", expected=0)


@promise("a follower is told what is kept above a sequence and then what comes, in order, by its filters, until stop")
async def follow_after(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    spec = await keys(ground, link, per_subject=-1)
    a, b, c = (ground.subject("kv", name) for name in "abc")
    for number in range(10):
        await link.store((a, b, c)[number % 3], b"%d" % number, message_id=str(number))
    followed = await follow(ground, other, spec, 3, a, b)
    for number in range(10, 20):
        await link.store((a, b, c)[number % 3], b"%d" % number, message_id=str(number))
    wanted = [number for number in range(3, 20) if number % 3 < 2]
    await followed.wait(len(wanted), "messages")
    require(followed.bodies == [b"%d" % number for number in wanted], f"told {followed.bodies}")
    require([message.sequence for message in followed.items] == [n + 1 for n in wanted], "sequences differ")
    late = Followed(ground.patience_s)
    consumption = await other.follow(spec.name, [a], late, after=0)
    await late.wait(7, "messages")
    consumption.stop()
    await link.store(a, b"after stop", message_id="stop")
    await followed.wait(len(wanted) + 1, "the message after one follower's stop")
    await ground.settle(link, other)
    require(late.bodies[-1] != b"after stop", "a follower that was stopped was told more")
    await refused_async(link.follow("nowhere", [a], late, timeout_s=2.0), StorageFailed, "following no stream")


@promise("a follower without a beginning is told the newest of each subject first")
async def follow_newest(ground: Ground) -> None:
    link = await ground.link()
    spec = await keys(ground, link, per_subject=-1)
    for number in range(6):
        await link.store(ground.subject("kv", "ab"[number % 2]), b"%d" % number, message_id=str(number))
    followed = await follow(ground, link, spec, None)
    await followed.wait(2, "the newest of each subject")
    await link.store(ground.subject("kv", "a"), b"next", message_id="next")
    await followed.wait(3, "the next message")
    require(followed.bodies == [b"4", b"5", b"next"], f"told {followed.bodies}")


@promise("a follower's receiver that raises harms neither it nor others")
async def follow_receiver_that_raises(ground: Ground) -> None:
    link = await ground.link()
    spec, subject = await keys(ground, link, per_subject=-1), ground.subject("kv", "a")
    told: Collected[bytes] = Collected(ground.patience_s)

    def receive(message: StoredMessage) -> None:
        told.add(message.body)
        if message.body == b"0":
            raise RuntimeError("a receiver of the conformance kit that fails")

    ground.running(await link.follow(spec.name, [subject], receive, after=0))
    for number in range(3):
        await link.store(subject, b"%d" % number, message_id=str(number))
    await told.wait(3, "messages")
    require(told.items == [b"0", b"1", b"2"], f"told {told.items}")


@promise("across the broker's restart a follower leaves out nothing and repeats nothing", deadline_s=40.0)
async def follow_goes_on(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    spec, subject = await keys(ground, link, per_subject=-1), ground.subject("kv", "a")
    followed = await follow(ground, other, spec, 0)
    for turn in range(2):
        for number in range(5 * turn, 5 * turn + 5):
            await link.store(subject, b"%d" % number, message_id=str(number), timeout_s=20.0)
        await ground.broker.stop()
        for each in (link, other):
            await ground.until(lambda each=each: not is_linked(each), "the stop was not noticed", within_s=10.0)
        await ground.broker.start()
    await link.store(subject, b"10", message_id="last", timeout_s=20.0)
    await followed.wait(11, "messages across two restarts", within_s=20.0)
    require(followed.bodies == [b"%d" % number for number in range(11)], f"told {followed.bodies}")


@promise("compare and set across the broker's restart is stored once, and tells of no false Conflict", deadline_s=40.0)
async def compare_and_set_across_an_outage(ground: Ground) -> None:
    link = await ground.link()
    spec, subject = await keys(ground, link), ground.subject("kv", "a")
    stored = 0

    async def write() -> None:
        nonlocal stored
        expected = 0
        for number in range(200):
            done = await link.store(subject, b"%d" % number, message_id=str(number), expected=expected, timeout_s=20.0)
            expected, stored = done.sequence, number + 1

    writing = asyncio.create_task(write(), name="conformance-write")
    try:
        await ground.until(lambda: stored > 20 or writing.done(), "no writes before the outage")
        await ground.broker.stop()
        await ground.broker.start()
        await writing
    except AgentBusError as error:
        raise AssertionError(f"write {stored} of one lone writer: {type(error).__name__}: {error}") from error
    finally:
        writing.cancel()
    last = await link.last(spec.name, subject)
    require(last is not None and (last.sequence, last.body) == (200, b"199"), f"the last is {last}")


STORAGE: tuple[Check, ...] = (
    compare_and_set,
    compare_and_set_among,
    expectation_again,
    time_to_live,
    per_subject,
    refuse_when_full,
    batches,
    batches_at_once,
    batches_refused,
    reads,
    purge,
    follow_after,
    follow_newest,
    follow_receiver_that_raises,
)

STORAGE_OUTAGE: tuple[Check, ...] = (follow_goes_on, compare_and_set_across_an_outage)
