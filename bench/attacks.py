"""What `bench.security` tries on a node with a guard: attacks through a bare connection, and honest traffic on a bad one.

An attack counts as accepted when a handler has seen it, or a requester has taken it for an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random

from agentbus import Agent, AgentBusError, Context, Node, on, rpc
from agentbus.errors import Refused
from agentbus.messages import PLAIN, SEALED, Frame, encode_frame, full_name
from agentbus.security import Guard, KeyPair, signed_enrolment
from agentbus.security.signing import parsed, signable, unsigned
from agentbus.testing import Simulation
from agentbus.transport import Headers, Transport
from agentbus.transports import open_transport
from examples.bench.v1.bench_pb2 import Answer, Question, Sample

from .sides.signed import guard_of

REALM = "guarded"
SAMPLE = f"{REALM}.ev.{full_name(Sample).replace('.', '-')}"
LOG = f"{REALM}.log.{full_name(Sample).replace('.', '-')}"
CHUNK = 256
CAPTURED = 256
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

    @on(Sample, durable="kept")
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
        node: the node that is attacked, or None while it is down.
        rng: chance.
    """

    def __init__(self, wire: Transport, rng: Random) -> None:
        self.wire = wire
        self.rng = rng
        self.heard: list[Captured] = []
        self.listening = True
        wire.subscribe(f"{REALM}.>", self._hear)

    def _hear(self, subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        if self.listening and body[:2] == SEALED and f"{REALM}.in." not in subject:
            self.heard.append(Captured(subject, body, reply))

    async def tries(self, node: Node, seen: list[int], attempts: int, make: Callable[[], Captured]) -> int:
        """Sends so many frames; returns how many of them were handled."""
        self.listening = False
        before, frames = seen[0], node.statistics().frames_received
        for start in range(0, attempts, CHUNK):
            for _ in range(min(CHUNK, attempts - start)):
                frame = make()
                self.wire.send(frame.subject, frame.body, frame.reply)
            await self.wire.flush()
            await asyncio.sleep(0)
        async with asyncio.timeout(30.0):
            while node.statistics().frames_received - frames < attempts:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)  # what was let in has been handled by now
        self.listening = True
        return seen[0] - before

    async def stores(self, node: Node, guard: Guard, seen: list[int], attempts: int, frames: list[Captured]) -> int:
        """Stores durable frames again; returns how many of them were handled."""
        before, refused = seen[0], guard.counters.copies
        for number in range(attempts):
            frame = self.rng.choice(frames)
            await self.wire.store(frame.subject, frame.body, message_id=f"again-{number}-{self.rng.random()}")
        async with asyncio.timeout(60.0):
            while guard.counters.copies - refused + seen[0] - before < attempts:
                await asyncio.sleep(0.005)
        return seen[0] - before


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
    rest = unsigned(header._replace(number=header.number + 10**6), sealed[start:])
    return SEALED + pair.sign(signable(captured.subject, captured.reply, rest)) + rest


def parsed_body(captured: Captured) -> bytes:
    """The frame that was sealed."""
    sealed = captured.body[2:]
    return sealed[parsed(sealed)[1] :]


def flipped(frame: Captured, rng: Random) -> Captured:
    """One bit of it is another."""
    body = bytearray(frame.body)
    body[rng.randrange(2, len(body))] ^= 1 << rng.randrange(8)
    return replace(frame, body=bytes(body))


@asynccontextmanager
async def hearing(url: str, guard: Guard, target: Target) -> AsyncGenerator[Node]:
    """The node that is attacked."""
    async with Node(url, realm=REALM, name="hearing", guard=guard, agents={"target": target}) as node:
        yield node


async def attacked(attempts: int) -> list[Outcome]:
    """All attacks, so many in all."""
    url, clock, rng = f"memory://attacks-{next(_brokers)}", Clock(), Random(7)
    seen = [0]
    wire = open_transport(url, name="attacker")
    await wire.connect()
    attacker = Attacker(wire, rng)
    each = attempts // 10
    found: list[Outcome] = []
    insider = guard_of(REALM, "insider", "spy", clock=clock)
    insiders_pair = KeyPair(b"insider".ljust(32, b"."))
    mallory, pair = mallorys(clock), KeyPair(b"m" * 32)
    number = count(1)

    async def speak(node: Node) -> None:
        attacker.heard.clear()
        for place in range(CAPTURED):
            clock.now += 0.001
            await node.publish(Sample(room="x", number=place), topic=f"floor.{place % 3}", spread=True)
            await node.request(Question(number=place), Answer, to="target")
        await wire.flush()

    async with Node(url, realm=REALM, name="speaking", guard=guard_of(REALM, "speaking", clock=clock)) as speaking:
        guard = guard_of(REALM, "hearing", "target", clock=clock)
        async with hearing(url, guard, Target(seen)) as node:
            await speak(speaking)
            events = [frame for frame in attacker.heard if ".ev." in frame.subject]
            questions = [frame for frame in attacker.heard if ".to." in frame.subject]
            assert len(events) == len(questions) == CAPTURED
            assert seen[0] == 2 * CAPTURED

            def forge() -> Captured:
                place = next(number)
                match place % 4:
                    case 0:
                        return Captured(SAMPLE, own_frame(mallory, "speaking", place), "")
                    case 1:
                        frame = rng.choice(events)
                        return replace(frame, body=impostor(frame, pair))
                    case 2:
                        return Captured(SAMPLE, PLAIN + parsed_body(rng.choice(events)), "")
                    case _:
                        return Captured(SAMPLE, SEALED + rng.randbytes(rng.randrange(400)), "")

            def insiders() -> Captured:
                place = next(number)
                if place % 2:
                    return Captured(SAMPLE, own_frame(insider, "spy", place, inside="speaking"), "")
                header, start = parsed(rng.choice(events).body[2:])
                mine = header._replace(enrolment=parsed(own_frame(insider, "spy", place)[2:])[0].enrolment)
                rest = unsigned(mine, rng.choice(events).body[2 + start :])
                return Captured(SAMPLE, SEALED + insiders_pair.sign(signable(SAMPLE, "", rest)) + rest, "")

            def elsewhere() -> Captured:
                frame = rng.choice(events)
                topics = [f"{SAMPLE}.floor.9", SAMPLE, f"{REALM}.to.target.{full_name(Sample).replace('.', '-')}"]
                return replace(frame, subject=rng.choice(topics))

            def answer_elsewhere() -> Captured:
                return replace(rng.choice(questions), reply=f"{REALM}.in.insider.1_{rng.randrange(9**9)}_1")

            for name, make, told in (
                ("forged", forge, "by a key of no issuer; with another's enrolment; unsigned; bytes of chance"),
                (
                    "in another's name",
                    insiders,
                    "by an enrolled node, with its own enrolment: the frame says so, or its header",
                ),
                ("altered", lambda: flipped(rng.choice(attacker.heard[:CAPTURED]), rng), "one bit"),
                ("on another subject", elsewhere, "topic, none, by name"),
                ("re-addressed", answer_elsewhere, "requests whose answer is to go elsewhere"),
                ("replayed at once", lambda: rng.choice(events + questions), ""),
            ):
                found.append((name, each, await attacker.tries(node, seen, each, make), told))
            taken = await answered_by_another(speaking, insider, wire, each)
            found.append(("answers", each, taken, "to another's request: unsigned, and by an enrolled node"))
            clock.now += 60.0
            tried = await attacker.tries(node, seen, each, lambda: rng.choice(events + questions))
            found.append(("replayed after the window", each, tried, "60 s later, to a window of 30 s"))
            stored = await durables(speaking, wire, seen)
            copied = each // 4
            tried = await attacker.stores(node, guard, seen, copied, stored)
            found.append(("stored again", copied, tried, "durable events that had been completed"))
            await speak(speaking)
            fresh = list(attacker.heard)
        guard = guard_of(REALM, "hearing", "target", clock=clock)
        async with hearing(url, guard, Target(seen)) as node:
            tried = await attacker.tries(node, seen, each, lambda: rng.choice(fresh))
            found.append(("replayed after a restart", each, tried, "within the window"))
            rest = attempts - sum(tried for _, tried, _, _ in found)
            tried = await attacker.stores(node, guard, seen, rest, stored)
            found.append(("stored again after a restart", rest, tried, "durable events that had been completed"))
    await wire.close()
    return found


async def answered_by_another(asking: Node, insider: Guard, wire: Transport, attempts: int) -> int:
    """One request that is never answered, and so many answers to it by others; returns whether one was taken."""
    inbox = f"{REALM}.in.speaking.{asking.epoch:x}"
    heard: list[str] = []
    wire.subscribe(f"{REALM}.to.nobody-here.*", lambda s, b, r, h: heard.append(r))
    await wire.flush()
    asked = asyncio.create_task(asking.request(Question(number=1), Answer, to="nobody-here", timeout_s=60.0))
    while not heard:
        await asyncio.sleep(0.001)
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
    await asyncio.sleep(0.02)
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
    async with asyncio.timeout(30.0):
        while seen[0] - before < CAPTURED:
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    return frames


# -- honest traffic ----------------------------------------------------------------------------------------------------


def honest(attempts: int) -> tuple[int, int, str]:
    """Live frames that overtake one another, and durable ones that are delivered again, in a simulation; returns how
    many there were, how many were refused, and what is to be known of them."""
    simulation = Simulation(seed=11, limit_s=36_000.0)
    seen = [0]
    guards = {"hearing": guard_of(REALM, "hearing", "target", clock=lambda: 0.0)}

    async def scenario(sim: Simulation) -> int:
        def clock() -> float:
            return 946_684_800.0 + sim.now()

        names = ("speaking", "second")
        guards.update({name: guard_of(REALM, name, clock=clock, valid_s=10**6) for name in names})
        guards["hearing"] = guard_of(REALM, "hearing", "target", clock=clock, valid_s=10**6)
        await sim.node("hearing", realm=REALM, guard=guards["hearing"], agents={"target": Target(seen, 3)})
        speakers = [await sim.node(name, realm=REALM, guard=guards[name]) for name in names]
        sim.link(delay_s=(0.0, 0.02), reorder=0.2)
        live, durable = attempts * 4 // 5, attempts // 5
        for place in range(live // 2):
            for node in speakers:
                await node.publish(Sample(room="x", number=place), spread=True)
            if place % 50 == 0:
                await sim.sleep(0.005)
        await sim.until(lambda: seen[0] >= live // 2 * 2, timeout_s=60.0)

        async def store(node: Node) -> None:
            for place in range(durable // 2):
                await node.publish(Sample(room="x", number=place), durable=True)

        storing = asyncio.gather(*(store(node) for node in speakers))
        for _ in range(3):
            await sim.sleep(durable / 2 * 0.005)
            sim.crash("hearing")
            await sim.sleep(0.5)
            await sim.restart("hearing")
        await storing
        await sim.until(lambda: seen[0] >= live // 2 * 2 + durable // 2 * 2, timeout_s=600.0)
        return live // 2 * 2 + durable // 2 * 2

    frames = simulation.run(scenario)
    told = guards["hearing"].counters
    refused = sum(guard.counters.refused for guard in guards.values())
    note = f"{told.late:,} live ones overtaken, {told.again:,} durable ones delivered again, 3 crashes of the receiver"
    return frames, refused, note


async def honest_on(url: str, attempts: int) -> tuple[int, int, str]:
    """The same on a broker, without the reordering; the receiver is killed halfway."""
    seen = [0]
    guards = [guard_of(REALM, "hearing", "target"), guard_of(REALM, "speaking")]
    half = attempts // 2
    async with Node(url, realm=REALM, name="speaking", guard=guards[1]) as speaking:
        node = Node(url, realm=REALM, name="hearing", guard=guards[0], agents={"target": Target(seen, 3)})
        await node.start()
        for place in range(half):
            await speaking.publish(Sample(room="x", number=place), spread=True)
        await _until(lambda: seen[0] >= half)
        for start in range(0, half, 50):
            stored = (speaking.publish(Sample(room="x", number=n), durable=True) for n in range(start, start + 50))
            await asyncio.gather(*stored)
            if start == half // 100 * 50:
                await node.abort()
                guards.append(guard_of(REALM, "hearing", "target"))
                node = Node(url, realm=REALM, name="hearing", guard=guards[-1], agents={"target": Target(seen, 3)})
                await node.start()
        try:
            await _until(lambda: seen[0] >= 2 * half)
        finally:
            await node.stop()
    again = sum(guard.counters.again for guard in guards)
    refused = sum(guard.counters.refused for guard in guards)
    return 2 * half, refused, f"{again:,} durable ones delivered again, 1 crash of the receiver"


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120.0):
        while not condition():
            await asyncio.sleep(0.01)
