"""Guarded nodes that are watched over: floods are graylisted and dropped unread; forgeries silence nobody."""

from __future__ import annotations

from agentbus import Agent, Context, Node, PeerId, on
from agentbus.detection import Detection, quorum_of
from agentbus.detection.codec import to_vote
from agentbus.detection.verdicts import Case, Finding, Vote, Witness
from agentbus.healing import Healer
from agentbus.healing.codec import StandingTold, to_belief
from agentbus.healing.model import Belief, Life
from agentbus.limits import Rate
from agentbus.messages import SEALED
from agentbus.peers import Peer, Standing
from agentbus.security.electorate import Electorate, EpochSet, Seat, signed_epoch_set
from agentbus.security.scores import Level, Scorekeeper
from agentbus.turns import FairMailbox
from examples.climate.v1.climate_pb2 import Reading
from tests.waiting import until
from tests.wire import wire

from .realm import ISSUER, guard, pair_of

READING = "city.ev.examples-climate-v1-Reading"


class Hall(Agent):
    """Hears ten a second of each."""

    def __init__(self) -> None:
        self.heard: dict[str, int] = {}

    @on(Reading, rate=Rate(per_s=10.0, burst=10))
    async def hear(self, reading: Reading, ctx: Context) -> None:
        self.heard[ctx.sender] = self.heard.get(ctx.sender, 0) + 1


def electorate(*nodes: str) -> Electorate:
    seats = sorted((Seat(key=pair_of(node).key, node=node) for node in nodes), key=lambda seat: seat.key)
    epoch = EpochSet(realm="city", number=1, issued_s=1, issuer=ISSUER.key, seats=tuple(seats))
    return Electorate("city", ISSUER.key, signed_epoch_set(epoch, ISSUER))


def node(url: str, name: str, *names: str, agents: dict[str, Agent] | None = None) -> Node:
    return Node(url, realm="city", name=name, agents=agents or {}, guard=guard(name, *names))


async def test_a_flood_is_graylisted_and_then_not_even_looked_at(url: str) -> None:
    hall, keeper = Hall(), Scorekeeper(electorate=electorate("a", "b", "c"))
    ours = guard("a", "hall", "keeper")
    here = Node(url, realm="city", name="a", agents={"hall": hall, "keeper": keeper}, guard=ours)
    async with here, node(url, "b") as loud, node(url, "c") as calm:
        assert isinstance(here.cells["hall"].workers["hear"].mailbox, FairMailbox), "with a guard the turns are on"
        await here.bus.transport.flush()
        for _ in range(1500):
            await loud.publish(Reading(room="x"))
        await loud.bus.transport.flush()
        await until(lambda: keeper.level("b") is Level.GRAYLISTED)
        looked_at = ours.counters.opened
        for number in range(5):
            await loud.publish(Reading(room=str(number)))
            await loud.bus.transport.flush()
        await calm.publish(Reading(room="y"))
        await until(lambda: hall.heard.get("c") == 1)
        await until(lambda: ours.counters.ignored == 5)
        assert hall.heard["b"] <= 20
        assert ours.counters.opened == looked_at + 1
        assert keeper.dropped == 5
        assert keeper.level("c") is Level.FULL
        assert here.agent_statistics("hall").behaviors["hear"].limited >= 1480


async def test_whoever_forges_in_anothers_name_does_not_silence_it(url: str) -> None:
    hall, keeper = Hall(), Scorekeeper(electorate=electorate("a", "b"))
    ours = guard("a", "hall", "keeper")
    here = Node(url, realm="city", name="a", agents={"hall": hall, "keeper": keeper}, guard=ours)
    async with here, node(url, "b") as honest, wire(url) as bare:
        seen = bare.hear(READING)
        await bare.flush()
        await honest.publish(Reading(room="1"))
        await honest.bus.transport.flush()
        await until(lambda: seen and hall.heard.get("b") == 1)
        frame = seen[0].body
        assert frame.startswith(SEALED)
        for _ in range(500):
            bare.transport.send(READING, frame[:-1] + bytes([frame[-1] ^ 1]))
        await until(lambda: ours.counters.forged == 500)
        assert keeper.level("b") is Level.FULL
        await honest.publish(Reading(room="2"))
        await until(lambda: hall.heard["b"] == 2)


class Roll:
    """An electorate that notes whom it was asked of."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes | None]] = []

    def votes(self, node: str, key: bytes | None = None) -> bool:
        self.asked.append((node, key))
        return False


async def test_a_vote_is_counted_for_the_key_that_signed_it_and_not_for_the_node_that_it_names(url: str) -> None:
    roll = Roll()
    detection = Detection(quorum_of(1), electorate=roll)
    vote = Vote(
        case=Case("lying", PeerId("x", 1), "d", "e"),
        finding=Finding.CONFIRMED,
        by=Witness(PeerId("detection", 1), "c"),
        number=1,
    )
    async with node(url, "a", "detection", agents={"detection": detection}), node(url, "b") as b:
        await b.publish(to_vote(vote), topic="vote")
        await until(lambda: roll.asked)
    assert roll.asked == [("c", pair_of("b").key)]


class Believed:
    """A view in which one node is alive."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def alive(self) -> list[Peer]:
        return [self.peer]

    def get(self, name: str) -> Peer | None:
        return self.peer if name == self.peer.id.name else None


async def test_what_is_told_of_a_standing_is_counted_for_the_key_that_signed_it(url: str) -> None:
    """A node that takes another's epoch for its own speaks in that one's name, under its own key."""
    roll = Roll()
    async with node(url, "b") as b:
        others = Believed(Peer(id=PeerId("healer", b.epoch), node="c"))
        healer = Healer(electorate=roll)
        here = Node(url, realm="city", name="a", agents={"healer": healer}, guard=guard("a", "healer"), peers=others)
        async with here:
            victim = to_belief(Belief(life=Life("x", "d", 1), standing=Standing.QUARANTINED, kind="lying"), 0.0)
            await b.publish(StandingTold(standing=victim, by="c", by_epoch=b.epoch))
            await until(lambda: roll.asked)
    assert roll.asked == [("c", pair_of("b").key)]


async def test_who_signs_what_is_no_frame_is_charged_in_full(url: str) -> None:
    keeper = Scorekeeper(electorate=electorate("a", "b"))
    async with node(url, "a", "hall", "keeper", agents={"hall": Hall(), "keeper": keeper}), wire(url) as bare:
        theirs = guard("b")
        for number in range(4):
            sealed = theirs.seal(b"\xff", subject=READING, reply="", source="b", epoch=1, durable=False)
            bare.transport.send(READING, SEALED + sealed)
            want = number + 1
            await until(lambda want=want: keeper.scores.score(pair_of("b").key, 0.0) <= -9.0 * want**2)
        assert keeper.level("b") is Level.GRAYLISTED
