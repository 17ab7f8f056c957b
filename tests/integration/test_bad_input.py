"""Whatever bytes come, no agent dies, no task is left, and every one of them is counted."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from collections import Counter
from collections.abc import Iterator

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from agentbus import Agent, Context, Node, Supervision, every, on, rpc
from agentbus.errors import HandlerFailed, NoResponders, SchemaMismatch, SubjectError
from agentbus.messages import PLAIN, Frame, decode_frame, encode_frame, full_name
from agentbus.transport import Headers
from agentbus.wire.v1.frame_pb2 import Frame as WireFrame
from examples.climate.v1.climate_pb2 import Reading, TargetReply, TargetRequest

from ..waiting import turns, until
from ..wire import framed, wire

PAYLOADS = 100_000
REQUESTS = 10_000
JSON: Headers = {"Content-Type": "application/json"}
SUBJECTS = (
    "default.ev.examples-climate-v1-Reading",
    "default.ev.examples-climate-v1-Reading.hall",
    "default.to.target.examples-climate-v1-Reading",
    "default.to.target.examples-climate-v1-TargetRequest",
    "default.to.target.no-such-Type",
    "default.any.examples-climate-v1-TargetRequest",
    "default.all.examples-climate-v1-TargetRequest",
)
REPLIES = ("", "", "", "_INBOX.judge", "_1_1", "_INBOX.judge_1_1", "default.ev.examples-climate-v1-Reading", "a b")


class Target(Agent):
    """Listens to all of it."""

    @on(Reading)
    async def hear(self, reading: Reading, ctx: Context) -> None: ...

    @rpc(TargetRequest, TargetReply)
    async def tell(self, request: TargetRequest, ctx: Context) -> TargetReply:
        return TargetReply(celsius=21)

    @every(0.05)
    async def tick(self, ctx: Context) -> None: ...


class Mutator:
    """Seeded: payloads that are almost right, and some that are right."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.good = [
            framed(Reading(room="hall", celsius=21.5), Reading(room="attic"), source="far"),
            framed(TargetRequest(), TargetRequest()),
            PLAIN + encode_frame(Frame(full_name(TargetRequest), "x", 1, 2, 3, 4, [b""], [1000], ["00-trace-01"], [])),
            Reading(room="hall").SerializeToString(),
            b"",
        ]
        self.kinds = (
            self.truncated,
            self.flipped,
            self.random_bytes,
            self.wrong_version,
            self.mismatched,
            self.odd_columns,
            self.huge_numbers,
            self.nested,
            self.oversized,
            self.not_json,
        )

    def truncated(self) -> bytes:
        body = self.rng.choice(self.good)
        return body[: self.rng.randrange(len(body) + 1)]

    def flipped(self) -> bytes:
        body = bytearray(self.rng.choice(self.good[:4]))
        for _ in range(self.rng.randint(1, 4)):
            body[self.rng.randrange(len(body))] = self.rng.randrange(256)
        return bytes(body)

    def random_bytes(self) -> bytes:
        return self.rng.randbytes(self.rng.randrange(200))

    def wrong_version(self) -> bytes:
        return bytes([0, self.rng.randrange(256)]) + self.rng.choice(self.good)[2:]

    def mismatched(self) -> bytes:
        kind = self.rng.choice(["no.such.Type", "", "google.protobuf.Struct", full_name(TargetReply), "é", "a.*.>"])
        return self.frame(type=kind, payloads=[self.rng.randbytes(self.rng.randrange(9))])

    def odd_columns(self) -> bytes:
        count = self.rng.randrange(4)
        return self.frame(
            payloads=[b""] * count,
            deadlines_ms=[1] * self.rng.randrange(4),
            traces=["x"] * self.rng.randrange(4),
            answers=[1] * self.rng.randrange(4),
        )

    def huge_numbers(self) -> bytes:
        def big(bits: int) -> int:
            return self.rng.choice([0, 1, 2 ** (bits - 1), 2**bits - 1])

        return self.frame(
            payloads=[b"", b""],
            hops=big(32),
            sequence=big(64),
            epoch=big(64),
            time_us=big(64),
            deadlines_ms=[big(32)] * 2,
        )

    def nested(self) -> bytes:
        return b"\x0b" * self.rng.choice([50, 500, 5000]) + b"\x0c" * self.rng.choice([0, 50, 5000])

    def oversized(self) -> bytes:
        if self.rng.random() < 0.002:
            return self.frame(payloads=[b""] * self.rng.choice([16_384, 16_385, 100_000]))
        return self.frame(payloads=[bytes(self.rng.choice([1000, 20_000]))], source="s" * 1000)

    def not_json(self) -> bytes:
        return self.rng.choice(
            [
                b"{",
                b"[]",
                b"null",
                b'{"room": 3}',
                b'"\\ud800"',
                b"[" * 3000,
                b'{"celsius": "NaN"}',
                b"\xff\xfe{}",
                b"{}",
            ]
        )

    def frame(self, **fields: object) -> bytes:
        return PLAIN + WireFrame(**{"type": full_name(TargetRequest), "source": "far", **fields}).SerializeToString()  # type: ignore[arg-type]

    def stream(self, count: int) -> Iterator[tuple[str, bytes, str, Headers | None]]:
        for _ in range(count):
            make = self.rng.choice(self.kinds)
            body = make()
            headers = JSON if make == self.not_json or self.rng.random() < 0.05 else None
            yield self.rng.choice(SUBJECTS), body, self.rng.choice(REPLIES), headers


def expected(subject: str, body: bytes) -> tuple[int, int]:
    """What the counters must say of one body: malformed as a whole, or so many messages."""
    if body[:1] != b"\x00":
        return 0, 1
    try:
        if body[:2] != PLAIN:
            raise SchemaMismatch("version")
        frame = decode_frame(body[2:])
    except SchemaMismatch:
        return 1, 0
    kind = subject.split(".")[2].replace("-", ".")
    if not subject.startswith("default.to.") and frame.type != kind:
        return 1, 0
    return 0, len(frame.payloads)


async def test_a_hundred_thousand_bad_payloads_kill_nobody_and_each_is_counted(url: str) -> None:
    loop = asyncio.get_running_loop()
    problems: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: problems.append(context))
    async with Node(url, agents={"target": Target()}) as node, wire(url) as bare:
        bare.hear("_INBOX.judge")
        looped = bare.hear(REPLIES[-2])  # answers to what gave this as its reply come back as input
        await bare.flush()
        tasks = len(asyncio.all_tasks())
        sent: list[tuple[str, bytes]] = []
        for subject, body, reply, headers in Mutator(seed=1).stream(PAYLOADS):
            try:
                bare.transport.send(subject, body, reply, headers)
            except SubjectError:
                bare.transport.send(subject, body, "", headers)
            if subject != REPLIES[-2]:
                sent.append((subject, body))
            if len(sent) % 500 == 0:
                await bare.flush()
        await bare.flush()
        await until(lambda: node.agent_statistics("target").queued == 0)
        await until(lambda: not node.cells["target"].tasks())
        await bare.flush()

        came = [*sent, *((heard.subject, heard.body) for heard in looped)]
        assert len(came) >= PAYLOADS
        malformed, messages = map(sum, zip(*(expected(*one) for one in came), strict=True))
        statistics, behaviors = node.statistics(), node.agent_statistics("target").behaviors
        assert statistics.frames_received == len(came)
        assert statistics.malformed == malformed > PAYLOADS * 0.1
        assert statistics.unhandled + behaviors["hear"].received + behaviors["tell"].received == messages
        for name in ("hear", "tell"):
            one = behaviors[name]
            assert one.received == one.handled + one.expired + one.dropped + one.malformed
            assert one.failed == one.refused == 0
            assert min(one.handled, one.malformed) > 100
        assert (node.agent_statistics("target").state, node.agent_statistics("target").restarts) == ("running", 0)

        assert (await node.request(TargetRequest(), TargetReply, to="target")).celsius == 21.0
        ticks = behaviors["tick"].handled
        await until(lambda: node.agent_statistics("target").behaviors["tick"].handled > ticks)
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        assert node.statistics().open_calls == 0
    assert problems == []


async def test_each_payload_alone_moves_a_counter(url: str) -> None:
    """Sum by sum: the counters of the node move by as many as the payload had messages, or by one."""
    async with Node(url, agents={"target": Target()}) as node, wire(url) as bare:

        def total() -> int:
            target = node.agent_statistics("target")
            behaviors = sum(target.behaviors[name].received for name in ("hear", "tell"))
            return node.statistics().malformed + node.statistics().unhandled + behaviors

        await bare.flush()
        for subject, body, reply, headers in Mutator(seed=2).stream(1500):
            if reply == "a b" or reply.startswith("default."):
                continue
            before, frames = total(), node.statistics().frames_received
            bare.transport.send(subject, body, reply, headers)
            await until(lambda frames=frames: node.statistics().frames_received == frames + 1)
            assert total() > before, (subject, body)


def live_objects() -> Counter[str]:
    gc.collect()
    wanted = {"Call", "_GatheringFuture", "Future", "Task", "Frame", "Inbound", "Lane", "HandlerFailed", "coroutine"}
    return Counter(name for thing in gc.get_objects() if (name := type(thing).__name__) in wanted)


@pytest.mark.parametrize("fault", ["handler", "nobody"])
async def test_ten_thousand_failing_requests_leave_nothing_behind(url: str, fault: str) -> None:
    class Failing(Agent):
        supervision = Supervision(on_failure="resume")

        @rpc(StringValue, StringValue)
        async def fail(self, request: StringValue, ctx: Context) -> StringValue:
            raise ValueError(request.value)

    expected = HandlerFailed if fault == "handler" else NoResponders

    async with Node(url, agents={"failing": Failing()}) as node:

        async def volley(count: int) -> None:
            for start in range(0, count, 500):
                asking = (
                    node.request(
                        StringValue(value=f"boom {n}"), StringValue, to="failing" if fault == "handler" else "x"
                    )
                    for n in range(start, start + 500)
                )
                results = await asyncio.gather(*asking, return_exceptions=True)
                assert {type(result) for result in results} == {expected}
                del results
            await turns()

        await volley(1000)
        tracemalloc.start()
        try:
            before, memory = live_objects(), tracemalloc.get_traced_memory()[0]
            await volley(REQUESTS)
            after = live_objects()
            grown = tracemalloc.get_traced_memory()[0] - memory
        finally:
            tracemalloc.stop()
        assert all(after[name] <= before[name] + 5 for name in after), (before, after)
        assert grown < 2_000_000
        assert node.statistics().open_calls == 0
        assert len(node.bus.deadlines) == 0
        if fault == "handler":
            assert node.agent_statistics("failing").behaviors["fail"].failed == REQUESTS + 1000
            assert node.agent_statistics("failing").state == "running"


async def test_foreign_clients_are_answered_in_kind(url: str) -> None:
    class Grumpy(Target):
        @rpc(StringValue, StringValue)
        async def echo(self, request: StringValue, ctx: Context) -> StringValue:
            if request.value == "boom":
                raise ValueError("no\nway")
            return request

    async with Node(url, agents={"target": Grumpy()}), wire(url) as bare:
        ask = "default.to.target.examples-climate-v1-TargetRequest"
        plain = await bare.ask(ask, b"")
        assert TargetReply.FromString(plain.body).celsius == 21.0
        assert plain.headers == {}
        json = await bare.ask(ask, b"{}", JSON)
        assert json.body == b'{"celsius": 21.0}'
        assert json.headers == {"Content-Type": "application/json"}
        any_one = await bare.ask("default.any.examples-climate-v1-TargetRequest", b"")
        assert any_one.body == plain.body

        echo = "default.to.target.google-protobuf-StringValue"
        failed = await bare.ask(echo, b'"boom"', JSON)
        assert failed.headers["Nats-Service-Error"] == "ValueError: no way"
        assert failed.headers["Nats-Service-Error-Code"] == "500"
        assert b'"errorType": "ValueError"' in failed.body
        for body, headers in [(b"\xff\xff", None), (b"not json", JSON)]:
            broken = await bare.ask(echo, body, headers)
            assert broken.headers["Nats-Service-Error-Code"] == "400"
            assert broken.headers["Agentbus-Error"] == "SchemaMismatch"
        unknown = await bare.ask("default.to.target.no-such-Type", b"")
        assert "has no @rpc for no.such.Type" in unknown.headers["Nats-Service-Error"]
        events = bare.hear("legacy.readings")
        await bare.flush()
        async with Node(url) as node:
            await node.publish(Reading(room="x"), plain=True, subject="legacy.readings")
            await until(lambda: events)
            assert Reading.FromString(events[0].body).room == "x"
