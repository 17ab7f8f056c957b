"""The scorekeeper at work in a node: whom it hears, what it tells, and whose promises it counts."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from agentbus import Agent, Context, Node, Supervision, cooperative, on
from agentbus.faults import LYING, MISBEHAVING, Fault
from agentbus.limits import BROKEN, FLOOD, INVALID, KEPT, Watcher
from agentbus.membership import Membership, local
from agentbus.security.electorate import Electorate, EpochSet, Seat, signed_epoch_set
from agentbus.security.keys import KeyPair
from agentbus.security.scores import Level, Parameter, ScoreConfig, Scorekeeper
from agentbus.testing import Simulation

ISSUER = KeyPair(b"i" * 32)


def key(node: str) -> bytes:
    return KeyPair(node.encode().rjust(32, b"\0")).key


def enrolled(nodes: Sequence[str], number: int = 1, sponsor: bytes = b"") -> Electorate:
    electorate = Electorate("default", ISSUER.key)
    electorate.take(epoch(nodes, number, sponsor))
    return electorate


def epoch(nodes: Sequence[str], number: int, sponsor: bytes = b"") -> bytes:
    seats = sorted((Seat(key=key(node), node=node, sponsor=sponsor) for node in nodes), key=lambda seat: seat.key)
    made = EpochSet(realm="default", number=number, issued_s=number, issuer=ISSUER.key, seats=tuple(seats))
    return signed_epoch_set(made, ISSUER)


class Ear(Agent):
    """Notes the faults that its node is told."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    @on(Fault, topic="{node}")
    async def note(self, fault: Fault, ctx: Context) -> None:
        self.faults.append(fault)


def test_a_flood_is_graylisted_told_and_over() -> None:
    async def scenario(sim: Simulation) -> None:
        keeper, ear = Scorekeeper(electorate=enrolled(["here", "there"])), Ear()
        node = await sim.node("here", agents=[keeper, ear])
        watcher = node.bus.watcher
        assert isinstance(watcher, Watcher)
        assert not watcher.ignores(key("there"))
        watcher.saw(key("there"), FLOOD, 150.0)
        assert watcher.ignores(key("there"))
        assert not watcher.ignores(key("here"))
        assert keeper.level("there") is Level.GRAYLISTED
        await sim.until(lambda: ear.faults)
        (fault,) = ear.faults
        assert (fault.kind, fault.node, fault.recovered, list(fault.witnesses)) == (
            MISBEHAVING,
            "there",
            False,
            ["here"],
        )
        assert fault.reason.startswith("key U")
        assert "flood" in fault.reason
        assert 0.5 <= fault.score <= 1.0
        await sim.sleep(100.0)
        assert not watcher.ignores(key("there"))
        assert [told.recovered for told in ear.faults] == [False, True]
        assert keeper.dropped == 1

    Simulation(seed=1, limit_s=200).run(scenario)


def test_its_own_node_is_not_judged_and_a_claimed_name_neither() -> None:
    async def scenario(sim: Simulation) -> None:
        keeper = Scorekeeper(electorate=enrolled(["here", "there"]))
        await sim.node("here", agents=[keeper])
        keeper.saw(key("here"), INVALID, 100.0)
        keeper.saw("there", FLOOD, 1000.0)
        keeper.saw("nobody", BROKEN)
        assert not keeper.scores.graylisted
        assert keeper.level("here") is keeper.level("there") is keeper.level("unknown") is Level.FULL

    Simulation(seed=1).run(scenario)


def test_a_score_takes_the_vote_before_it_takes_the_word() -> None:
    async def scenario(sim: Simulation) -> None:
        keeper = Scorekeeper(electorate=enrolled(["here", "there"]))
        await sim.node("here", agents=[keeper])
        assert keeper.votes("there")
        assert keeper.votes("there", key("there"))
        assert not keeper.votes("there", key("here"))
        assert not keeper.votes("stranger")
        keeper.saw(key("there"), INVALID, 2.0)
        assert keeper.level("there") is Level.UNBELIEVED
        assert not keeper.votes("there")
        assert not keeper.ignores(key("there"))

    Simulation(seed=1).run(scenario)


def test_whom_a_quorum_convicts_is_not_believed() -> None:
    async def scenario(sim: Simulation) -> None:
        keeper = Scorekeeper(electorate=enrolled(["here", "there", "far"]))
        node = await sim.node("here", agents=[keeper])
        far = await sim.node("far")
        await far.publish(Fault(kind=LYING, agent="a", node="there"), topic="here")
        await sim.sleep(0.1)
        assert keeper.level("there") is Level.FULL, "another node's word is no verdict of this one"
        await node.publish(Fault(kind=LYING, agent="a", node="there"), topic="here")
        await sim.sleep(0.1)
        assert keeper.level("there") is Level.UNBELIEVED

    Simulation(seed=1).run(scenario)


class Unreliable(Agent):
    """Wins, and breaks its word when it is told to."""

    supervision = Supervision(on_failure="resume")

    def __init__(self, bid: float) -> None:
        self.bid = bid
        self.fails = True

    @cooperative(Int32Value, StringValue)
    async def work(self, job: Int32Value, ctx: Context) -> StringValue:
        if self.fails:
            raise ValueError("no")
        return StringValue(value=ctx.me)

    @work.cost
    def cost(self, job: Int32Value) -> float:
        return self.bid


def test_a_winner_that_fails_has_broken_its_word_and_who_did_it_instead_has_kept_it() -> None:
    async def scenario(sim: Simulation) -> None:
        names = ["buyer", "cheap", "dear"]
        keeper, reliable = Scorekeeper(electorate=enrolled(names)), Unreliable(2.0)
        reliable.fails = False
        buyer = await sim.node("buyer", agents=[Membership(local()), keeper])
        await sim.node("cheap", agents={"m": Membership(local()), "bad": Unreliable(1.0)})
        await sim.node("dear", agents={"m": Membership(local()), "good": reliable})
        await sim.until(lambda: len({peer.node for peer in buyer.peers.alive()}) == 3)
        for number in range(7):
            assert (await buyer.delegate(Int32Value(value=number), StringValue, deadline_s=5.0)).value == "good"
        now = buyer.bus.loop.time()
        assert keeper.scores.score(key("cheap"), now) < -50.0
        assert keeper.scores.score(key("dear"), now) > 6.0
        assert keeper.level("cheap") is Level.IDLE

    Simulation(seed=4, limit_s=60).run(scenario)


def test_a_crowd_of_one_sponsor_is_seen_and_leaves_with_its_set() -> None:
    async def scenario(sim: Simulation) -> None:
        crowd = [f"s-{number}" for number in range(14)]
        electorate = enrolled(["here"])
        families = Parameter(weight=-5.0, lifetime_s=1.0, cap=32.0, free=8.0, power=2)
        keeper = Scorekeeper(ScoreConfig(siblings=families), electorate=electorate)
        await sim.node("here", agents=[keeper])
        electorate.take(epoch(crowd, 5, KeyPair(b"s" * 32).key))
        await sim.sleep(1.5)
        assert {keeper.level(node) for node in crowd} == {Level.GRAYLISTED}
        electorate.take(epoch(crowd[:3], 9, KeyPair(b"s" * 32).key))
        await sim.sleep(1.5)
        assert {keeper.level(node) for node in crowd} == {Level.FULL}

    Simulation(seed=1).run(scenario)


async def test_before_it_runs_it_hears_everybody() -> None:
    keeper = Scorekeeper()
    keeper.saw(key("there"), FLOOD, 1e6)
    keeper.saw("someone", KEPT)
    assert not keeper.ignores(key("there"))
    async with Node("memory://scores", agents=[keeper]) as node:
        keeper.saw(key("there"), FLOOD, 1e6)
        assert keeper.ignores(key("there"))
        await node.remove("scorekeeper")
        assert node.bus.watcher is None
