"""What goes wrong: old words, replays, strangers, clocks, flapping, many at once, partitions, a dead broker, stops."""

from __future__ import annotations

import heapq
from random import Random

import pytest

from agentbus.membership.model import ChangeKind, Link, Packet, PacketKind, State, Word
from tests.membership.test_machine import alive, alone
from tests.membership.world import World, quick

VERDICTS = (ChangeKind.FAILED, ChangeKind.LEFT)


def gossip(source: str, *words: Word, epoch: int = 1, kind: PacketKind = PacketKind.GOSSIP) -> Packet:
    return Packet(kind, source, epoch, 0, "", words)


def said(state: State, node: str, *, epoch: int = 1, incarnation: int = 0, by: tuple[str, ...] = ("b",)) -> Word:
    return Word(state=state, node=node, epoch=epoch, life=epoch, incarnation=incarnation, by=by)


# -- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.ALIVE, State.SUSPECT, State.FAILED, State.LEFT])
def test_a_stale_incarnation_changes_nothing(state: State) -> None:
    machine = alone("a", "b")
    machine.handle(gossip("a", alive("a", incarnation=5)), 0.01)
    machine.handle(gossip("b", said(state, "a", incarnation=4)), 0.02)
    assert machine.beliefs.members.by_name["a"].word == alive("a", incarnation=5)


def test_a_failed_node_is_not_brought_back_by_its_own_old_words() -> None:
    machine = alone("a", "b", "c")
    for other in ("b", "c"):
        machine.handle(gossip(other, said(State.FAILED, "a", incarnation=3)), 0.01)
    for incarnation in range(4):
        machine.handle(gossip("a", alive("a", incarnation=incarnation)), 0.02)
        machine.handle(gossip("b", alive("a", incarnation=incarnation)), 0.02)
    assert machine.beliefs.members.by_name["a"].dead
    machine.handle(gossip("a", alive("a", incarnation=4)), 0.03)
    assert not machine.beliefs.members.by_name["a"].dead


def test_all_that_was_ever_said_said_again_changes_nothing() -> None:
    world = World(4)
    world.keep_packets = True
    world.populate(12)
    world.crash("m1")
    world.leave("m2")
    world.run(4.0)
    world.start("m1")
    world.run(4.0)
    assert world.agrees()
    heard = list(world.packets)
    world.keep_packets = False
    told = len(world.told)
    beliefs = {
        name: {member.name: member.word for member in machine.beliefs.members}
        for name, machine in world.machines.items()
    }
    for _, to, packet in heard:
        if to in world.machines:
            world.do(to, packet)
    world.run(5.0)
    assert world.told[told:] == []
    assert beliefs == {
        name: {member.name: member.word for member in machine.beliefs.members}
        for name, machine in world.machines.items()
    }


def test_a_forgotten_node_is_not_brought_back_by_an_old_word() -> None:
    machine = alone("a", "b", "c", config=quick(reclaim_s=1.0))
    for other in ("b", "c"):
        machine.handle(gossip(other, said(State.FAILED, "a")), 0.1)
    machine.beliefs.members.reclaim(5.0)
    assert "a" not in machine.beliefs.members.by_name
    machine.handle(gossip("b", alive("a")), 5.0)
    assert "a" not in machine.beliefs.members.by_name
    machine.handle(gossip("a", alive("a", incarnation=1)), 5.0)
    assert "a" in machine.beliefs.members.living


@pytest.mark.parametrize("state", [State.SUSPECT, State.FAILED, State.LEFT])
def test_an_accusation_by_a_stranger_counts_for_nothing(state: State) -> None:
    machine = alone("a", "b")
    machine.handle(gossip("stranger", said(state, "a", by=("stranger",))), 0.01)
    machine.handle(gossip("b", said(state, "a", by=("b",)), epoch=9), 0.02)  # another life than the one that is known
    machine.handle(gossip("stranger", alive("ghost")), 0.03)
    machine.handle(gossip("stranger", said(state, "a", by=("stranger",)), kind=PacketKind.TELL), 0.04)
    assert machine.beliefs.members.by_name["a"].word == alive("a")
    assert "ghost" not in machine.beliefs.members.by_name


def test_accusers_who_are_not_there_confirm_nothing() -> None:
    machine = alone("a", "b", "c", "d", "e")
    machine.handle(gossip("b", said(State.SUSPECT, "a", by=("b", "x", "y", "z", "a"))), 0.01)
    suspicion = machine.beliefs.members.by_name["a"].suspicion
    assert suspicion is not None
    assert suspicion.accusers == {"b"}


def test_a_death_in_a_table_is_looked_into_not_believed() -> None:
    machine = alone("a", "b")
    effects = machine.handle(gossip("b", alive("b"), said(State.FAILED, "a"), kind=PacketKind.TELL), 0.01)
    assert machine.beliefs.members.by_name["a"].word == alive("a")
    assert [getattr(effect, "to", "") for effect in effects] == ["a"]  # it is told, and can refute
    assert list(machine.beliefs.urgent) == ["a"]


def test_nobody_is_told_dead_of_itself() -> None:
    machine = alone("a", "b")
    for incarnation, state in enumerate([State.SUSPECT, State.FAILED, State.LEFT]):
        machine.handle(gossip("a", said(state, "me", incarnation=incarnation)), 0.01)
        assert machine.beliefs.own.state is State.ALIVE
        assert machine.beliefs.own.incarnation == incarnation + 1


# -- lives ---------------------------------------------------------------------------------------------------------


def test_a_new_life_is_taken_up_and_the_old_one_told_to_be_over() -> None:
    world = World(3)
    world.populate(8)
    before = world.machines["m1"].epoch
    world.crash("m1")
    world.start("m1")
    world.run(1.0)
    assert world.agrees()
    changes = world.changes(ChangeKind.FAILED, ChangeKind.REJOINED, node="m1", since=6.0)
    assert [told.kind for told in changes[:2]] == [ChangeKind.FAILED, ChangeKind.REJOINED]
    assert changes[0].change.word.epoch == before
    assert {told.change.word.epoch for told in changes if told.kind is ChangeKind.REJOINED} == {
        world.machines["m1"].epoch
    }


@pytest.mark.parametrize("known_dead", [True, False])
def test_a_life_whose_clock_was_set_back_an_hour_is_the_later_one(known_dead: bool) -> None:
    world = World(3)
    world.populate(8)
    hour = 3_600_000_000
    world.start("late", epoch=hour * 5)
    world.run(5.0)
    world.crash("late")
    if known_dead:
        world.run(5.0)
    world.start("late", epoch=hour * 4)
    world.run(2.0)
    assert world.agrees()
    words = {world.machines[f"m{n}"].beliefs.members.by_name["late"].word for n in range(8)}
    assert {(word.epoch, word.life) for word in words} == {(hour * 4, hour * 5 + 1)}
    world.run(20.0)
    assert world.agrees()


def test_clocks_an_hour_apart_make_no_difference() -> None:
    world = World(3)
    hour = 3_600_000_000
    for number in range(9):
        world.start(f"m{number}", epoch=hour * (1 + number % 3))
    world.run(2.0)
    assert world.agrees()
    world.crash("m4")
    world.run(4.0)
    assert world.agrees()


def test_a_process_that_was_replaced_while_it_stood_still_falls_silent() -> None:
    world = World(3)
    world.populate(8)
    zombie = world.machines["m1"]
    world.stop("m1")
    world.run(5.0)
    new = world.start("m1")
    world.run(2.0)
    effects = [*zombie.tick(world.now)]
    claim = world.machines["m2"].beliefs.members.by_name["m1"].word
    effects += zombie.handle(gossip("m2", claim, epoch=world.machines["m2"].epoch), world.now)
    assert zombie.over
    assert zombie.next_deadline() is None
    assert ChangeKind.SUPERSEDED in [getattr(effect, "kind", None) for effect in effects]
    world.run(2.0)
    assert not new.over
    assert world.agrees()


def test_a_member_that_flaps_is_seen_as_it_is() -> None:
    world = World(6)
    world.populate(16)
    for _ in range(6):
        world.crash("m1")
        world.run(3.0)
        assert world.agrees()
        world.start("m1")
        world.run(1.0)
        assert world.agrees()
    assert not [told for told in world.changes(*VERDICTS) if told.node != "m1"]


# -- many at once --------------------------------------------------------------------------------------------------


def test_half_leave_at_once() -> None:
    world = World(2)
    world.populate(128)
    leaving = [f"m{number}" for number in range(0, 128, 2)]
    for name in leaving:
        world.leave(name)
    assert world.until(world.agrees, limit_s=5.0) < 3.0
    assert not world.changes(ChangeKind.FAILED)


def test_half_crash_at_once() -> None:
    world = World(2)
    world.populate(32)
    world.crash(*(f"m{number}" for number in range(0, 32, 2)))
    assert world.until(world.agrees, limit_s=20.0) < 12.0
    survivors = set(world.machines)
    assert not [told for told in world.changes(ChangeKind.FAILED) if told.node in survivors]


# -- partitions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minority", "apart_s"), [(2, 5.0), (8, 20.0), (5, 1.5)])
def test_both_sides_of_a_partition_merge_again(minority: int, apart_s: float) -> None:
    world = World(minority)
    world.populate(16)
    few = {f"m{number}" for number in range(minority)}
    many = set(world.machines) - few
    world.partition(few, many)
    world.run(apart_s)
    if apart_s > 10.0:
        assert world.agrees(few)
        assert world.agrees(many)
    world.heal()
    healed = world.now
    assert world.until(world.agrees, limit_s=10.0) < 5.0
    world.run(10.0)
    assert world.agrees()
    assert not world.changes(ChangeKind.FAILED, since=healed + 1.0)


def test_those_who_have_forgotten_one_another_merge_too() -> None:
    world = World(2, quick(reclaim_s=5.0, rejoin_s=5.0))
    world.populate(10)
    few = {"m0", "m1", "m2"}
    world.partition(few, set(world.machines) - few)
    world.run(30.0)
    assert set(world.machines["m0"].beliefs.members.by_name) == few - {"m0"}
    world.heal()
    assert world.until(world.agrees, limit_s=60.0) < 60.0


# -- the broker, and stops -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("noticed", [True, False], ids=["links down", "links hang"])
def test_a_broker_that_is_dead_for_ten_seconds_costs_nobody_its_life(noticed: bool) -> None:
    world = World(2)
    world.populate(64)
    world.broker = False
    for name in world.machines:
        if noticed:
            world.do(name, Link(False))
    world.run(10.0)
    world.broker = True
    back = world.now
    waiting = sorted(world.machines, key=lambda _: world.rng.random())
    for name in waiting:  # they come back within two seconds, as the transport's backoff says
        world.run(2.0 / len(waiting))
        if noticed:
            world.do(name, Link(True))
    world.run(20.0)
    assert world.agrees()
    assert not world.changes(*VERDICTS)
    assert not world.changes(ChangeKind.SUSPECTED, since=back + 5.0)


def stress(world: World, stopped: int, stop_s: float, run_s: float, seed: int) -> tuple[int, int, int]:
    """Stops members again and again, with 2 ms of running between. Returns false positives, those of observers that
    were never stopped, and packets."""
    world.populate(32)
    victims = [f"m{number}" for number in range(stopped)]
    rng = Random(seed)
    began, sent = world.now, sum(world.sent.values())
    turns = [(began + rng.random() * stop_s, name, True) for name in victims]
    heapq.heapify(turns)
    while turns[0][0] < began + run_s:
        at, name, stop = heapq.heappop(turns)
        world.run_until(at)
        if stop:
            world.stop(name)
            heapq.heappush(turns, (at + stop_s, name, False))
        else:
            world.go_on(name)
            heapq.heappush(turns, (at + 0.002, name, True))
    false = [told for told in world.changes(ChangeKind.FAILED, since=began) if told.node not in victims]
    return len(false), sum(told.by not in victims for told in false), sum(world.sent.values()) - sent


def test_members_that_stand_still_again_and_again_accuse_nobody() -> None:
    plain = quick(local_health=False, nacks=False, buddy=False, confirm=False, freeze=False)
    totals = {}
    for arm, config in (("plain", plain), ("ours", quick())):
        cells = [stress(World(9, config), count, 2.0, 12.0, 9) for count in (3, 8)]
        totals[arm] = [sum(column) for column in zip(*cells, strict=True)]
    assert totals["plain"][0] > 20
    assert totals["ours"][:2] == [0, 0]
    assert totals["ours"][2] <= 1.1 * totals["plain"][2]
