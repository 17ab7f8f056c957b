"""What `bench.security` tries on a node with a guard, through a bare connection.

An attack counts as accepted when a handler has seen it, or a requester has taken it for an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random

from agentbus import Agent, AgentBusError, Context, Node, on, rpc
from agentbus.errors import Refused
from agentbus.messages import PLAIN, SEALED, Frame, encode_frame, full_name
from agentbus.security import Guard, KeyPair, signed_enrolment
from agentbus.security.signing import packed, parsed, signable
from agentbus.transport import Headers, Transport
from agentbus.transports import open_transport
from examples.bench.v1.bench_pb2 import Answer, Question, Sample

from .sides.signed import guard_of

REALM = "guarded"
SAMPLE = f"{REALM}.ev.{full_name(Sample).replace('.', '-')}"
LOG = f"{REALM}.log.{full_name(Sample).replace('.', '-')}"
CHUNK = 256
CAPTURED = 256
SETTLE_S = 0.02
"""After which what was let in has been handled, seconds."""
Outcome = tuple[str, int, int, str]
"""The name of an attack, how many were tried, how many were accepted, and what is to be known of them."""

_brokers = count()


class Clock:
    """Seconds since 1970, as it is told."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 1e-5
        return self.now


@dataclass(eq=False)
class Target(Agent):
    """Counts what it is given."""

    seen: list[int] = field(default_factory=lambda: [0])
    fails: int = 0

    @on(Sample)
    async def hear(self, sample: Sample, ctx: Context) -> None:
        self.seen[0] += 1

    @on(Sample, durable="kept", ack_wait_s=3.0)
    async def keep(self, sample: Sample, ctx: Context) -> None:
        assert ctx.delivery is not None
        if self.fails and ctx.delivery.attempt == 1 and sample.number % self.fails == 0:
            raise Refused("not yet")
        self.seen[0] += 1

    @rpc(Question, Answer)
    async def answer(self, question: Question, ctx: Context) -> Answer:
        self.seen[0] += 1
        return Answer(number=question.number)


@dataclass(frozen=True)
class Captured:
    """A frame as it was on the wire."""

    subject: str
    body: bytes
    reply: str


class Attacker:
    """A bare connection to the realm's broker, which hears everything and says anything.

    Args:
        wire: the connection.
        clock: what all nodes go by.

    Attributes:
        events, questions: what the last honest traffic was.
    """

    def __init__(self, wire: Transport, clock: Clock) -> None:
        self.wire = wire
        self.clock = clock
        self.rng = Random(7)
        self.events: list[Captured] = []
        self.questions: list[Captured] = []
        self.insider = guard_of(REALM, "insider", "spy", clock=clock)
        self._insiders_pair = KeyPair(b"insider".ljust(32, b"."))
        self._mallory, self._pair = mallorys(clock), KeyPair(b"m" * 32)
        self._number = 0
        self._listening = False
        wire.subscribe(f"{REALM}.>", self._hear)

    def _hear(self, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        if self._listening and body[:2] == SEALED:
            frames = {"ev": self.events, "to": self.questions}.get(subject.split(".")[1])
            if frames is not None:
                frames.append(Captured(subject, body, reply))

    async def listen(self, speaking: Node) -> None:
        """Captures honest traffic: events on topics, and requests."""
        self.events.clear()
        self.questions.clear()
        self._listening = True
        for place in range(CAPTURED):
            self.clock.now += 0.001
            await speaking.publish(Sample(room="x", number=place), topic=f"floor.{place % 3}", spread=True)
            await speaking.request(Question(number=place), Answer, to="target")
        await self.wire.flush()
        self._listening = False
        assert len(self.events) == len(self.questions) == CAPTURED

    async def tries(self, node: Node, seen: list[int], attempts: int, make: Callable[[], Captured]) -> int:
        """Sends so many frames; returns how many of them were handled."""
        before, frames = seen[0], node.statistics().frames_received
        for start in range(0, attempts, CHUNK):
            for _ in range(min(CHUNK, attempts - start)):
                frame = make()
                self.wire.send(frame.subject, frame.body, frame.reply)
            await self.wire.flush()
            await asyncio.sleep(0)
        await until(lambda: node.statistics().frames_received - frames >= attempts)
        await asyncio.sleep(SETTLE_S)
        return seen[0] - before

    async def stores(self, guard: Guard, seen: list[int], attempts: int, frames: list[Captured]) -> int:
        """Stores durable frames again; returns how many of them were handled."""
        before, refused = seen[0], guard.counters.copies
        for _ in range(attempts):
            frame = self.rng.choice(frames)
            await self.wire.store(frame.subject, frame.body, message_id=f"again-{self.rng.random()}")
        await until(lambda: guard.counters.copies - refused + seen[0] - before >= attempts)
        await asyncio.sleep(SETTLE_S)
        return seen[0] - before

    # -- what it sends -------------------------------------------------------------------------------------------------

    def forged(self) -> Captured:
        """By a key of no issuer, with another's enrolment, unsigned, or bytes of chance."""
        self._number += 1
        frame = self.rng.choice(self.events)
        match self._number % 4:
            case 0:
                return Captured(SAMPLE, own_frame(self._mallory, "speaking", self._number), "")
            case 1:
                return replace(frame, body=impostor(frame, self._pair))
            case 2:
                return replace(frame, body=PLAIN + frame.body[2 + parsed(frame.body[2:])[1] :])
            case _:
                return replace(frame, body=SEALED + self.rng.randbytes(self.rng.randrange(400)))

    def named(self) -> Captured:
        """By an enrolled node in another's name: inside the frame, or in the header above its own enrolment."""
        self._number += 1
        mine = own_frame(self.insider, "spy", self._number, inside="speaking")
        if self._number % 2:
            return Captured(SAMPLE, mine, "")
        sealed = self.rng.choice(self.events).body[2:]
        header, start = parsed(sealed)
        rest = packed(header._replace(enrolment=parsed(mine[2:])[0].enrolment)) + sealed[start:]
        return Captured(SAMPLE, SEALED + self._insiders_pair.sign(signable(SAMPLE, "", rest)) + rest, "")

    def altered(self) -> Captured:
        """One bit is another."""
        frame = self.again()
        body = bytearray(frame.body)
        body[self.rng.randrange(2, len(body))] ^= 1 << self.rng.randrange(8)
        return replace(frame, body=bytes(body))

    def elsewhere(self) -> Captured:
        """An event on another topic, without one, or to an agent by name."""
        named = SAMPLE.replace(".ev.", ".to.target.")
        return replace(self.rng.choice(self.events), subject=self.rng.choice([f"{SAMPLE}.floor.9", SAMPLE, named]))

    def readdressed(self) -> Captured:
        """A request whose answer is to go elsewhere."""
        return replace(self.rng.choice(self.questions), reply=f"{REALM}.in.insider.1_{self.rng.randrange(9**9)}_1")

    def again(self) -> Captured:
        """As it was."""
        return self.rng.choice(self.rng.choice([self.events, self.questions]))


def mallorys(clock: Clock) -> Guard:
    """A guard whose enrolment nobody in the realm has signed."""
    real = guard_of(REALM, "mallory", "speaking", clock=clock).enrolment
    pair = KeyPair(b"m" * 32)
    forged = replace(real, key=pair.key, issuer=pair.key, node="speaking")
    return Guard(pair, signed_enrolment(forged, pair), {pair.key: "worker"}, REALM, clock=clock)


def own_frame(guard: Guard, source: str, number: int, subject: str = SAMPLE, inside: str = "") -> bytes:
    """A frame that a guard has sealed, which says inside that it is by `inside`."""
    sample = Sample(room="x", number=number).SerializeToString()
    frame = Frame(full_name(Sample), inside or source, 1, 0, number, 0, [sample], [], [], [])
    body = encode_frame(frame)
    return SEALED + guard.seal(body, subject=subject, reply="", source=source, epoch=1, durable=False)


def impostor(captured: Captured, pair: KeyPair) -> bytes:
    """A captured frame, its enrolment with it, signed by another key."""
    sealed = captured.body[2:]
    header, start = parsed(sealed)
    rest = packed(header._replace(number=header.number + 10**6)) + sealed[start:]
    return SEALED + pair.sign(signable(captured.subject, captured.reply, rest)) + rest


async def attacked(attempts: int) -> list[Outcome]:
    """All attacks, so many in all, on a broker in memory."""
    url, clock, seen = f"memory://attacks-{next(_brokers)}", Clock(), [0]
    wire = open_transport(url, name="attacker")
    await wire.connect()
    attacker = Attacker(wire, clock)
    try:
        async with Node(url, realm=REALM, name="speaking", guard=guard_of(REALM, "speaking", clock=clock)) as speaking:
            found, stored = await _first_life(url, attacker, speaking, seen, attempts // 10)
            rest = attempts - sum(tried for _, tried, _, _ in found)
            return found + await _second_life(url, attacker, seen, attempts // 10, rest, stored)
    finally:
        await wire.close()


async def _first_life(
    url: str, attacker: Attacker, speaking: Node, seen: list[int], each: int
) -> tuple[list[Outcome], list[Captured]]:
    guard = guard_of(REALM, "hearing", "target", clock=attacker.clock)
    agents = {"target": Target(seen)}
    found: list[Outcome] = []
    async with Node(url, realm=REALM, name="hearing", guard=guard, agents=agents) as node:
        await attacker.listen(speaking)
        assert seen[0] == 2 * CAPTURED, "what is honest is handled"
        for name, make, told in (
            ("forged", attacker.forged, "by a key of no issuer; with another's enrolment; unsigned; bytes of chance"),
            ("in another's name", attacker.named, "by an enrolled node: the frame says so, or its header"),
            ("altered", attacker.altered, "one bit"),
            ("on another subject", attacker.elsewhere, "topic, none, by name"),
            ("re-addressed", attacker.readdressed, "requests whose answer is to go elsewhere"),
            ("replayed at once", attacker.again, ""),
        ):
            found.append((name, each, await attacker.tries(node, seen, each, make), told))
        taken = await answered_by_another(speaking, attacker.insider, attacker.wire, each)
        found.append(("answers", each, taken, "to another's request: unsigned, and by an enrolled node"))
        attacker.clock.now += 60.0
        passed = await attacker.tries(node, seen, each, attacker.again)
        found.append(("replayed after the window", each, passed, "60 s later, to a window of 30 s"))
        stored = await durables(speaking, attacker.wire, seen)
        passed = await attacker.stores(guard, seen, each // 4, stored)
        found.append(("stored again", each // 4, passed, "durable events that had been completed"))
        await attacker.listen(speaking)
    return found, stored


async def _second_life(
    url: str, attacker: Attacker, seen: list[int], each: int, rest: int, stored: list[Captured]
) -> list[Outcome]:
    guard = guard_of(REALM, "hearing", "target", clock=attacker.clock)
    agents = {"target": Target(seen)}
    async with Node(url, realm=REALM, name="hearing", guard=guard, agents=agents) as node:
        passed = await attacker.tries(node, seen, each, attacker.again)
        copied = await attacker.stores(guard, seen, rest - each, stored)
    return [
        ("replayed after a restart", each, passed, "within the window"),
        ("stored again after a restart", rest - each, copied, "durable events that had been completed"),
    ]


async def answered_by_another(asking: Node, insider: Guard, wire: Transport, attempts: int) -> int:
    """One request that is never answered, and so many answers to it by others; returns whether one was taken."""
    inbox = f"{REALM}.in.speaking.{asking.epoch:x}"
    heard: list[str] = []
    wire.subscribe(f"{REALM}.to.nobody-here.*", lambda s, b, r, h: heard.append(r))
    await wire.flush()
    asked = asyncio.create_task(asking.request(Question(number=1), Answer, to="nobody-here", timeout_s=60.0))
    await until(lambda: heard)
    reply = heard[0]
    first = int(reply.rsplit("_", 2)[1])
    payload = Answer(number=666).SerializeToString()
    for place in range(attempts):
        if place % 2:
            wire.send(reply, payload)
        else:
            frame = Frame(full_name(Answer), "spy", 1, 0, place, 0, [payload], [], [], [first])
            body = encode_frame(frame)
            wire.send(inbox, SEALED + insider.seal(body, subject=inbox, reply="", source="spy", epoch=1, durable=False))
        if place % CHUNK == 0:
            await wire.flush()
    await wire.flush()
    await asyncio.sleep(SETTLE_S)
    taken = asked.done()
    asked.cancel()
    with suppress(asyncio.CancelledError, AgentBusError):
        await asked
    return int(taken)


async def durables(speaking: Node, wire: Transport, seen: list[int]) -> list[Captured]:
    """Durable events, completed; returns their frames."""
    before = seen[0]
    for place in range(CAPTURED):
        await speaking.publish(Sample(room="x", number=place), durable=True)
    frames: list[Captured] = []
    after = 0
    while (message := await wire.after(f"agentbus_{REALM}_log", f"{REALM}.log.>", after)) is not None:
        frames.append(Captured(message.subject, message.body, ""))
        after = message.sequence
    await until(lambda: seen[0] - before >= CAPTURED)
    await asyncio.sleep(SETTLE_S)
    return frames


async def until(condition: Callable[[], object], *, within_s: float = 120.0) -> None:
    """Returns when it holds. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)
