"""The agent, in virtual time: teams that find each other, nodes that come and go, seats that open and close."""

from __future__ import annotations

import asyncio
from math import ceil, log2
from typing import ClassVar

import pytest

from agentbus import Agent, Context, Node, competitive, cooperative, hybrid, on, rpc
from agentbus.blackboard import Blackboard, BlackboardConfig, Note, Seat, Stamp, Value, local
from agentbus.blackboard.codec import BoardGossip, BoardStatusRequest, StatusReply, encode
from agentbus.blackboard.model import Packet, PacketKind
from agentbus.errors import AgentNotFound, BoardFull, HandlerFailed, NotConnected, NotSharing, PayloadTooLarge
from agentbus.membership import Membership
from agentbus.membership import local as members
from agentbus.testing import Simulation
from agentbus.transports.memory import MemoryBroker, MemoryTransport
from examples.couriers.v1.couriers_pb2 import Delivery, Receipt

from .team import TEAM, Courier, Everyone, join, same

PERIOD_S = local().period_s


# -- the team ----------------------------------------------------------------------------------------------------------


async def thirty(sim: Simulation) -> None:
    names = [f"n{number}" for number in range(30)]
    team = [await join(sim, name, peers=Everyone(names)) for name in names]
    boards = [board for board, _ in team]
    sim.link(delay_s=(0.001, 0.01), loss=0.05, duplicate=0.02)
    await sim.until(lambda: all(board.machine.others == 29 for board in boards))
    began = sim.now()
    for number, (_, courier) in enumerate(team):
        courier.notes.put(f"jam/{number}", number)
        courier.notes.put("last", number)
        courier.notes.add("delivered", number)
    await sim.until(lambda: same(*boards))
    assert (sim.now() - began) / PERIOD_S <= 2 * ceil(log2(30))
    assert boards[7].board.count("delivered") == sum(range(30))

    sim.partition(names[:12], names[12:])
    for number, (_, courier) in enumerate(team):
        courier.notes.put("last", f"after {number}")
        courier.notes.add("delivered")
    await sim.until(lambda: same(*boards[:12]) and same(*boards[12:]), timeout_s=10.0)
    assert [board.board.count("delivered") - sum(range(30)) for board in (boards[0], boards[29])] == [12, 18]
    healed = sim.now()
    sim.heal()
    await sim.until(lambda: same(*boards))
    assert (sim.now() - healed) / PERIOD_S <= 2 * ceil(log2(30))
    assert boards[0].board.count("delivered") == sum(range(30)) + 30
    assert {board.board.note("last") for board in boards} == {boards[0].board.note("last")}


def test_thirty_nodes_know_the_same_soon_and_again_after_a_partition() -> None:
    Simulation(seed=4).run(thirty)


async def comes_back(sim: Simulation) -> None:
    team = [await join(sim, f"n{number}", max_hops=2) for number in range(5)]  # gossip is no chain of causes
    boards = [board for board, _ in team]
    notes = [courier.notes for _, courier in team]
    await sim.until(lambda: all(board.machine.others == 4 for board in boards))
    notes[4].add("delivered", 3)
    notes[4].put("x", "before")
    await sim.until(lambda: same(*boards))
    sim.crash("n4")
    await sim.until(lambda: all(board.machine.others == 3 for board in boards[:4]))
    notes[0].put("y", "meanwhile")
    node = await sim.restart("n4")
    assert node is not None
    seat = notes[4]  # of the life before: it finds the board that stands for its own now
    assert seat.items() == {}
    await sim.until(lambda: seat.items() == {"x": "before", "y": "meanwhile"}, timeout_s=5.0)
    seat.add("delivered")
    await sim.until(lambda: {seat.count("delivered") for seat in notes} == {4}, timeout_s=5.0)
    reply = await node.request(BoardStatusRequest(), StatusReply, to=TEAM, timeout_s=1.0)
    assert (reply.team, reply.notes, reply.deleted, reply.tallies, reply.others) == (TEAM, 2, 0, 2, 4)
    assert reply.root == boards[0].board.root


def test_a_node_that_is_killed_and_started_again_catches_up_and_counts_anew() -> None:
    Simulation(seed=5).run(comes_back)


class Namesake(Agent):
    """Has the team's name, and no board."""

    @rpc(Delivery, Receipt)
    async def answer(self, job: Delivery, ctx: Context) -> Receipt:
        return Receipt()


async def apart(sim: Simulation) -> None:
    one, ann = await join(sim, "a")
    two, _ = await join(sim, "b")
    other, _ = await join(sim, "c", team="painters")
    await sim.node("d", agents={"membership": Membership(members()), TEAM: Namesake()})
    await sim.node(
        "e",
        agents={
            "m": Membership(members()),
            "painters": (inside := Blackboard(local())),
            TEAM: (both := Blackboard(local())),
        },
    )
    ann.notes.put("secret", 1)
    await sim.sleep(5.0)
    assert [board.board.note("secret") for board in (one, two, both)] == [1, 1, 1]
    assert (len(other.board), len(inside.board)) == (0, 0)
    assert [board.machine.others for board in (one, two, both, other, inside)] == [2, 2, 2, 1, 1]


def test_teams_are_apart_and_a_namesake_is_no_board() -> None:
    Simulation(seed=6).run(apart)


async def does_jobs(sim: Simulation) -> None:
    boards = [(await join(sim, f"n{number}"))[0] for number in range(3)]
    buyer = await sim.node("buyer")
    for number in range(6):
        await buyer.delegate(Delivery(number=number, from_x=0.0, to_x=1.0), Receipt, deadline_s=5.0)
    await sim.until(lambda: {board.board.count("delivered") for board in boards} == {6}, timeout_s=5.0)
    assert len(boards[0].board.notes("to/")) == 6


def test_what_is_done_on_the_job_is_known_to_the_team() -> None:
    Simulation(seed=7).run(does_jobs)


# -- seats -------------------------------------------------------------------------------------------------------------


class Driver(Agent):
    """Of three minds."""

    @competitive(Delivery, Receipt)
    async def compete(self, job: Delivery, ctx: Context) -> Receipt:
        return Receipt()

    @compete.cost
    def _one(self, job: Delivery) -> float:
        return 1.0

    @hybrid(Receipt, Receipt, weight=0.9, shares=True)
    async def lend(self, job: Receipt, ctx: Context) -> Receipt:
        return Receipt()

    @lend.cost
    def _two(self, job: Receipt) -> float:
        return 1.0


def refusals(seat: Seat) -> list[str]:
    found: list[str] = []
    for verb in (
        lambda: seat.put("x", 1),
        lambda: seat.get("x"),
        lambda: seat.delete("x"),
        seat.items,
        lambda: seat.add("n"),
        lambda: seat.count("n"),
        seat.counts,
        seat.watch,
    ):
        with pytest.raises(NotSharing) as refused:
            verb()
        found.append(str(refused.value))
    return found


async def closed(sim: Simulation) -> None:
    board, courier = await join(sim, "a")
    driver = Driver()
    nodes = {"membership": Membership(members()), TEAM: (theirs := Blackboard(local())), "driver": driver}
    await sim.node("b", agents=nodes)
    courier.notes.put("x", 1)
    await sim.until(lambda: theirs.board.note("x") == 1)
    seat = theirs.seat(driver, "compete")
    assert not seat.open
    (why,) = set(refusals(seat))
    assert "Driver.compete is competitive" in why
    assert "shares=True" in why
    assert "0.5" in why
    await sim.sleep(2.0)
    assert board.board.spelled == theirs.board.spelled  # nothing was fed
    lending = theirs.seat(driver, "lend")
    assert lending.open
    lending.put("y", 2)
    await sim.until(lambda: courier.notes.get("y") == 2)
    assert repr(lending) == "<Seat of Driver.lend, open>"

    # the weight is changed while it runs
    driver.policy("compete").weight = 0.49
    assert (seat.open, seat.get("x")) == (True, 1)
    driver.policy("compete").weight = 0.5
    assert len(set(refusals(seat))) == 1
    driver.policy("lend").weight = 0.0
    driver.policy("lend").weight = 1.0
    assert lending.open  # as it was said
    with pytest.raises(AgentNotFound, match="no policy 'rest'"):
        theirs.seat(driver, "rest")


def test_a_seat_is_open_while_its_policy_shares() -> None:
    Simulation(seed=8).run(closed)


class Fragile(Courier):
    """Fails at each job."""

    seats: ClassVar[list[Seat]] = []

    def __init__(self, board: Blackboard) -> None:
        super().__init__(board)
        self.seats.append(self.notes)

    @cooperative(Delivery, Receipt)
    async def deliver(self, job: Delivery, ctx: Context) -> Receipt:
        raise RuntimeError("the bicycle is broken")

    @deliver.cost
    def distance(self, job: Delivery) -> float:
        return 1.0


async def restarts(sim: Simulation) -> None:
    Fragile.seats = []
    board = Blackboard(local())
    courier = Fragile(board)
    node = await sim.node("a", agents={TEAM: board, "fragile": courier})
    courier.policy("deliver").weight = 1.0
    with pytest.raises(HandlerFailed):
        await node.request(Delivery(), Receipt, to="fragile", timeout_s=1.0)
    await sim.until(lambda: len(Fragile.seats) == 2)
    await sim.sleep(1.0)
    assert [seat.open for seat in Fragile.seats] == [False, False]
    courier.policy("deliver").weight = 0.0
    assert [seat.open for seat in Fragile.seats] == [True, True]


def test_an_agent_that_is_built_again_shares_no_more_than_before() -> None:
    Simulation(seed=14).run(restarts)


async def watches(sim: Simulation) -> None:
    _, ann = await join(sim, "a")
    _, bert = await join(sim, "b")
    bert.notes.put("jam/1", "before")
    seen: list[tuple[str, Value | None]] = []

    async def read() -> None:
        async with bert.notes.watch("jam/") as jams:
            async for key, value in jams:
                seen.append((key, value))

    reader = asyncio.create_task(read())
    await sim.sleep(3.0)
    assert seen == []
    ann.notes.put("jam/1", 1)
    ann.notes.put("other", 1)
    bert.notes.put("jam/2", 0)
    bert.notes.put("jam/2", 2)  # of a key only the newest is told
    await sim.sleep(3.0)
    assert sorted(seen) == [("jam/1", 1), ("jam/2", 2)]
    ann.notes.delete("jam/1")
    await sim.sleep(3.0)
    assert seen[2:] == [("jam/1", None)]
    await sim.stop("b")
    await asyncio.wait_for(reader, 1.0)

    watch = ann.notes.watch()
    assert await watch.next(timeout_s=1.0) is None
    ann.notes.put("x", 1)
    ann.policy("deliver").weight = 1.0
    with pytest.raises(NotSharing):
        await watch.next(timeout_s=1.0)
    ann.policy("deliver").weight = 0.0
    assert await watch.next(timeout_s=1.0) == ("x", 1)
    watch.close()
    ann.notes.put("x", 2)
    assert await watch.next(timeout_s=1.0) is None


def test_a_watch_tells_the_newest_and_ends_with_its_board_or_its_seat() -> None:
    Simulation(seed=9).run(watches)


BAD: list[tuple[str, Value, type[Exception]]] = [
    ("", 1, ValueError),
    ("x" * 257, 1, ValueError),
    ("\ud800", 1, ValueError),
    ("x", float("nan"), ValueError),
    ("x", float("inf"), ValueError),
    ("x", 1 << 63, ValueError),
    ("x", "ä" * 8_193, PayloadTooLarge),
    ("x", b"x" * 16_385, PayloadTooLarge),
    ("x", None, TypeError),  # type: ignore[list-item]
    ("x", ["a"], TypeError),  # type: ignore[list-item]
]


async def writes_nonsense(sim: Simulation) -> None:
    board, ann = await join(sim, "a", BlackboardConfig(max_entries=2))
    for key, value, kind in BAD:
        with pytest.raises(kind):
            ann.notes.put(key, value)
    for amount in (1.0, True, "1"):
        with pytest.raises(TypeError, match="whole number"):
            ann.notes.add("n", amount)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="counter"):
        ann.notes.add("", 1)
    assert len(board.board) == 0
    ann.notes.put("x", b"x" * 16_384)
    ann.notes.add("n", -2)
    with pytest.raises(BoardFull):
        ann.notes.put("y", 1)
    assert (ann.notes.items(), ann.notes.counts()) == ({"x": b"x" * 16_384}, {"n": -2})


def test_what_can_not_be_written_is_refused_with_a_reason() -> None:
    Simulation(seed=10).run(writes_nonsense)


async def test_a_board_that_has_not_started_says_so() -> None:
    board = Blackboard()
    seat = Courier(board).notes
    assert seat.open
    for verb in (lambda: seat.put("x", 1), lambda: seat.get("x"), board.status):
        with pytest.raises(NotConnected, match="has not started"):
            verb()


# -- trouble -----------------------------------------------------------------------------------------------------------


class Clumsy(Blackboard):
    """Some message makes it fail."""

    @on(Receipt, topic="stumble")
    async def stumble(self, message: Receipt, ctx: Context) -> None:
        raise RuntimeError("a defect")


class Early(Agent):
    """Sits where a board should, with a clock of next year's."""

    @rpc(Receipt, Receipt)
    async def speak(self, request: Receipt, ctx: Context) -> Receipt:
        stamp = Stamp(int((ctx.clock() + 3e7) * 1000), 0, "early@1")
        packet = Packet(kind=PacketKind.BEAT, source=ctx.node, life=ctx.epoch, items=[Note("x", stamp, "for ever")])
        await ctx.publish(encode(packet), topic=f"{TEAM}.a")
        return Receipt()


async def early(sim: Simulation) -> None:
    board, ann = await join(sim, "a")
    node = await sim.node("early", agents={TEAM: Early()})
    for _ in range(3):
        await node.request(Receipt(), Receipt, timeout_s=1.0)
        await sim.sleep(1.0)
    assert (ann.notes.get("x"), board.status().refused_ahead) == (None, 3)
    (warned,) = [entry for entry in sim.logs if entry["level"] == "warning" and "clock" in entry["event"]]
    assert warned["heard_from"] == "early"


def test_a_clock_too_far_ahead_is_told_of_once() -> None:
    Simulation(seed=13).run(early)


async def test_values_are_no_larger_than_the_broker_takes() -> None:
    board = Blackboard(local())
    courier = Courier(board)
    wire = MemoryTransport(MemoryBroker("small", max_payload=8_192))
    async with Node(transport=wire, agents={TEAM: board, "ann": courier}):
        with pytest.raises(PayloadTooLarge, match="at most 3072"):
            courier.notes.put("x", "x" * 3_073)
        courier.notes.put("x", "x" * 3_072)


class Liar(Agent):
    """Speaks in its own name, of others'."""

    @rpc(Delivery, Receipt)
    async def speak(self, job: Delivery, ctx: Context) -> Receipt:
        packet = Packet(kind=PacketKind.BEAT, source="a", life=ctx.epoch, root=1)
        await ctx.publish(encode(packet), topic=f"{TEAM}.a")
        return Receipt()


async def troubled(sim: Simulation) -> None:
    board = Clumsy(local())
    courier = Courier(board)
    node: Node = await sim.node("a", agents={"m": Membership(members()), TEAM: board, "ann": courier, "liar": Liar()})
    courier.notes.put("x", 1)
    await node.publish(Receipt(), topic="stumble")
    await node.publish(BoardGossip(version=99), topic=f"{TEAM}.a")
    await node.request(Delivery(), Receipt, to="liar", timeout_s=1.0)
    await sim.sleep(1.0)
    assert (courier.notes.get("x"), board.status().malformed, board.status().messages_sent) == (1, 2, 0)
    other, _ = await join(sim, "b")
    sim.crash("broker")
    courier.notes.put("x", 2)
    await sim.sleep(5.0)
    assert courier.notes.get("x") == 2
    await sim.restart("broker")
    await sim.until(lambda: other.board.note("x") == 2, timeout_s=20.0)


def test_defects_liars_and_a_lost_broker_cost_nothing_that_is_known() -> None:
    Simulation(seed=11).run(troubled)


def events(seed: int) -> list[str]:
    async def scenario(sim: Simulation) -> list[str]:
        team = [await join(sim, f"n{number}") for number in range(4)]
        sim.link(delay_s=(0.001, 0.05), loss=0.1)
        for _, courier in team:
            courier.notes.put("x", courier.notes.count("n"))
            courier.notes.add("n")
        await sim.sleep(5.0)
        return [str(event) for event in sim.log]

    return Simulation(seed).run(scenario)


def test_a_seed_replays_it() -> None:
    assert events(12) == events(12)
